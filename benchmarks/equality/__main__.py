"""Show that a redesign changes no result: store what small runs give, and compare later.

    python benchmarks/equality store FOLDER [RUN …]
    python benchmarks/equality compare FOLDER [RUN …]

Every run uses the command line and the names at the top of the package as version 0.1 has them,
with fixed seeds, on one thread of the CPU; only the run of the renderings needs
`napari_cellinr.macro`. `compare` exits with status 1 if anything differs by more than rounding,
1e-6 of the largest value.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import denoising
import files
import outcome
import reconstructing
import superresolving
from command import Folder

RUNS = {**denoising.RUNS, **superresolving.RUNS, **reconstructing.RUNS, **files.RUNS}

_MOST = 8  # differences of one run that are printed


def main() -> int:
    """Return 0 if all runs were stored, or are equal; else 1."""
    parser = argparse.ArgumentParser(prog="python benchmarks/equality", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("action", choices=("store", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=", ".join(RUNS))
    options = parser.parse_args()
    if unknown := set(options.runs) - set(RUNS):
        parser.error(f"unknown run {', '.join(sorted(unknown))}")
    options.folder.mkdir(parents=True, exist_ok=True)
    names = options.runs or list(RUNS)
    failed = [name for name in names if not _is_done(options.action, options.folder / name)]
    well = {"store": "stored", "compare": "equal, to the bit where nothing else is said"}
    print(f"{len(names) - len(failed)} of {len(names)} runs: {well[options.action]}")
    return 1 if failed else 0


def _is_done(action: str, place: Path) -> bool:
    """Do one run, print a line on it, and return whether it went well."""
    begun = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Folder(Path(name))
            RUNS[place.name](folder)
            seconds = time.monotonic() - begun
            found = outcome.collect(folder.path, folder.output)
        if action == "store":
            outcome.save(place, found)
            told = [(True, f"stored, {len(found[0])} arrays")]
        else:
            told = outcome.differences(outcome.load(place), found)
    except Exception as error:  # the other runs go on
        seconds, told = time.monotonic() - begun, [(False, f"failed: {error}")]
    texts = [text for _, text in told] or [_good(action)]
    more = len(texts) - _MOST
    texts = [*texts[:_MOST], *([f"and {more} more"] if more > 0 else [])]
    print(f"{place.name} ({seconds:.1f} s): {'; '.join(texts)}", flush=True)
    return all(is_well for is_well, _ in told)


def _good(action: str) -> str:
    return "stored" if action == "store" else "equal to the bit"


if __name__ == "__main__":
    sys.exit(main())
