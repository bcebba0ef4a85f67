"""The table of mutants for the documentation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from run import Outcome
    from table import Mutant

HEAD = """# Mutants: small mistakes that tests notice

Each row is one small mistake in the source, tried alone in a copy of the tree with its nearest
tests. It is killed if a test fails. Written by `python benchmarks/mutants --report`; the mutants
are in `benchmarks/mutants/table.py`.
"""


def page(mutants: Sequence[Mutant], found: Sequence[Outcome]) -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    mutants
        What was replaced.
    found
        How the tests of each ended.
    """
    pairs = list(zip(mutants, found, strict=True))
    lines = [HEAD, f"**{_killed(pairs)} of {len(pairs)} mutants are killed.**", ""]
    lines += ["| folder | mutants | killed |", "|---|---|---|"]
    for folder in Counter(mutant.folder for mutant in mutants):
        own = [pair for pair in pairs if pair[0].folder == folder]
        lines.append(f"| `{folder}` | {len(own)} | {_killed(own)} |")
    lines += ["", "| mutant | nearest tests | killed by |", "|---|---|---|"]
    lines += [_row(mutant, outcome) for mutant, outcome in pairs]
    return "\n".join(lines) + "\n"


def _killed(pairs: Sequence[tuple[Mutant, Outcome]]) -> int:
    return sum(not outcome.passed for _, outcome in pairs)


def _row(mutant: Mutant, outcome: Outcome) -> str:
    """Return a row of the table."""
    change = f"`{mutant.file}`: {_code(mutant.old)} → {_code(mutant.new)}"
    tests = ", ".join(f"`{path.removeprefix('tests/')}`" for path in mutant.tests)
    test = outcome.failed.partition("::")[2] or outcome.failed
    end = f"`{test}`" if not outcome.passed else f"lives: {mutant.equivalent or 'not explained'}"
    return f"| {change} | {tests} | {end.replace('|', chr(92) + '|')} |"


def _code(text: str) -> str:
    """Return a text as code on one line of a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    return f"`{line}`" if line else "nothing"
