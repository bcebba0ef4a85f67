"""The images of a batch (files, their positions and time points), and its summary."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = [
    "SUMMARY",
    "Item",
    "Row",
    "State",
    "check_summary",
    "items_of",
    "with_folders",
    "write_summary",
]

State: TypeAlias = Literal["waiting", "running", "done", "skipped", "failed", "stopped"]

SUMMARY = "summary.csv"
"""Name of the summary in the folder of results."""

_COLUMNS = ("file", "series", "time", "state", "seconds", "error", "results")


@dataclass(frozen=True)
class Item:
    """One image of a batch.

    Parameters
    ----------
    path
        Its file.
    series
        Index of the image, or position, in the file, from 0; None for the first or only one.
    time
        Index of its time point, from 0; None for all of them.
    """

    path: Path
    series: int | None = None
    time: int | None = None

    @property
    def part(self) -> str:
        """Part of the file that it is, for names of results; empty for the whole file."""
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
    """One image of a batch in the summary.

    Parameters
    ----------
    source
        The file.
    state
        Whether it waits, is processed, or has ended, and how.
    seconds
        Processing time in s.
    error
        Why it failed.
    written
        Its results.
    series, time
        Part of the file, as in `Item`.
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


def with_folders(
    inputs: Sequence[str | PathLike[str] | Item], output: Path, *, as_series: bool
) -> list[str | PathLike[str] | Item]:
    """Return the inputs with the images in folders instead of the folders.

    Parameters
    ----------
    inputs
        Files, OME-Zarr folders, and folders of images.
    output
        Folder of the results, which must not be one of these folders.
    as_series
        Whether a folder is one image, of numbered files.

    Raises
    ------
    FileError
        If a folder contains no images, or is the folder of the results.
    """
    from napari_cellinr.io.series.folders import images_in

    found: list[str | PathLike[str] | Item] = []
    for source in inputs:
        place = source.path if isinstance(source, Item) else place_of(source)
        if isinstance(source, Item) or as_series or not place.is_dir() or is_zarr(place):
            found.append(source)
        elif place.resolve() == output.resolve():
            raise FileError(
                f"the results would be written between the images of {place}, and would be taken "
                "for images the next time; give another folder with --folder."
            )
        else:
            found += images_in(place)
    return found


def items_of(
    inputs: Sequence[str | PathLike[str] | Item],
    *,
    every_series: bool = False,
    every_time: bool = False,
) -> list[Item]:
    """Return the images of a batch; only the metadata of files are read.

    Parameters
    ----------
    inputs
        Files, or OME-Zarr folders.
    every_series
        Whether to process each image, or position, of a file instead of the first.
    every_time
        Whether to process each time point separately.
    """
    found: list[Item] = []
    for source in inputs:
        if isinstance(source, Item):
            found.append(source)
            continue
        path = place_of(source)
        if every_series or every_time:
            found += _parts(path, every_series=every_series, every_time=every_time)
        else:
            found.append(Item(path))
    return found


def _parts(path: Path, *, every_series: bool, every_time: bool) -> list[Item]:
    """Return the parts of a file; one that cannot be read is an item, whose row says why."""
    from napari_cellinr.errors import CellINRError
    from napari_cellinr.io.reading import read_parts

    try:
        images = read_parts(path, lazy_above=0)
    except Exception:  # a damaged file may raise anything; its row will say what
        return [Item(path)]
    several = every_series and len(images) > 1
    found = []
    for number, image in enumerate(images if every_series else images[:1]):
        sizes = {} if isinstance(image, CellINRError) else image.sizes
        count = sizes.get("T", 1) if every_time else 1
        times = range(count) if count > 1 else [None]
        found += [Item(path, number if several else None, time) for time in times]
    return found


def check_summary(path: Path) -> None:
    """Check that the summary of a batch does not replace another table.

    Raises
    ------
    FileError
        If there is a file of this name that was not written by a batch.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            is_summary = file.readline(1000).strip() == ",".join(_COLUMNS)
    except FileNotFoundError:
        return
    except OSError:
        is_summary = False
    if not is_summary:
        raise FileError(
            f"{path} exists and is not the summary of a batch; rename it, or choose another "
            "folder for the results."
        )


def write_summary(path: Path, rows: Sequence[Row]) -> None:
    """Write the summary of a batch, one line for each image; the file is replaced as a whole.

    Parameters
    ----------
    path
        The file.
    rows
        The images.
    """
    from napari_cellinr.io.safety.atomic import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for row in rows:
        part = ["" if index is None else index for index in (row.series, row.time)]
        results = ";".join(row.written)
        table.writerow([row.source, *part, row.state, f"{row.seconds:.1f}", row.error, results])
    with replacing(path, ".csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
