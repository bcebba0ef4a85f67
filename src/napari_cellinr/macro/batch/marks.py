"""What a batch notes of each image in the folder `.done`: the input that it read, and its files.

A mark is written before each result, so that a batch that was killed knows its own files, and once
more when the image is done. Files in that folder that are no marks are left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.atomic import is_zarr, replacing
from napari_cellinr.io.safety.owned import TEMPORARY
from napari_cellinr.macro.plan import files_at

if TYPE_CHECKING:
    from napari_cellinr.macro.batch.items import Item
    from napari_cellinr.macro.steps import Macro

__all__ = [
    "MARKS",
    "Mark",
    "Owner",
    "Stamp",
    "free_place",
    "has_changed",
    "is_current",
    "key_of",
    "owner_of",
    "read_marks",
    "stamp_of",
    "with_file",
    "write_mark",
]

MARKS: Final = ".done"
"""Folder of the marks in the folder of the results."""

_BEGINNING: Final = b'{"key": "'
"""How every mark begins, also one that is damaged further on."""

Stamp = tuple[tuple[str, int, int], ...]
"""Path, size in bytes and time of change in ns of each file of an image."""

Owner = tuple[str, int | None, int | None]
"""The image that a mark is of: absolute path, and index of its position and time point."""


@dataclass(frozen=True)
class Mark:
    """What a batch notes of one image.

    Parameters
    ----------
    key
        Checksum of what the results depend on; empty until they are complete.
    name
        What the image is called in the names of its results.
    source, series, time
        The image: absolute path, and index of its position and time point.
    written
        The results.
    files
        All files that batches have written for this image, which they may replace.
    """

    key: str
    name: str
    source: str
    series: int | None = None
    time: int | None = None
    written: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def owner(self) -> Owner:
        """The image that it is of."""
        return self.source, self.series, self.time


def owner_of(item: Item) -> Owner:
    """Return how the marks of an image name it."""
    return str(item.path.absolute()), item.series, item.time


def stamp_of(path: Path) -> Stamp:
    """Return the state of the files of an image: one file, a series, or all parts of a Zarr.

    Raises
    ------
    OSError
        If there is no such file.
    """
    if not (path.is_dir() and is_zarr(path)):
        files = files_at(path)
        return tuple(_stat_of(file) for file in sorted(files) if file == path or file.is_file())
    found = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    return tuple(_stat_of(file) for file in sorted(found))


def has_changed(stamp: Stamp) -> bool:
    """Return whether a file has changed since its state was noted, or is gone."""
    try:
        return any(_stat_of(Path(one[0])) != one for one in stamp)
    except OSError:
        return True


def key_of(macro: Macro, item: Item, stamp: Stamp) -> str:
    """Return a checksum of what the results of an image depend on.

    Parameters
    ----------
    macro
        The steps.
    item
        The image.
    stamp
        The state of its files when they were read.
    """
    return _checksum(macro, item, stamp, str(item.path.absolute()))


def is_current(mark: Mark, macro: Macro, item: Item, stamp: Stamp) -> bool:
    """Return whether a mark says that these results depend on just this.

    Parameters
    ----------
    mark
        The mark; version 0.1 noted the path of the image as it was given.
    macro, item, stamp
        As for `key_of`.
    """
    return mark.key in (
        key_of(macro, item, stamp),
        _checksum(macro, item, stamp, str(item.path)),
    )


def _checksum(macro: Macro, item: Item, stamp: Stamp, path: str) -> str:
    steps = [(step.action, step.settings) for step in macro.repeatable]
    is_file = len(stamp) == 1 and stamp[0][0] == str(item.path)
    state = stamp[0][1:] if is_file else (stamp,)
    return hashlib.sha256(json.dumps([steps, path, item.part, *state]).encode()).hexdigest()


def read_marks(output: Path) -> dict[Path, Mark]:
    """Return the marks of the earlier batches in a folder, by their files.

    Temporary files, which a batch that was killed may have left, are none: they will be removed.
    """
    try:
        found_paths = sorted((output / MARKS).glob("*.json"))
    except OSError:
        return {}
    paths = [path for path in found_paths if not path.name.startswith(TEMPORARY)]
    found = {path: _mark_at(path) for path in paths}
    return {path: mark for path, mark in found.items() if mark is not None}


def free_place(output: Path, name: str) -> Path:
    """Return the file for the mark of an image: a new one, or one that a batch has written.

    Parameters
    ----------
    output
        Folder of the results.
    name
        What the image is called in the names of its results.
    """
    names = (f"{name}.json" if number == 1 else f"{name}.{number}.json" for number in count(1))
    return next(path for one in names if _is_ours(path := output / MARKS / one))


def write_mark(path: Path, mark: Mark) -> None:
    """Write a mark.

    Parameters
    ----------
    path
        From `free_place`.
    mark
        The mark.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{path.parent} cannot be made: {error.strerror or error}. A batch keeps its notes "
            "there; choose another folder for the results."
        ) from error
    with replacing(path, ".json") as temporary:
        temporary.write_text(json.dumps(asdict(mark)), encoding="utf-8")


def with_file(mark: Mark, path: Path) -> Mark:
    """Return a mark with one more file that is written for its image.

    Parameters
    ----------
    mark
        The mark.
    path
        The file.
    """
    return replace(mark, files=tuple(dict.fromkeys([*mark.files, str(path.absolute())])))


def _mark_at(path: Path) -> Mark | None:
    """Return the mark in a file; None if it is damaged, or no mark."""
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        written = _texts(values["written"])
        return Mark(
            key=_texts([values["key"]])[0],
            name=_plain_name(values.get("name", path.stem)),
            source=str(Path(*_texts([values["source"]])).absolute()),
            series=_index(values.get("series")),
            time=_index(values.get("time")),
            written=written,
            files=_texts(values.get("files", written)),
        )
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise TypeError("texts are needed")
    return tuple(values)


def _plain_name(value: Any) -> str:
    """Return a name that does not lead out of the folder of the results."""
    (name,) = _texts([value])
    os.fsencode(name)  # raises ValueError for half of a surrogate pair, which no file name has
    if name in {"", ".", ".."} or "\0" in name or os.path.basename(name) != name:  # noqa: PTH119
        raise ValueError("a plain name is needed")
    return name


def _index(value: Any) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError("an index is needed")
    return value


def _is_ours(path: Path) -> bool:
    """Return whether a file may be written as a mark: there is none, or a batch has written it."""
    if not os.path.lexists(path):
        return True
    with suppress(OSError), path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING
    return False


def _stat_of(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns
