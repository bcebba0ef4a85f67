"""What a batch works on, and what became of it: files, their positions, their time points."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["SUMMARY", "Item", "Row", "State", "check_summary", "items_of", "write_summary"]

State: TypeAlias = Literal["waiting", "running", "done", "skipped", "failed", "stopped"]

SUMMARY = "summary.csv"
"""Name of the table of a batch, in its folder of results."""

_COLUMNS = ("file", "series", "time", "state", "seconds", "error", "results")


@dataclass(frozen=True)
class Item:
    """One image of a batch.

    Parameters
    ----------
    path
        Its file.
    series
        Which image, or position, of the file; the first one or the only one if none.
    time
        Which time point of that; all of them if none.
    """

    path: Path
    series: int | None = None
    time: int | None = None

    @property
    def part(self) -> str:
        """Which part of the file it is, as names of files have it; empty for all of it."""
        series = "" if self.series is None else f"-s{self.series}"
        return series + ("" if self.time is None else f"-t{self.time:03d}")

    @property
    def title(self) -> str:
        """What a table calls it."""
        series = "" if self.series is None else f", position {self.series}"
        return (
            one_line(self.path.name) + series + ("" if self.time is None else f", time {self.time}")
        )


@dataclass(frozen=True)
class Row:
    """One image of a batch, and what became of it.

    Parameters
    ----------
    source
        The file.
    state
        How far it is.
    seconds
        Time that it took.
    error
        Why it failed.
    written
        The files that came out.
    series, time
        Which part of the file it is, as in `Item`.
    """

    source: str
    state: State = "waiting"
    seconds: float = 0.0
    error: str = ""
    written: tuple[str, ...] = ()
    series: int | None = None
    time: int | None = None

    @property
    def title(self) -> str:
        """What a table calls it."""
        return Item(Path(self.source), self.series, self.time).title


def items_of(
    inputs: Sequence[str | PathLike[str] | Item],
    *,
    every_series: bool = False,
    every_time: bool = False,
) -> list[Item]:
    """Return what there is to be done; of the files only what they contain is looked at.

    Parameters
    ----------
    inputs
        Files, or folders of OME-Zarr.
    every_series
        Whether each image, or position, of a file is done, not only the first.
    every_time
        Whether each time point is done for itself.
    """
    found: list[Item] = []
    for one in inputs:
        if isinstance(one, Item):
            found.append(one)
        elif not every_series and not every_time:
            found.append(Item(Path(one).expanduser()))
        else:
            path = Path(one).expanduser()
            found += _parts(path, every_series=every_series, every_time=every_time)
    return found


def _parts(path: Path, *, every_series: bool, every_time: bool) -> list[Item]:
    """Return the parts of a file; the file as one if it cannot be read: its row will say why."""
    from napari_cellinr.io import read_all

    try:
        images = read_all(path, lazy_above=0)
    except (CellINRError, OSError):
        return [Item(path)]
    several = every_series and len(images) > 1
    found = []
    for number, image in enumerate(images if every_series else images[:1]):
        count = image.sizes.get("T", 1) if every_time else 1
        times = range(count) if count > 1 else [None]
        found += [Item(path, number if several else None, time) for time in times]
    return found


def check_summary(path: Path) -> None:
    """Check that the table of a batch replaces no other table.

    Raises
    ------
    FileError
        If there is a file of this name that no batch has written.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            is_ours = file.readline(1000).strip() == ",".join(_COLUMNS)
    except FileNotFoundError:
        return
    except OSError:
        is_ours = False
    if not is_ours:
        raise FileError(
            f"{path} was not written by a batch, or changed since; it is left alone. Rename it, "
            "or give another folder for the results."
        )


def write_summary(path: Path, rows: Sequence[Row]) -> None:
    """Write the table of a batch: one line for each image, complete or not at all."""
    from napari_cellinr.io.safety.atomic import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for row in rows:
        part = ["" if one is None else one for one in (row.series, row.time)]
        results = ";".join(row.written)
        table.writerow([row.source, *part, row.state, f"{row.seconds:.1f}", row.error, results])
    with replacing(path, ".csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
