"""What super-resolution in parts finds once: a fit of the part with the most contrast of nine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.errors import DataError, FileError
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.spatime.between.damaged import looked_at
from napari_cellinr.methods.spatime.chosen import (
    GREY_LEVELS,
    LEAST_SPAN,
    Chosen,
    shows_something,
    variance_of,
)
from napari_cellinr.methods.spatime.job import superresolve_job
from napari_cellinr.runs.scale.methods.measured import typical, windows
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image

__all__ = ["NEAR", "own_settings", "shared_by_parts"]

MOST_TRIES: Final = 16
"""Places that are tried if others cannot be read."""

NEAR = 3
"""Frames before and after a block to which the motion of its outer intervals, and of those beside
them, is fitted."""


def shared_by_parts(
    image: Image, config: SpatimeConfig, between: Sequence[int], damage: list[str]
) -> dict[str, dict[str, Any] | None]:
    """Return what one fit in a typical part finds for all parts, as far as the settings need it.

    `lacking` is the noise that frames between frames lack, None if none is seen; `chosen` is what
    held-out frames choose, None if they cannot. Without an entry, parts find it by themselves.

    Parameters
    ----------
    image
        A channel of the recording, with axis T.
    config
        The settings.
    between
        Numbers of the frames behind which frames are made.
    damage
        Gets what is wrong where the recording cannot be read; another place is taken then.
    """
    if config.noise != "match" and config.motion != "auto":
        return {}
    middle = between[len(between) // 2]
    for interval in sorted(between, key=lambda one: (abs(one - middle), one))[:MOST_TRIES]:
        try:
            return _shared_at(image, config, between, interval)
        except FileError as error:
            damage.append(str(error))
    return {}


def _shared_at(
    image: Image, config: SpatimeConfig, between: Sequence[int], interval: int
) -> dict[str, dict[str, Any] | None]:
    """Return what one fit around an interval finds for all parts."""
    typical_part = _TypicalPart.of(image, interval)
    try:
        fitted = typical_part.fitted(config, between[0])
    except DataError:  # nothing is seen there, or it is not finite
        if config.noise == "match":
            raise
        return {"chosen": None}
    if fitted.stopped == "time":
        return {}
    found: dict[str, dict[str, Any] | None] = {}
    if config.noise == "match":
        found["lacking"] = _lacking(fitted, typical_part, image)
    if config.motion == "auto":
        found["chosen"] = _chosen(fitted, typical_part, image)
    return found


@dataclass(frozen=True)
class _TypicalPart:
    """Where a frame of a channel has the most contrast, in the frames around it.

    Parameters
    ----------
    interval
        Number of the frame.
    ranges
        The part along each spatial axis.
    block
        The part, in memory.
    first
        Number of its first frame.
    """

    interval: int
    ranges: dict[str, slice]
    block: Image
    first: int

    @classmethod
    def of(cls, image: Image, interval: int) -> _TypicalPart:
        """Return the typical part of a channel around an interval."""
        near = max(0, interval - NEAR), min(image.sizes["T"], interval + 2 + NEAR)
        part, ranges = typical(_frame(image, interval)), {}
        for axis, start, step in zip(part.axes, part.translate, part.scale, strict=True):
            first = round(start / step)
            ranges[axis] = slice(first, first + part.sizes[axis])
        block = comparable(image.crop(T=slice(*near), **ranges))[0]
        return cls(interval, ranges, block.like(block.array()), near[0])

    @property
    def frame(self) -> NDArray[np.float32]:
        """The part of the frame itself, as it was recorded."""
        return np.asarray(self.block.take("T", self.interval - self.first).array(), np.float32)

    def fitted(self, config: SpatimeConfig, earlier: int) -> Fitted:
        """Return the fit of the frame in the middle of the interval.

        What it lacks in noise is measured in the first frame that is made; so an earlier interval
        is fitted, too, if it is in the block, as in a fit of the whole.
        """
        intervals = {self.interval}
        if config.noise == "match" and earlier >= self.first:
            intervals.add(earlier)
        own = own_settings(config, self.block, [n + 0.5 - self.first for n in sorted(intervals)])
        found: Fitted = finish(superresolve_job(self.block, own, Monitor()))
        return found


def _frame(image: Image, number: int) -> Image:
    """Return a frame of a channel, whose places are counted from its first voxel."""
    frame = image.take("T", number)
    return frame.like(frame.data, translate=(0.0,) * len(frame.axes))


def _lacking(fitted: Fitted, part: _TypicalPart, image: Image) -> dict[str, Any] | None:
    """Return the noise that frames between frames lack, as in the whole; None if none is seen.

    How much is kept is measured in the fit of a typical part, and noise in the frame in the middle
    of the recording.
    """
    found: dict[str, Any] | None = fitted.model["channels"][0]["noise"]
    if found is None:
        return None
    n_frames = image.sizes["T"]
    for number in sorted(range(n_frames), key=lambda n: (abs(n - n_frames // 2), n)):
        frame = np.asarray(image.take("T", number).crop(**part.ranges).array(), np.float32)
        if frame.min() < frame.max():  # not blank
            return {**found, "noise": vars(estimate_noise(frame))}
    return None


def _chosen(fitted: Fitted, part: _TypicalPart, image: Image) -> dict[str, Any] | None:
    """Return what held-out frames of a typical part choose; None if nothing but noise is there.

    The range of grey levels is that of all windows in which a typical part was looked for.
    """
    frame = part.frame
    block = np.asarray(part.block.array(), np.float32)
    found = Chosen.of_fit(fitted, looked_at(block).faulty)
    if not shows_something(frame) or found.span <= LEAST_SPAN or min(found.contrasts) <= 0:
        return None
    frames = list(windows(_frame(image, part.interval)))
    low, high = np.percentile(frame, GREY_LEVELS)
    others = [np.percentile(np.asarray(one.array(), np.float32), GREY_LEVELS) for one in frames]
    below = max(0.0, *(float(low - one[0]) for one in others))
    above = max(0.0, *(float(one[1] - high) for one in others))
    found = found.widened(
        below if np.isfinite(below) else 0.0, above if np.isfinite(above) else 0.0
    )
    if len(frames) > 1:  # a typical part has the most contrast: all have less
        after = list(windows(_frame(image, min(part.interval + 1, image.sizes["T"] - 1))))
        found = found.of_whole(*_in_those_of(part, frames, after))
    return replace(found, shape=frame_shape(image)).settings


def _in_those_of(
    part: _TypicalPart, frames: Sequence[Image], after: Sequence[Image]
) -> tuple[float, float, float]:
    """Return contrast, variance of the noise and squared change of windows in those of a part.

    Parameters
    ----------
    part
        The typical part.
    frames, after
        The windows in its interval, and in the frame after it.
    """
    earlier, later = (
        [np.asarray(one.array(), np.float32) for one in some] for some in (frames, after)
    )
    own = part.frame
    noise = estimate_noise(own)
    place = part.interval - part.first
    own_later = np.asarray(
        part.block.take("T", min(place + 1, part.block.sizes["T"] - 1)).array(), np.float32
    )

    def facts(
        some: Sequence[NDArray[np.float32]], others: Sequence[NDArray[np.float32]]
    ) -> tuple[float, float, float]:
        values = np.concatenate([one.ravel() for one in some])
        variance = float(np.mean([variance_of(noise, one) for one in some]))
        changes = [np.mean((b - a) ** 2) for a, b in zip(some, others, strict=True)]
        return float(values.std()), variance, float(np.mean(changes))

    pairs = zip(facts(earlier, later), facts([own], [own_later]), strict=True)
    contrast, variance, change = (
        a / b if b > 0 and np.isfinite(a / b) and a > 0 else 1.0 for a, b in pairs
    )
    return contrast, variance, change


def own_settings(config: SpatimeConfig, block: Image, places: Sequence[float]) -> SpatimeConfig:
    """Return the settings for some times of a block.

    Parameters
    ----------
    config
        The settings.
    block
        Frames of the recording.
    places
        The times, in frames of the block.
    """
    tick, n_frames = block.steps["T"], block.sizes["T"]
    times = tuple(place * tick for place in places)
    stamps = tuple(tick * n for n in range(n_frames))  # also where frames are missing
    return config.replace(scale={}, target_voxel={}, isotropic=False, stamps=stamps, times=times)
