"""Which stages a channel needs, and how many steps of the job they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.spatime.between.faults import good_neighbours
from napari_cellinr.methods.spatime.between.motion import (
    motion_settings,
    progress_steps,
    rough_settings,
)
from napari_cellinr.methods.spatime.result import times_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.methods.spatime.output_grid import OutputGrid

__all__ = [
    "followed_intervals",
    "held_out_frames",
    "intervals_beside",
    "intervals_of",
    "is_between",
    "needs_motion",
    "needs_pixels",
    "needs_planes",
    "planned_steps",
    "recorded_interval",
    "spread",
]


def planned_steps(
    n_frames: int,
    n_axes: int,
    grid: OutputGrid,
    config: SpatimeConfig,
    *,
    lazily: bool,
    faulty: Sequence[int] = (),
) -> int:
    """Return the number of steps of a channel for motion, finer planes and rendering.

    Parameters
    ----------
    n_frames
        Number of frames of the source.
    n_axes
        Number of its spatial axes: 2 or 3.
    grid
        Where the samples of the result lie.
    config
        The settings.
    lazily
        Whether frames are rendered only when they are read.
    faulty
        Positions of frames that are replaced.
    """
    steps = 0 if lazily else len(times_of(grid))
    rough = progress_steps(rough_settings(config))
    if config.motion != "never":
        ends = [good_neighbours(frame, faulty, n_frames) for frame in faulty]
        steps += rough * sum(first != last for first, last in ends)
    if needs_motion(grid, config):
        each = progress_steps(motion_settings(config, n_axes))
        followed = followed_intervals(grid, config, n_frames)
        steps += each * len(followed)
        if config.motion == "auto":
            tests = len(held_out_frames(n_frames, followed, faulty))
            steps += (rough + 1) * tests + 1
    if config.steps:
        steps += (needs_planes(grid) + needs_pixels(grid)) * (2 * config.steps + 1)
    return steps


def intervals_of(grid: OutputGrid) -> list[int]:
    """Return the intervals in which frames of the result lie."""
    return sorted({int(np.floor(t)) for t in times_of(grid) if is_between(t)})


def followed_intervals(grid: OutputGrid, config: SpatimeConfig, n_frames: int) -> list[int]:
    """Return the intervals whose motion is fitted.

    Those in which frames lie, and those beside them, which tell whether motion goes on: so a frame
    is the same whichever others are requested.

    Parameters
    ----------
    grid
        Where the samples of the result lie.
    config
        The settings.
    n_frames
        Of the source.
    """
    if not needs_motion(grid, config):
        return []
    own = intervals_of(grid)
    if config.motion != "auto":
        return own
    return sorted({i + k for i in own for k in (-1, 0, 1)} & set(range(n_frames - 1)))


def needs_motion(grid: OutputGrid, config: SpatimeConfig) -> bool:
    """Return whether motion has to be fitted.

    Parameters
    ----------
    grid
        Where the samples of the result lie.
    config
        The settings.
    """
    return bool(intervals_of(grid)) and config.motion != "never"


def needs_planes(grid: OutputGrid) -> bool:
    """Return whether the result has finer planes than the source."""
    return "Z" in grid.maps and grid.maps["Z"].step < 0.999


def needs_pixels(grid: OutputGrid) -> bool:
    """Return whether rows or columns of the result are finer than those of the source."""
    steps = [grid.maps[axis].step for axis in "YX" if axis in grid.maps]
    return bool(steps) and min(steps) < 0.999 and max(steps) <= 1


def held_out_frames(
    n_frames: int, intervals: Sequence[int], faulty: Sequence[int] = ()
) -> list[int]:
    """Return the frames that are held out: those at or beside the ends of some intervals.

    Parameters
    ----------
    n_frames
        Of the series.
    intervals
        Numbers of the frames at which they begin.
    faulty
        Frames that were replaced: they are never compared with.
    """
    near = {i + k for i in intervals for k in (-1, 0, 1, 2)}
    return sorted((near & set(range(1, n_frames - 1))) - set(faulty))


def is_between(time: float) -> bool:
    """Return whether a time lies between two frames."""
    return abs(time - round(time)) > 1e-6


def spread(numbers: Sequence[int], most: int) -> set[int]:
    """Return at most so many of some numbers, spread evenly.

    Parameters
    ----------
    numbers
        The numbers, in any order.
    most
        How many to return at most.
    """
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), most)).round().astype(int)
    return {numbers[i] for i in places}


def intervals_beside(when: float, intervals: Sequence[int], *, recorded: bool) -> list[int]:
    """Return the intervals whose motion is needed to render a frame.

    Parameters
    ----------
    when
        Position of the frame in frames.
    intervals
        Those whose motion is fitted.
    recorded
        Whether a recorded frame needs the motion on both sides of it.
    """
    if is_between(when):
        first = int(np.floor(when))
        needed = [first - 1, first, first + 1]
    else:
        needed = [round(when) - 1, round(when)] if recorded else []
    return [interval for interval in needed if interval in intervals]


def recorded_interval(times: Sequence[float], faulty: Collection[int]) -> int:
    """Return the first interval in which frames are made, between two frames as they were recorded.

    If there is none, the first in which frames are made.

    Parameters
    ----------
    times
        Positions of the frames of the result in frames, of which some lie between two.
    faulty
        Positions of the frames that were replaced.
    """
    made = [int(np.floor(when)) for when in times if is_between(when)]
    whole = (n for n in made if n not in faulty and n + 1 not in faulty)
    return next(whole, made[0])
