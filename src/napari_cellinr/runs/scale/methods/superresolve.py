"""Super-resolution in time in parts: blocks of frames with those that their motion is fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.config import CellINRConfig, SpatimeConfig
from napari_cellinr.errors import DataError
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.cellinr.costs import cost as cost_of_denoising
from napari_cellinr.methods.cellinr.initial.estimate import SHARED
from napari_cellinr.methods.spatime.between.damaged import looked_at
from napari_cellinr.methods.spatime.between.noise import AddedNoise
from napari_cellinr.methods.spatime.chosen import GREY_LEVELS, LEAST_SPAN, Chosen, shows_something
from napari_cellinr.methods.spatime.costs import cost
from napari_cellinr.methods.spatime.job import Within, superresolve_job
from napari_cellinr.methods.spatime.output_grid import (
    MOST_PLACES,
    MOTION_BYTES,
    PROGRAM_BYTES,
    output_grid,
)
from napari_cellinr.methods.spatime.stages import is_between
from napari_cellinr.runs.scale.layout import Needs, blocks, boxes, of_recording
from napari_cellinr.runs.scale.methods import MethodInParts
from napari_cellinr.runs.scale.methods.denoise import (
    FRAME_BYTES,
    REACH,
    STEP,
    denoise_block,
    frames_read,
)
from napari_cellinr.runs.scale.methods.measured import measured, typical, windows
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["METHOD"]

NEAR: Final = 3
"""Frames before and after a block to which the motion of its outer intervals, and of those beside
them, is fitted."""

MOST_FRAMES: Final = 32
"""Frames of a block: enough to test motion on held-out frames."""

MARGIN: Final = 32
"""Voxels around a tile from which material may move into it, and by which filters are spoiled."""

REMOVAL: Final = "Removal of noise"
"""What sentences about denoising begin with."""

BYTES: Final = (48.0, 60.0)
"""Memory in bytes per voxel of each frame of a block, with what lies between, and of one frame."""


class SuperresolutionInParts(MethodInParts):
    """Super-resolution in time: blocks of frames with those that their motion is fitted to."""

    def measured(
        self, image: Image, config: SpatimeConfig
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return what the parts share, and sentences about it.

        These are the times of the result in frames of the recording, and what held-out frames
        choose; and if noise is to be added, what frames between frames lack; or if it is to be
        removed, what denoising measures.
        """
        times = [float(place) for place in _times(image, config)]
        n_channels = image.sizes.get("C", 1)
        common = {"settings": {}, "times": times, "n_frames": image.sizes["T"]}
        shared: list[dict[str, Any]] = [dict(common) for _ in range(n_channels)]
        texts: list[str] = []
        if config.noise == "remove":
            found, texts = measured(image, _denoising(config))
            for facts, own in zip(shared, found, strict=True):
                facts["denoising"] = own
        between = sorted({int(t) for t in times if is_between(t)})
        for number, facts in enumerate(shared if between else ()):
            channel = image.take("C", number) if "C" in image.axes else image
            facts |= _shared_by_parts(channel, config, between)
        return shared, [f"{REMOVAL}: {text}" for text in texts]

    def layout(
        self, image: Image, config: SpatimeConfig, channels: list[dict[str, Any]], memory: float
    ) -> tuple[list[Part], float]:
        """Return the parts, and the memory that one of them needs in bytes."""
        new = max(1.0, len(_times(image, config)) / image.sizes["T"])
        n_axes = len(frame_shape(image))
        needs = Needs(
            base=PROGRAM_BYTES + MOTION_BYTES * MOST_PLACES,
            per_frame=BYTES[0] * (1 + new) / 2,
            per_voxel=BYTES[1],
            most_frames=MOST_FRAMES,
            shared=NEAR,
            margins=(MARGIN,) * n_axes,
            steps=(1,) * n_axes,
        )
        if config.noise == "remove":
            needs = replace(
                needs,
                per_voxel=max(BYTES[1], FRAME_BYTES[1]),
                shared=NEAR + SHARED,
                others=2,
                margins=(MARGIN + REACH[0],) * n_axes,
                steps=(STEP,) * n_axes,
            )
        parts, largest = boxes(image, needs, memory)
        times, n_frames = _times(image, config), image.sizes["T"]
        length = parts[0].frames[1] - parts[0].frames[0]
        tiles = list(dict.fromkeys((part.own, part.wide) for part in parts))
        found = []
        for channel in range(image.sizes.get("C", 1)):
            for first, end in _intervals(n_frames, length):
                last = end < n_frames
                inside = [n for n, t in enumerate(times) if first <= t and (t < end or not last)]
                if not inside:
                    continue
                near = max(0, first - NEAR), min(n_frames, end + 1 + NEAR)
                frames = inside[0], inside[-1] + 1
                found += [Part(channel, frames, near, own, wide) for own, wide in tiles]
        return found, largest

    def frames(self, plan: Plan, part: Part) -> list[int]:
        """Return the frames that a part reads: its own, and those that motion is fitted to.

        If noise is removed first, also those that are denoised together with them.
        """
        facts, config = plan.channels[part.channel], _config(plan)
        if config.noise != "remove":
            return list(range(*part.near))
        n_frames = facts["n_frames"]
        return frames_read(
            _denoising(config), facts["denoising"], n_frames, _denoised(part, n_frames)
        )

    def seconds(self, block: Image, plan: Plan, part: Part) -> float:
        """Return the estimated seconds of a part, and of removing its noise first."""
        facts, config = plan.channels[part.channel], _config(plan)
        first = 0.0
        if config.noise == "remove":
            first = cost_of_denoising(block, _denoising(config)).seconds
            config = config.replace(noise="keep")
        series = block.crop(T=(0, part.near[1] - part.near[0]))
        found = cost(series, _own(config, series, _places(facts, part)))
        return first if found is None else first + found.seconds

    def job(
        self, block: Image, plan: Plan, part: Part, monitor: Monitor
    ) -> Generator[Progress, Message, Fitted]:
        """Super-resolve a part: yield `Progress`, return the result of its own frames."""
        facts, config = plan.channels[part.channel], _config(plan)
        series, within, texts = comparable(block)[0], Within(), list[str]()
        if config.noise == "remove":
            numbers = self.frames(plan, part)
            with monitor.part("removing noise", previews=False):
                cleaned = yield from denoise_block(
                    block, _denoising(config), facts["denoising"], numbers,
                    _denoised(part, facts["n_frames"]), monitor,
                )  # fmt: skip
            if cleaned.stopped == "user":
                return cleaned
            first = numbers.index(part.near[0])
            series = series.crop(T=slice(first, first + part.near[1] - part.near[0]))
            known = facts["denoising"]["settings"]
            noise = Noise(*(known[name] for name in ("gain", "read_noise", "offset", "grain")))
            shown = series.like(cleaned.images[0].array())
            within = Within(denoised=shown, removed=noise)
            found = of_recording(cleaned.report["warnings"], part.near, facts["n_frames"])
            texts = [f"{REMOVAL}: {text}" for text in found]
        elif config.noise == "match" and "lacking" in facts:
            within = Within(_added(facts, part))
            if within.noise is None:  # there is none that can be seen
                config = config.replace(noise="keep")
        if (chosen := facts.get("chosen")) is not None:
            corner = tuple(first for first, _ in part.wide)
            within = replace(within, chosen=replace(Chosen.restored(chosen), corner=corner))
        own = _own(config, series, _places(facts, part))
        fitted = yield from superresolve_job(series, own, monitor, within=within)
        texts += of_recording(fitted.report["warnings"], part.near, facts["n_frames"])
        return replace(fitted, report={**fitted.report, "warnings": texts})


