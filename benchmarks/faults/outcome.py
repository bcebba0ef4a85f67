"""What a fault run finds, kept in `results/` until the page is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Outcome:
    """What was found for one kind of fault.

    Parameters
    ----------
    fault
        What was done, in a few words: the first column of the page.
    tries
        How often it was done.
    lost
        How often something was lost, was wrong, or broke a limit.
    rule
        What has to hold each time.
    measured
        Figures beside the counts: the largest memory, the longest time.
    """

    fault: str
    tries: int
    lost: int
    rule: str
    measured: str = ""


def store(name: str, outcomes: list[Outcome]) -> None:
    """Keep what one fault run found, instead of what it found before."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps([asdict(one) for one in outcomes], indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def stored(name: str) -> list[Outcome]:
    """Return what a fault run found last; an empty list if it has not been run."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    return [Outcome(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
