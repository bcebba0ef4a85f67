"""One part of a plan: computed from what it reads, and written into its own chunks."""

from __future__ import annotations

import os
import platform
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr import __version__
from napari_cellinr.errors import CellINRError, ConfigError, DataError, FileError, FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.resources.guard import explained_failures
from napari_cellinr.io.zarr.regions import coarsen, complete, read_region, write_region
from napari_cellinr.runs.scale.changes import (
    check_before,
    check_finished,
    digest_of_part,
    stamp_of,
)
from napari_cellinr.runs.scale.executors import DEVICE
from napari_cellinr.runs.scale.methods import method_in_parts
from napari_cellinr.runs.scale.seams import blended, keep_bands
from napari_cellinr.runs.scale.source import (
    digest,
    frame_shape,
    has_damage,
    is_same,
    only_value,
    read_part,
    recording,
    with_time,
)
from napari_cellinr.runs.scale.state import State
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part, Plan
    from napari_cellinr.runs.scale.source import Source

__all__ = ["check_worker", "compute", "finish_plan", "part_job"]

POLL: Final = 1.0
"""Seconds between two looks whether the run was stopped."""

_checked: dict[str, str] = {}
"""Stamp of each recording that this process has checked, by plan."""


def compute(plan: Plan, number: int) -> None:
    """Compute and write one part, unless it is finished; it ends early if the run is stopped.

    Parameters
    ----------
    plan
        The plan.
    number
        Number of the part, from 0; those that make coarser levels follow the others.

    Raises
    ------
    CellINRError
        If the part cannot be computed or written.
    """
    state, looked = State(plan), time.monotonic()
    with closing(part_job(plan, number, Monitor())) as job:
        for _ in job:
            if time.monotonic() - looked > POLL:
                looked = time.monotonic()
                if state.is_stopped:
                    raise FitError(f"part {number} was stopped before its end.")


def part_job(
    plan: Plan, number: int, monitor: Monitor, image: Image | None = None
) -> Generator[Progress, Message, None]:
    """Compute and write one part, unless it is finished: yield `Progress`.

    Parameters
    ----------
    plan, number
        As for `compute`.
    monitor
        Of the part.
    image
        The recording, if it is in no file.

    Raises
    ------
    ConfigError
        If the plan has no part of this number, or a part that this one needs is missing.
    FileError
        If the recording is not that of the plan, or the result cannot be written.
    """
    if not 0 <= number < plan.n_parts:
        raise ConfigError(
            f"part {number} was given; the plan has {n_of(plan.n_parts, 'part')}, counted from 0."
        )
    state = State(plan)
    state.begin()
    if state.is_done(number):
        return
    if number >= len(plan.parts):
        yield from _make_coarser(plan, number, state, monitor, image)
    else:
        try:
            yield from _fit(plan, number, state, monitor, image)
        except CellINRError as error:
            raise type(error)(f"part {number}: {error}") from error


def check_worker(plan: Plan, image: Image | None = None) -> str:
    """Return why this process cannot compute parts of a plan; an empty text if it can.

    Parameters
    ----------
    plan
        The plan.
    image
        The recording, if it is in no file.
    """
    where = f"the worker on {platform.node()}"
    if plan.version != __version__:
        return (
            f"{where} has napari-cellinr {__version__}, the plan was made with {plan.version}; "
            "install the same version on all workers."
        )
    try:
        found = recording(plan.source)[1] if image is None else digest(image.canonical())
    except (CellINRError, OSError) as error:
        return f"{where} cannot read the recording ({str(error).rstrip('.')})."
    if not is_same(found, plan.digest):
        return f"{where} reads another recording as {plan.source.path} than that of the plan."
    return ""


def _fit(
    plan: Plan, number: int, state: State, monitor: Monitor, given: Image | None
) -> Generator[Progress, Message, None]:
    """Compute a part, and write it."""
    part, identity, method = plan.parts[number], plan.identity(), method_in_parts(plan.action)
    is_damaged = has_damage(plan.digest)
    image = with_time(
        plan.source.image(is_damaged=is_damaged) if given is None else given.canonical()
    )
    stamp = stamp_of(plan.source, image, None)
    if _checked.get(identity) != stamp:
        if wrong := check_worker(plan, given):
            raise FileError(wrong)
        _checked[identity] = stamp
    texts = yield from check_before(plan, state, image, stamp, monitor)
    again = None if is_damaged or given is not None else plan.source
    reading = partial(_read, image, part, method.frames(plan, part), again)
    found = yield from in_background("reading", reading, monitor, needed=True)
    assert found is not None
    block, values_read = found
    device = os.environ.get(DEVICE, "")
    here = plan.of_parts
    if device:
        here = replace(here, settings={**here.settings, "device": device})
    fitted, level = None, None
    try:
        with explained_failures():
            fitted = yield from method.job(block, here, part, monitor)
    except DataError:
        if (level := only_value(block)) is None:
            raise
    if monitor.stopped or (fitted is not None and fitted.stopped == "user"):
        raise FitError("it was stopped before its end.")
    if _is_too_late(state, number):
        return
    result = plan.image
    for role, place in zip(plan.outputs, plan.places, strict=True):
        if fitted is None:
            assert level is not None
            values = _of_nothing(part, role, level, plan.config)
        elif role not in fitted.roles:
            raise ConfigError(f"this result has no {role}; leave the option for it out.")
        else:
            values = _values(part, fitted.image(role))
        write_region(place, _where(result, part), _own(result, part, values))
        if part.is_tile:
            keep_bands(state.bands(number, role), part, values, frame_shape(result))
    report = {} if fitted is None else fitted.report
    facts = {
        "seconds": monitor.seconds,
        "held_out": report.get("held_out"),
        "warnings": [*texts, *report.get("warnings", ())],
        "computer": platform.node(),
        "read": values_read,
        "stamp": stamp,
        "time": time.time(),
    }
    state.note(number, facts)


