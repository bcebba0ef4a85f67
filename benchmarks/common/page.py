"""Pages of docs/benchmarks: the text is in a Markdown file beside the benchmark."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "benchmarks"


def write_page(template: Path, **parts: object) -> None:
    """Write the page in docs/benchmarks that has the name of its template.

    Parameters
    ----------
    template
        Markdown with names in braces where tables and numbers belong.
    parts
        What replaces each name; an empty part leaves no blank lines.
    """
    text = re.sub(r"\n{3,}", "\n\n", template.read_text("utf-8").format(**parts))
    PAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / template.name).write_text(text.rstrip() + "\n", encoding="utf-8")


def table(
    head: Iterable[str], rows: Iterable[Iterable[str]], rules: tuple[str, str] = ("---", "---")
) -> str:
    """Return a Markdown table.

    Parameters
    ----------
    head, rows
        Cells.
    rules
        Alignment of the first column, and of all others: `---:` for the right.
    """
    head = list(head)
    first, others = rules
    lines = [head, [first, *[others] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """Return a number as text, and a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:{'+' if sign else ''}.{digits}f}"
