"""The page docs/reliability.md."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(1, str(Path(__file__).parents[1]))

from common.page import ROOT, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outcome import Outcome

PAGE = ROOT / "docs" / "reliability.md"

HEAD = """# Reliability

What was done to the program on purpose, how often, and how often something was lost, wrong, or
broke a limit. Each section is written by a command: `python benchmarks/faults NAME`. A small part
of each run is in the test suite; viewers are tried there with fits that compute nothing.
"""


def write(runs: Mapping[str, tuple[str, list[Outcome]]]) -> None:
    """Write the page from the title and the outcomes of each fault run by its name."""
    sections = [
        f"## {title}\n\n`python benchmarks/faults {name}`\n\n"
        + table(
            ("fault", "tries", "lost", "what has to hold", "measured"),
            ((o.fault, f"{o.tries}", f"{o.lost}", o.rule, o.measured or "–") for o in outcomes),
        )
        for name, (title, outcomes) in runs.items()
        if outcomes
    ]
    PAGE.write_text("\n\n".join([HEAD.rstrip(), *sections]) + "\n", encoding="utf-8")
