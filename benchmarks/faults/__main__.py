"""Faults on purpose, and what is lost by them.

    python benchmarks/faults [NAME ...] [--tries N] [--seed N]

Runs the fault runs of these names (all without one), keeps what they find in
`benchmarks/faults/results`, and writes `docs/reliability.md`. Each has a process of its own, since
some are divided into copies of it, which must not have threads of others. The exit code is 1 if
anything was lost. Each other module of this folder has a docstring whose first line is the title of
its section, and `run(tries, seed)`, which returns a list of outcomes; `tries` may be None for the
number that the page is made with.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
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
    names = options.names or RUNS
    if len(names) > 1:
        settings = ["--seed", str(options.seed)]
        settings += [] if options.tries is None else ["--tries", str(options.tries)]
        commands = [[sys.executable, *sys.argv[:1], name, *settings] for name in names]
        return max(subprocess.run(command, check=False).returncode for command in commands)
    (name,) = names
    outcomes = importlib.import_module(name).run(options.tries, options.seed)
    store(name, outcomes)
    for one in outcomes:
        print(f"{one.fault}: {one.lost} of {one.tries} {one.measured}", flush=True)
    n_lost = sum(one.lost for one in outcomes)
    titles = {name: importlib.import_module(name).__doc__.splitlines()[0] for name in RUNS}
    write({name: (title.rstrip("."), stored(name)) for name, title in titles.items()})
    print(f"written: {PAGE}")
    return int(n_lost > 0)


if __name__ == "__main__":
    sys.exit(main())
