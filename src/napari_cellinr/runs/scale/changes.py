"""Whether a recording still holds what the finished parts of a plan have read.

Each part notes a digest of all that it has read, and the stamp of the recording: a digest of names
and sizes of its files, and of when they were written. While the stamp is that of the
plan, nothing is read again. Where it is another one, what the finished parts have read is compared
by its digest; so a file that was only copied or touched is no obstacle.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.errors import CellINRError, FileError, FitError
from napari_cellinr.io.files import files_of
from napari_cellinr.io.names import ADDRESSES
from napari_cellinr.runs.scale.methods import method_in_parts
from napari_cellinr.runs.scale.source import read_part, with_time

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
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
    count, total = 0, 0
    for name, path in files_of(source.path, image.meta):
        try:
            facts = path.stat()
        except OSError:
            continue
        text = f"{name} {facts.st_size} {facts.st_mtime_ns}".encode(errors="surrogateescape")
        one = hashlib.blake2b(text, digest_size=8).digest()
        count, total = count + 1, total + int.from_bytes(one, "big")  # in whatever order
    found = f"{count}-{total % 2**64:016x}"
    _looked[source.path] = begun, time.time() - begun, found
    return found


def first_changed(plan: Plan, state: State, image: Image, stamp: str = "") -> int | None:
    """Return the first finished part that has read other values than the recording holds, or None.

    Parameters
    ----------
    plan, state
        The plan, and its finished parts.
    image
        The recording as it is now, lazy, with axis T.
    stamp
        That of now; parts that noted it are not compared. All are without it.
    """
    found = _compared(plan, state, image, stamp, range(len(plan.parts)))
    return next((number for number, is_same in found if not is_same), None)


def _compared(
    plan: Plan, state: State, image: Image, stamp: str, numbers: Iterable[int]
) -> Iterator[tuple[int, bool]]:
    """Yield each finished part, and whether it has read what the recording holds."""
    frames = method_in_parts(plan.action).frames
    for number in numbers:
        facts = state.facts(number)
        if "read" not in facts or (stamp and facts.get("stamp") == stamp):
            continue
        try:
            block = read_part(image, part := plan.parts[number], frames(plan, part))
            is_same = digest_of_part(block) == facts["read"]
        except CellINRError:  # such as a chunk that is damaged by now
            is_same = False
        yield number, is_same


def _check(
    plan: Plan, state: State, image: Image, stamp: str, numbers: Sequence[int], monitor: Monitor
) -> Generator[Progress, Message, int]:
    """Yield progress, return how many parts were compared; raise if one has read other values."""
    count = 0
    for number, is_same in _compared(plan, state, image, stamp, numbers):
        if not is_same:
            raise RecordingChangedError(_changed_text(plan, number))
        count += 1
        yield from monitor.report("comparing finished parts with the recording")
        if monitor.stopped:
            raise FitError("it was stopped before its end.")
    return count


def check_before(
    plan: Plan, state: State, image: Image, stamp: str, monitor: Monitor
) -> Generator[Progress, Message, list[str]]:
    """Return what to say if the recording was written since the run was planned: yield `Progress`.

    Parameters
    ----------
    plan, state, image
        As for `first_changed`.
    stamp
        Of the recording, before a part reads it.
    monitor
        Of the part.

    Raises
    ------
    RecordingChangedError
        If a finished part has read other values.
    FitError
        If the run is stopped meanwhile.
    """
    if not plan.stamp or stamp == plan.stamp:
        return []
    count = 0
    if state.compared != stamp:
        count = yield from _check(plan, state, image, stamp, range(len(plan.parts)), monitor)
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


def check_finished(
    plan: Plan, state: State, given: Image | None, numbers: Sequence[int], monitor: Monitor
) -> Generator[Progress, Message, None]:
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
    monitor
        Of the part that needs them.

    Raises
    ------
    RecordingChangedError
        If one of them has read other values.
    FitError
        If the run is stopped meanwhile.
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
    yield from _check(plan, state, image, stamp, numbers, monitor)


def _changed_text(plan: Plan, number: int) -> str:
    """Return what to say if a part has read other values than there are now."""
    what = plan.source.path or "the recording"
    return (
        f"{what} has changed since part {number} was computed from it, and the result would be "
        "a mixture. Finished parts are kept: put back what was there and go on, or begin again "
        "with another name for the result."
    )
