"""Scores of the benchmark that was run before, for what has not been run again since.

`earlier.json` holds what the page showed then. Values from it are marked, with a small circle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

MARK = "°"
FILE = Path(__file__).with_name("earlier.json")


@dataclass(frozen=True, eq=False)
class Earlier:
    """Scores of one method on one case; without the run itself."""

    scores: dict[str, float]
    run: Any = None
    current: bool = field(default=False)

    def value(self, name: str) -> float:
        """Return a score or a cost by its name; NaN if there is none."""
        return self.scores.get(name, float("nan"))


@cache
def _stored() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8"))


def earlier_entry(name: str, label: str) -> Earlier | None:
    """Return the scores of a method, by its label, on a case; None if there are none."""
    found = _stored()["scores"].get(name, {}).get(label)
    return Earlier(found) if found else None


def or_earlier(name: str, table: str) -> str:
    """Return a table, or if nothing of it was run, that of the page before, with a sentence."""
    if table.count("\n") > 1:
        return table
    lines = "\n".join(_stored()["tables"][name])
    return f"{lines}\n\nNot run again: measured with commit `{commit()}`."


def commit() -> str:
    """Return the commit with which the earlier scores were measured."""
    return _stored()["commit"]
