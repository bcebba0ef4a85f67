"""docs/benchmarks/files.md, from what the runs have kept."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.page import table, write_page

RESULTS = Path(__file__).parent / "results"
TEMPLATE = Path(__file__).with_name("files.md")


def keep(name: str, result: Any) -> None:
    """Put a result beside this file."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def write() -> None:
    """Write the page from the results that there are."""
    fuzz, large = found("fuzz"), found("large")
    write_page(
        TEMPLATE,
        seeds=fuzz["seeds"] if fuzz else "",
        fuzz=fuzz_table(fuzz["rows"]) if fuzz else "Not run yet.",
        large=large_table(large) if large else "Not run yet.",
    )


def found(name: str) -> Any:
    """Return the result that is kept under a name, or None."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def fuzz_table(rows: list[dict]) -> str:
    head = ["damage", "files", "refused", "read, same values", "read, other values", "faults"]
    lines = [
        [r["kind"], *(str(r[key]) for key in ("files", "refused", "same", "other")),
         f"**{r['faults']}**", f"{r['seconds']:.2f}", f"{r['megabytes']:.0f}"]
        for r in rows
    ]  # fmt: skip
    return table([*head, "longest, CPU s", "most growth, MB"], lines)


def large_table(rows: list[dict]) -> str:
    head = ["file", "shape", "opened, CPU s", "opened and part read, wall s", "memory, MB"]
    lines = [
        [r["file"], f"{'×'.join(map(str, r['shape']))} {r['dtype']}", f"{r['opened']:.2f}",
         f"{r['wall']:.2f}", f"{r['megabytes']:.0f}"]
        for r in rows
    ]  # fmt: skip
    return table(head, lines)


if __name__ == "__main__":
    write()
