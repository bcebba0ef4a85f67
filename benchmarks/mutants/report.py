"""The table of mutants for the documentation."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from run import Outcome
    from table import Mutant

HEAD = """# Mutants: small mistakes that tests notice

Each row is one small mistake in the source, tried alone in a copy of the tree with its nearest
tests. It is killed if a test fails. Written by `python benchmarks/mutants --report`; the mutants
are in `benchmarks/mutants/table.py`.
"""

LIVES = "lives: "


def page(mutants: Sequence[Mutant], found: Mapping[Mutant, Outcome], before: str = "") -> str:
    """Return the page in Markdown.

    Parameters
    ----------
    mutants
        All mutants.
    found
        How the tests of those ended that were tried now.
    before
        The page so far, from which the rows of the others are kept.
    """
    kept = {_change_in(line): line for line in before.splitlines() if line.startswith("| `")}
    rows = {}
    for mutant in mutants:
        row = _row(mutant, found[mutant]) if mutant in found else kept.get(_change(mutant))
        if row is not None:
            rows[mutant] = row
    killed = [mutant for mutant, row in rows.items() if f"| {LIVES}" not in row]
    lines = [HEAD, f"**{len(killed)} of {len(rows)} mutants are killed.**", ""]
    lines += ["| Part of the package | Mutants | Killed |", "|---|---|---|"]
    folders, of_killed = (Counter(one.folder for one in some) for some in (rows, killed))
    lines += [f"| {name} | {count} | {of_killed[name]} |" for name, count in folders.items()]
    lines += ["", "| Mutant | Nearest tests | Killed by |", "|---|---|---|", *rows.values()]
    return "\n".join(lines) + "\n"


def _row(mutant: Mutant, outcome: Outcome) -> str:
    """Return a row of the table."""
    tests = ", ".join(f"`{path.removeprefix('tests/')}`" for path in mutant.tests)
    test = outcome.failed.partition("::")[2] or outcome.failed
    end = f"{LIVES}{mutant.equivalent or 'not explained'}" if outcome.passed else f"`{test}`"
    return f"| {_change(mutant)} | {tests} | {_one_cell(end)} |"


def _change(mutant: Mutant) -> str:
    """Return file and texts of a mutant, as the first cell of its row."""
    return f"`{mutant.file}`: {_code(mutant.old)} → {_code(mutant.new)}"


def _change_in(row: str) -> str:
    """Return the first cell of a row."""
    return row.removeprefix("| ").partition(" | `")[0]


def _code(text: str) -> str:
    line = _one_cell(" ".join(text.split()))
    return f"`` {line} ``" if "`" in line else f"`{line}`" if line else "nothing"


def _one_cell(text: str) -> str:
    return text.replace("|", "\\|")
