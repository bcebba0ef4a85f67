"""Denoising in parts: which parts there are, and how a part is computed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.classic.background import physical_widths
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.methods.cellinr.costs import cost
from napari_cellinr.methods.cellinr.initial.background import NODES_PER_WIDTH, Levels
from napari_cellinr.methods.cellinr.initial.estimate import SHARED, first_shared, frames_at_once
from napari_cellinr.methods.cellinr.initial.series import Within, is_coupled
from napari_cellinr.methods.cellinr.part_job import denoise_part
from napari_cellinr.runs.scale.layout import Needs, boxes, of_recording
from napari_cellinr.runs.scale.methods import MethodInParts
from napari_cellinr.runs.scale.methods.measured import measured, unpacked
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part, Plan

__all__ = ["METHOD", "denoise_block", "frames_read"]

SERIES_BYTES: Final = 60.0
"""Memory in bytes per voxel of every frame that is read, where frames are denoised together."""

FRAME_BYTES: Final = (4.2e8, 190.0)
"""Memory in bytes of the program, and per voxel of a frame that is being denoised."""

REACH: Final = (16, 2.5)
"""Voxels around a tile that its result depends on, and how many more per width of the background.
"""

STEP: Final = 16
"""Voxels of which the corner of what a tile reads is a multiple, as patches are laid out."""


class DenoisingInParts(MethodInParts):
    """Denoising: blocks of frames that are denoised together, and tiles of them."""

    def measured(
        self, image: Image, config: CellINRConfig
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """Return noise, pattern of the camera, structures and background of each channel."""
        return measured(image, config)

    def layout(
        self, image: Image, config: CellINRConfig, channels: list[dict[str, Any]], memory: float
    ) -> tuple[list[Part], float]:
        """Return the parts, and the memory that one of them needs in bytes."""
        shape = frame_shape(image)
        together = is_coupled(config, image.sizes["T"], shape, None)
        base, each = FRAME_BYTES
        width = max((one["settings"].get("background_width") or 0) for one in channels)
        margins, steps = _margins(comparable(image)[0], width)
        needs = Needs(
            base=base,
            per_frame=SERIES_BYTES,
            per_voxel=each,
            most_frames=frames_at_once(math.prod(shape)) if together else 1,
            shared=SHARED if together else 0,
            others=2 if together else 0,
            margins=margins,
            steps=steps,
        )
        return boxes(image, needs, memory)

    def frames(self, plan: Plan, part: Part) -> list[int]:
        """Return its own frames, those around, and the one that gives the kernels."""
        config: Any = plan.config
        return frames_read(config, plan.channels[part.channel], plan.image.sizes.get("T", 1), part)

    def seconds(self, block: Image, plan: Plan, part: Part) -> float:
        """Return the estimated seconds of a part; no network is trained in a tile."""
        config: Any = plan.config
        if part.is_tile and config.has_field:
            config = config.replace(rounds=0)
        return cost(block, config).seconds

    def job(
        self, block: Image, plan: Plan, part: Part, monitor: Monitor
    ) -> Generator[Progress, Message, Fitted]:
        """Yield `Progress`, return the result of its own frames and of all voxels it reads."""
        config: Any = plan.config
        facts, numbers = plan.channels[part.channel], self.frames(plan, part)
        fitted = yield from denoise_block(block, config, facts, numbers, part, monitor)
        n_frames = plan.image.sizes.get("T", 1)
        texts = of_recording(fitted.report["warnings"], part.frames, n_frames)
        return replace(fitted, report={**fitted.report, "warnings": texts})


METHOD: Final = DenoisingInParts()


def _margins(image: Image, width: float) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the voxels around a tile along each axis, and of what its corner is a multiple."""
    scale = [image.steps[axis] for axis in image.axes if axis in "ZYX"]
    least, factor = REACH
    widths = physical_widths(width, scale) if width else (1,) * len(scale)
    margins = tuple(
        math.ceil(max(least, least + factor * width * scale[-1] / step)) for step in scale
    )
    return margins, tuple(math.lcm(STEP, max(1, wide // NODES_PER_WIDTH)) for wide in widths)


def frames_read(
    config: CellINRConfig, facts: Mapping[str, Any], n_frames: int, part: Part
) -> list[int]:
    """Return the frames that are read to denoise those of a part.

    Parameters
    ----------
    config
        The settings.
    facts
        What was measured in the channel.
    n_frames
        Of the recording.
    part
        The part.
    """
    first = facts["first"]
    shape = tuple(end - low for low, end in part.wide)
    if not is_coupled(config, n_frames, shape, None):
        return list(range(*part.near))
    numbers = range(min(part.near[0], first_shared(part.frames[0])), part.near[1])
    if part.frames[0] < first:  # blank frames before the first one that shows something
        return list(range(part.frames[0], max(part.near[1], first + 1)))
    return [first, *(number for number in numbers if number > first)]


def denoise_block(
    block: Image,
    config: CellINRConfig,
    facts: Mapping[str, Any],
    numbers: Sequence[int],
    part: Part,
    monitor: Monitor,
) -> Generator[Progress, Message, Fitted]:
    """Denoise the frames of a part with what was measured in the whole recording.

    Parameters
    ----------
    block
        What is read for it, in memory; axes T, [Z,] Y, X.
    config
        The settings.
    facts
        What was measured in the channel.
    numbers
        Of the frames of the block.
    part
        The part.
    monitor
        Of the run.
    """
    config = config.replace(**facts["settings"])
    series = comparable(block)[0]
    if facts["offsets"] is not None:
        rows, columns = (slice(*one) for one in part.wide[-2:])
        series = series.like(
            np.asarray(series.array(), np.float32) - unpacked(facts["offsets"])[rows, columns]
        )
    levels = _levels(facts) if part.is_tile else None
    corner = tuple(one[0] for one in part.wide)
    sd = float(facts["offset_sd"])
    hot = _hot_pixels(facts, part)
    within = Within(tuple(numbers), range(*part.frames), corner, levels, sd, hot)
    if part.is_tile:
        shape = tuple(facts["shape"])
        within = replace(within, shape=shape, trust=facts.get("trust"))
    return (yield from denoise_part(series, config, monitor, within))


def _hot_pixels(facts: Mapping[str, Any], part: Part) -> NDArray[np.bool_] | None:
    """Return the clusters of hot pixels in a part, axes Y X; None if the plan has not looked."""
    if "hot" not in facts:
        return None
    rows, columns = part.wide[-2:]
    mask = np.zeros((rows[1] - rows[0], columns[1] - columns[0]), bool)
    for row, column in facts["hot"]:
        if rows[0] <= row < rows[1] and columns[0] <= column < columns[1]:
            mask[row - rows[0], column - columns[0]] = True
    return mask


def _levels(facts: Mapping[str, Any]) -> Levels | None:
    """Return the levels of the background that a plan holds."""
    found = facts.get("levels")
    if found is None:
        return None
    rounds = tuple((float(a), float(b)) for a, b in found["rounds"])
    return Levels(bool(found["dim"]), rounds, float(found["left"]))