METHOD: Final = SuperresolutionInParts()


def _intervals(n_frames: int, length: int) -> list[tuple[int, int]]:
    """Return blocks of frames; the last frame alone, behind which nothing is made, is none."""
    found = blocks(n_frames, length)
    if len(found) > 1 and found[-1][1] - found[-1][0] == 1:
        found[-2:] = [(found[-2][0], n_frames)]
    return found


def _denoising(config: SpatimeConfig) -> CellINRConfig:
    """Return the settings with which noise is removed first."""
    return CellINRConfig(background="keep", device=config.device, seed=config.seed)


def _shared_by_parts(
    image: Image, config: SpatimeConfig, between: Sequence[int]
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
    """
    if config.noise != "match" and config.motion != "auto":
        return {}
    typical_part = _TypicalPart.of(image, between[len(between) // 2])
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
        own = _own(config, self.block, [n + 0.5 - self.first for n in sorted(intervals)])
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
    if not shows_something(frame) or found.span <= LEAST_SPAN or found.contrast <= 0:
        return None
    low, high = np.percentile(frame, GREY_LEVELS)
    others = [
        np.percentile(np.asarray(window.array(), np.float32), GREY_LEVELS)
        for window in windows(_frame(image, part.interval))
    ]
    below = max(0.0, *(float(low - one[0]) for one in others))
    above = max(0.0, *(float(one[1] - high) for one in others))
    found = found.widened(
        below if np.isfinite(below) else 0.0, above if np.isfinite(above) else 0.0
    )
    return replace(found, shape=frame_shape(image)).settings


def _added(facts: Mapping[str, Any], part: Part) -> AddedNoise | None:
    """Return the noise that a part adds to the frames that it makes."""
    if (found := facts.get("lacking")) is None:
        return None
    corner = tuple(first for first, _ in part.wide)
    return replace(AddedNoise.restored(found), corner=corner, first=part.near[0])


def _places(facts: Mapping[str, Any], part: Part) -> list[float]:
    """Return the times that a part makes, in the frames that it is fitted to."""
    return [place - part.near[0] for place in facts["times"][slice(*part.frames)]]


def _config(plan: Plan) -> SpatimeConfig:
    config = plan.config
    assert isinstance(config, SpatimeConfig)
    return config


def _denoised(part: Part, n_frames: int) -> Part:
    """Return the part that denoises what a part super-resolves."""
    near = max(0, part.near[0] - SHARED), min(n_frames, part.near[1] + SHARED)
    return replace(part, frames=part.near, near=near)


def _own(config: SpatimeConfig, block: Image, places: Sequence[float]) -> SpatimeConfig:
    """Return the settings for some times of a block, in frames of it."""
    times = tuple(place * block.steps["T"] for place in places)
    return config.replace(scale={}, target_voxel={}, isotropic=False, stamps=(), times=times)


def _times(image: Image, config: SpatimeConfig) -> Any:
    """Return the position of each frame of the result in frames of the recording."""
    grid: OutputGrid = output_grid(image, config)
    assert grid.times is not None
    return grid.times