def _is_too_late(state: State, number: int) -> bool:
    """Return whether another worker has finished the part meanwhile, as this one seemed to hang.

    The tile may be blended with its neighbours by now; the values that were computed here are not.
    """
    if not state.is_begun:
        raise FileError(f"the run of part {number} has ended meanwhile, or was begun anew.")
    return state.is_done(number)


def _read(image: Image, part: Part, numbers: list[int], again: Source | None) -> tuple[Image, str]:
    """Return what a part reads, and its digest; damage may be in a chunk that it does not need."""
    try:
        block = read_part(image, part, numbers)
    except FileError:
        if again is None:
            raise
        block = read_part(with_time(again.image(is_damaged=True)), part, numbers)
    return block, digest_of_part(block)


def _of_nothing(part: Part, role: str, level: float, config: Config) -> NDArray[np.float32]:
    """Return the result where all values are the same, such as 0 beside a stitched recording."""
    is_background = getattr(config, "background", "keep") == "subtract"
    keeps = {"result": not is_background, "background": True, "kept": True}
    space = [end - first for first, end in part.wide]
    shape = (part.frames[1] - part.frames[0], *space)
    return np.full(shape, level if keeps.get(role, False) else 0, np.float32)


def _where(result: Image, part: Part) -> list[slice]:
    """Return where a part lies in the result."""
    space = dict(zip("ZYX"[-len(part.own) :], part.own, strict=True))
    ranges = {"T": part.frames, "C": (part.channel, part.channel + 1), **space}
    return [slice(*ranges[axis]) for axis in result.axes]


def _values(part: Part, found: Image) -> NDArray[np.float32]:
    """Return the frames of a part of what it has computed, axes T, [Z,] Y, X."""
    values = np.asarray(found.array(), np.float32)
    first = part.frames[0] - part.near[0]
    n_frames = part.frames[1] - part.frames[0]
    if len(values) > n_frames:  # frames around the block were computed, too
        values = values[first : first + n_frames]
    return values.reshape(n_frames, *(end - first for first, end in part.wide))


def _own(result: Image, part: Part, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what a part writes of the frames that it has computed, with the axes of the result."""
    inner = tuple(
        slice(own[0] - wide[0], own[1] - wide[0])
        for own, wide in zip(part.own, part.wide, strict=True)
    )
    values = values[(slice(None), *inner)]
    shape = [one.stop - one.start for one in _where(result, part)]
    return np.ascontiguousarray(values.reshape(shape))


def _make_coarser(
    plan: Plan, number: int, state: State, monitor: Monitor, given: Image | None
) -> Generator[Progress, Message, None]:
    """Make the coarser levels of some frames, whose parts must be finished."""
    frames, result = plan.coarse_frames(number), plan.image
    leading = [axis for axis in result.axes if axis in "TC"]
    needed = state.parts_of([dict(zip(leading, one, strict=True)) for one in frames])
    if missing := [one for one in needed if not state.is_done(one)]:
        raise ConfigError(
            f"part {number} makes coarser levels of what part {missing[0]} computes, which is not "
            "finished; run that first."
        )
    held = None if given is None else with_time(given.canonical())
    yield from check_finished(plan, state, held, needed, monitor)
    windows: dict[str, dict[int, tuple[float, float]]] = {}
    for role, place in zip(plan.outputs, plan.places, strict=True):
        found: dict[int, tuple[float, float]] = {}
        for done, index in enumerate(frames):
            yield from monitor.report("making coarser levels", done, len(frames))
            _blend(plan, state, role, place, dict(zip(leading, index, strict=True)))
            low, high = coarsen(place, result.axes, index)
            channel = dict(zip(leading, index, strict=True)).get("C", 0)
            before = found.get(channel, (low, high))
            found[channel] = min(low, before[0]), max(high, before[1])
        windows[role] = found
    state.note(number, {"seconds": monitor.seconds, "windows": windows, "warnings": []})


def _blend(plan: Plan, state: State, role: str, place: Path, index: Mapping[str, int]) -> None:
    """Blend the tiles of one frame of a result."""
    channel, frame = index.get("C", 0), index.get("T", 0)
    tiles = [
        (part, state.bands(number, role))
        for number, part in enumerate(plan.parts)
        if part.channel == channel and part.frames[0] <= frame < part.frames[1] and part.is_tile
    ]
    for part, own in tiles:
        where = _where(plan.image, replace(part, frames=(frame, frame + 1)))
        values = read_region(place, where)
        others = [tile for tile in tiles if tile[0] is not part]
        space = values.reshape([end - first for first, end in part.own])
        found = blended(space, part, own, others, frame, frame_shape(plan.image))
        write_region(place, where, found.reshape(values.shape))


def finish_plan(plan: Plan) -> None:
    """Write the metadata of the results, whose parts are all finished, and delete the notes."""
    state = State(plan)
    notes = state.notes()
    if len(notes) < plan.n_parts:  # another process has just done so
        return
    for role, place in zip(plan.outputs, plan.places, strict=True):
        windows = []
        for channel in range(plan.image.sizes.get("C", 1)):
            own = [
                note["windows"][role][str(channel)]
                for note in notes.values()
                if str(channel) in note.get("windows", {}).get(role, {})
            ]
            windows.append((min(one[0] for one in own), max(one[1] for one in own)))
        complete(place, plan.image, windows)
    state.forget()
