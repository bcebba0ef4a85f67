"""Super-resolution in time in parts: blocks of frames with those that their motion is fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.methods.spatime.job import superresolve_job
from napari_cellinr.methods.spatime.output_grid import (
    MOST_PLACES,
    MOTION_BYTES,
    PROGRAM_BYTES,
    output_grid,
)
from napari_cellinr.runs.scale.layout import Needs, blocks, boxes
from napari_cellinr.runs.scale.methods.results import superresolved as result
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["frames", "job", "layout", "measured", "result"]

NEAR: Final = 3
"""Frames before and after a block to which the motion of its outer intervals, and of those beside
them, is fitted."""

MOST_FRAMES: Final = 32
"""Frames of a block: enough to test motion on held-out frames."""

MARGIN: Final = 32
"""Voxels around a tile from which material may move into it, and by which filters are spoiled."""

BYTES: Final = (48.0, 60.0)
"""Memory in bytes per voxel of each frame of a block, with what lies between, and of one frame."""


def measured(image: Image, config: SpatimeConfig) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the parts share: the times of the result, in frames of the recording.

    Parameters
    ----------
    image
        The recording, with axis T.
    config
        The settings.
    """
    times = [float(place) for place in _times(image, config)]
    return [{"settings": {}, "times": times} for _ in range(image.sizes.get("C", 1))], []


def layout(
    image: Image, config: SpatimeConfig, channels: list[dict[str, Any]], memory: float
) -> tuple[list[Part], float]:
    """Return the parts, and the memory that one of them needs in bytes.

    Parameters
    ----------
    image
        The recording, with axis T.
    config
        The settings.
    channels
        From `measured`.
    memory
        Bytes for one part.
    """
    per_frame, per_voxel = BYTES
    new = max(1.0, len(_times(image, config)) / image.sizes["T"])
    base = PROGRAM_BYTES + MOTION_BYTES * MOST_PLACES
    n_axes = len(frame_shape(image))
    needs = Needs(
        base=base,
        per_frame=per_frame * (1 + new) / 2,
        per_voxel=per_voxel,
        most_frames=MOST_FRAMES,
        shared=NEAR,
        margins=None if config.noise == "match" else (MARGIN,) * n_axes,
        steps=(1,) * n_axes,
    )
    parts, largest = boxes(image, needs, memory)
    times, n_frames = _times(image, config), image.sizes["T"]
    length = parts[0].frames[1] - parts[0].frames[0]
    tiles = list(dict.fromkeys((part.own, part.wide) for part in parts))
    found = []
    for channel in range(image.sizes.get("C", 1)):
        for first, end in blocks(n_frames, length):
            last = end < n_frames
            inside = [n for n, t in enumerate(times) if first <= t and (t < end or not last)]
            if not inside:
                continue
            near = max(0, first - NEAR), min(n_frames, end + 1 + NEAR)
            frames = inside[0], inside[-1] + 1
            found += [Part(channel, frames, near, own, wide) for own, wide in tiles]
    return found, largest


def frames(plan: Plan, part: Part) -> list[int]:
    """Return the frames that a part reads: its own, and those that motion is fitted to.

    Parameters
    ----------
    plan
        The plan.
    part
        The part.
    """
    return list(range(*part.near))


def job(
    block: Image, plan: Plan, part: Part, monitor: Monitor
) -> Generator[Progress, Message, Fitted]:
    """Super-resolve a part: yield `Progress`, return the result of its own frames.

    Parameters
    ----------
    block
        What the part reads, in memory; axes T, [Z,] Y, X.
    plan
        The plan.
    part
        The part.
    monitor
        Of the run.
    """
    config: Any = plan.config
    block = comparable(block)[0]
    places = plan.channels[part.channel]["times"][slice(*part.frames)]
    times = tuple((place - part.near[0]) * block.steps["T"] for place in places)
    own = config.replace(scale={}, target_voxel={}, isotropic=False, stamps=(), times=times)
    return (yield from superresolve_job(block, own, monitor))


def _times(image: Image, config: SpatimeConfig) -> Any:
    """Return the position of each frame of the result in frames of the recording."""
    grid: OutputGrid = output_grid(image, config)
    assert grid.times is not None
    return grid.times
