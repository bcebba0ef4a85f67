"""Whether a recording still holds what the finished parts of a plan have read.

Each part notes a digest of all that it has read, and the stamp of the file: number and size of the
files of the recording, and when the last one of them was written. While the stamp is that of the
plan, nothing is read again. Where it is another one, what the finished parts have read is compared
by its digest; so a file that was only copied or touched is no obstacle.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.io.names import ADDRESSES, place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.series.sequences import SERIES
from napari_cellinr.io.zarr.parts import CHUNK, ZARR_FILES
from napari_cellinr.runs.scale.methods import method_in_parts
from napari_cellinr.runs.scale.source import read_part, with_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Plan
    from napari_cellinr.runs.scale.source import Source
    from napari_cellinr.runs.scale.state import State

__all__ = [
    "RecordingChangedError",
    "check_before",
    "check_finished",
    "digest_of_part",
    "first_changed",
    "stamp_of",
]


_SHARE: Final = 0.05
"""Largest part of the time that is spent on looking at the files of a recording."""

_SHORT: Final = 0.05
"""Seconds that a look may take without being remembered."""

_looked: dict[str, tuple[float, float, str]] = {}
"""When this process has begun to look at a recording, how long that took, and the stamp."""


class RecordingChangedError(FileError):
    """A finished part has read other values than the recording holds now."""


def digest_of_part(block: Image) -> str:
    """Return a short text that differs for parts that have read other values.

    Parameters
    ----------
    block
        All that a part reads, in memory.
    """
    values = np.ascontiguousarray(block.array())
    found = hashlib.blake2b(f"{values.shape} {values.dtype}".encode(), digest_size=16)
    found.update(values.data)
    return found.hexdigest()


def stamp_of(source: Source, image: Image, after: float | None = math.inf) -> str:
    """Return a short text that differs after a file of a recording was written.

    It is empty for a recording at an address, or in no file.

    Parameters
    ----------
    source
        The recording.
    image
        The same, lazy.
    after
        The files are looked at again unless this process has done so after that time, in seconds
        as of `time.time`. None: unless it has done so a short while ago, if there are very many.
    """
    if not source.path or source.path.startswith(ADDRESSES):
        return ""
    begun = time.time()
    when, took, known = _looked.get(source.path, (0.0, 0.0, ""))
    is_recent = took > _SHORT and begun - when < took / _SHARE
    if is_recent if after is None else when > after:
        return known
    count, size, newest = 0, 0, 0
    for path in _files(place_of(source.path), image):
        try:
            facts = path.stat()
        except OSError:
            continue
        count, size, newest = count + 1, size + facts.st_size, max(newest, facts.st_mtime_ns)
    found = f"{count}-{size}-{newest}"
    _looked[source.path] = begun, time.time() - begun, found
    return found


def _files(place: Path, image: Image) -> Iterator[Path]:
    """Yield the files of a recording."""
    series = image.meta.get(SERIES, {})
    if names := series.get("files"):
        folder = place_of(str(series.get("path", place)))
        yield from (folder / name for name in names)
    elif is_zarr(place):
        for folder_name, _, files in os.walk(place):
            for name in files:
                if name in ZARR_FILES or CHUNK.fullmatch(name):
                    yield Path(folder_name) / name
    else:
        yield place


def first_changed(
    plan: Plan, state: State, image: Image, stamp: str = "", numbers: Iterable[int] | None = None
) -> tuple[int | None, int]:
    """Return the first finished part that has read other values than the recording holds.

    Parameters
    ----------
    plan, state
        The plan, and its finished parts.
    image
        The recording as it is now, lazy, with axis T.
    stamp
        That of now; parts that noted it are not compared. All are without it.
    numbers
        Of the parts that are compared, if they are finished; all that compute if not given.

    Returns
    -------
    tuple
        The number of that part, or None; and how many parts were compared.
    """
    count, frames = 0, method_in_parts(plan.action).frames
    for number in range(len(plan.parts)) if numbers is None else numbers:
        facts = state.facts(number)
        if "read" not in facts or (stamp and facts.get("stamp") == stamp):
            continue
        count += 1
        try:
            block = read_part(image, part := plan.parts[number], frames(plan, part))
            is_same = digest_of_part(block) == facts["read"]
        except CellINRError:  # such as a chunk that is damaged by now
            is_same = False
        if not is_same:
            return number, count
    return None, count


def check_before(plan: Plan, state: State, image: Image, stamp: str) -> list[str]:
    """Return what to say if the file of a recording was written since the run was planned.

    Parameters
    ----------
    plan, state, image
        As for `first_changed`.
    stamp
        Of the file, before a part reads it.

    Raises
    ------
    RecordingChangedError
        If a finished part has read other values.
    """
    if not plan.stamp or stamp == plan.stamp:
        return []
    count = 0
    if state.compared != stamp:
        changed, count = first_changed(plan, state, image, stamp)
        if changed is not None:
            raise RecordingChangedError(_changed_text(plan, changed))
        state.note_compared(stamp)
    return [
        f"{plan.source.path} has another size or modification time than when the run was planned. "
        + (
            "The parts that were finished before have read the same values; the others read what "
            "is there now."
            if count or state.done
            else "What all parts share was measured before that."
        )
    ]


def check_finished(plan: Plan, state: State, given: Image | None, numbers: Sequence[int]) -> None:
    """Check that finished parts have read what the recording holds, if it may hold something else.

    Nothing is compared if it cannot be read any more: then nothing was changed either.

    Parameters
    ----------
    plan, state
        As for `first_changed`.
    given
        The recording with axis T, if it is in no file; only an array in memory can have changed.
    numbers
        Of the parts.

    Raises
    ------
    RecordingChangedError
        If one of them has read other values.
    """
    stamp = ""
    if given is None:
        try:
            image = with_time(plan.source.image())
        except (CellINRError, OSError):
            return
        stamp = stamp_of(plan.source, image, max(map(state.time_of, numbers), default=math.inf))
        if not stamp:
            return
    elif isinstance(given.data, np.ndarray):
        image = given
    else:
        return
    changed, _ = first_changed(plan, state, image, stamp, numbers)
    if changed is not None:
        raise RecordingChangedError(_changed_text(plan, changed))


def _changed_text(plan: Plan, number: int) -> str:
    """Return what to say if a part has read other values than there are now."""
    what = plan.source.path or "the recording"
    return (
        f"{what} has changed since part {number} was computed from it, and the result would be "
        "a mixture. Finished parts are kept: put back what was there and go on, or begin again "
        "with another name for the result."
    )
