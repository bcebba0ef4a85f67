"""Faults on purpose, and what is lost by them.

    python benchmarks/faults [NAME ...] [--tries N] [--seed N]

Runs the fault runs of these names (all without one), keeps what they find in
`benchmarks/faults/results`, and writes `docs/reliability.md`. The exit code is 1 if anything was
lost. Each other module of this folder has a docstring whose first line is the title of its section,
and `run(tries, seed)`, which returns a list of outcomes; `tries` may be None for the
number that the page is made with.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from outcome import store, stored
from page import PAGE, write

OWN = {"__main__", "forked", "outcome", "page", "shown"}
RUNS = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in OWN)


def main() -> int:
    """Run the command, and return its exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python benchmarks/faults", description=__doc__, formatter_class=raw
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)}")
    parser.add_argument("--tries", type=int, help="how often each fault is tried")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.names) - set(RUNS):
        parser.error(f"no fault run is called {', '.join(sorted(unknown))}; there are: "
                     f"{', '.join(RUNS)}")  # fmt: skip
    n_lost = 0
    for name in options.names or RUNS:
        outcomes = importlib.import_module(name).run(options.tries, options.seed)
        store(name, outcomes)
        for one in outcomes:
            print(f"{one.fault}: {one.lost} of {one.tries} {one.measured}", flush=True)
            n_lost += one.lost
    titles = {name: importlib.import_module(name).__doc__.splitlines()[0] for name in RUNS}
    write({name: (title.rstrip("."), stored(name)) for name, title in titles.items()})
    print(f"written: {PAGE}")
    return int(n_lost > 0)


if __name__ == "__main__":
    sys.exit(main())
