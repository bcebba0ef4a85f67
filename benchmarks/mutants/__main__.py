"""Small mistakes in the source, and the tests that notice them.

    python benchmarks/mutants [--only PATTERN] [--jobs N] [--timeout SECONDS] [--report]

In a copy of the tree, one text at a time is replaced by a wrong one (a mutant, see `table.py`),
and the nearest tests are run. A mutant is killed if a test fails. Beforehand the same tests must
pass in the unchanged copy. The exit code is 1 if a mutant lives that the table does not explain.
`--report` writes them to the table in `docs/benchmarks/mutants.md`, which keeps the other rows.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from report import page
from run import PACKAGE, ROOT, Outcome, copies
from table import MUTANTS, Mutant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from run import Copy

T = TypeVar("T")

PAGE = ROOT / "docs" / "benchmarks" / "mutants.md"


def main() -> int:
    """Run the command, and return its exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python benchmarks/mutants", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--only", default="", help="mutants whose line matches this expression")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for the tests of one")
    parser.add_argument("--report", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    chosen = [one for one in MUTANTS if re.search(options.only, str(one))]
    if wrong := [one for one in chosen if occurrences(one) != 1]:
        for one in wrong:
            print(f"{one}: the text to replace occurs {occurrences(one)} times; it must occur once")
        return 2
    os.environ["OMP_NUM_THREADS"] = "1"  # before the libraries are loaded
    with copies(max(1, options.jobs)) as made:
        if not is_sound(chosen, made, options.timeout):
            return 2
        found = outcomes(chosen, made, options.timeout)
    lived = [one for one, outcome in zip(chosen, found, strict=True) if outcome.passed]
    print(f"{len(chosen) - len(lived)} of {len(chosen)} mutants were killed.")
    if options.report:
        before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        now = dict(zip(chosen, found, strict=True))
        PAGE.write_text(page(MUTANTS, now, before), encoding="utf-8")
    return int(any(not one.equivalent for one in lived))


def occurrences(mutant: Mutant) -> int:
    """Return how often the text to replace occurs in its file."""
    path = ROOT / PACKAGE / mutant.file
    return path.read_text(encoding="utf-8").count(mutant.old) if path.exists() else 0


def is_sound(mutants: list[Mutant], made: list[Copy], seconds: float) -> bool:
    """Return whether the tests of all mutants pass in an unchanged copy; print what fails."""
    words: dict[str, set[str]] = {}
    for mutant in mutants:
        for path in mutant.tests:
            words.setdefault(path, set()).add(mutant.words)
    some = {
        path: "" if "" in own else " or ".join(f"({one})" for one in sorted(own))
        for path, own in words.items()
    }
    found = together(lambda path, copy: copy.test([path], some[path], 2 * seconds), some, made)
    for path, outcome in zip(some, found, strict=True):
        if not outcome.passed:
            print(f"{path} fails without any mutant: {outcome.failed}\n{outcome.output}")
    print(f"Tests of {len(words)} files were run without a mutant.", flush=True)
    return all(outcome.passed for outcome in found)


def outcomes(mutants: list[Mutant], made: list[Copy], seconds: float) -> list[Outcome]:
    """Return how the tests of each mutant ended, and print a line for each."""

    def tried(mutant: Mutant, copy: Copy) -> Outcome:
        with copy.mutated(mutant):
            outcome = copy.test(mutant.tests, mutant.words, seconds)
        result = "LIVES" if outcome.passed else f"killed by {outcome.failed}"
        print(f"{mutant}: {result}", flush=True)
        return outcome

    return together(tried, mutants, made)


def together(
    work: Callable[[T, Copy], Outcome], things: Iterable[T], made: list[Copy]
) -> list[Outcome]:
    """Return the outcome of each thing, with as many at a time as there are copies."""
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in made:
        free.put(copy)

    def done(thing: T) -> Outcome:
        copy = free.get()
        try:
            return work(thing, copy)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(made)) as pool:
        return list(pool.map(done, things))


if __name__ == "__main__":
    sys.exit(main())
