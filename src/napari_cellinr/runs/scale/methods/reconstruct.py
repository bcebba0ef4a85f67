"""Reconstruction of a time-lapse in parts: blocks of frames, each with a scene and its motion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.methods.nstm.costs import BYTES
from napari_cellinr.methods.nstm.job import reconstruct_job
from napari_cellinr.runs.scale.layout import Needs, boxes
from napari_cellinr.runs.scale.methods import MethodInParts
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.config import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.plan import Part, Plan

__all__ = ["METHOD"]

SHARED: Final = 2
"""Frames that a block shares with the one before and the one after it."""

MOST_FRAMES: Final = 16
"""Frames of a block whose scene moves as one."""

MARGIN: Final = 32
"""Pixels around a tile, from which material may move into it."""

BAND: Final = 24
"""Voxels on each side of an edge in which tiles are blended, if they are at least twice as long.

Motion is smooth over such lengths. Blended over 8 voxels, it changed faster there than elsewhere:
squared steps of the speed were 1.5 times those within tiles; over 16, 1.04 times; over 24, 0.93
times (`docs/benchmarks/scale.md`).
"""


class ReconstructionInParts(MethodInParts):
    """Reconstruction of a time-lapse: blocks of frames, each with a scene and its motion."""

    def measured(self, image: Image, config: NSTMConfig) -> tuple[list[dict[str, Any]], list[str]]:
        """Return what the parts share: the times of the frames, as far as the optics state them."""
        optics: Any = config.optics
        times = None if optics.frame_times is None else list(optics.frame_times)
        if times is not None and len(times) != image.sizes["T"]:
            raise ConfigError(
                f"{n_of(len(times), 'frame time was', 'frame times were')} given for "
                f"{n_of(image.sizes['T'], 'frame')}; one for each is needed."
            )
        return [{"settings": {}, "frame_times": times}], []

    def layout(
        self, image: Image, config: NSTMConfig, channels: list[dict[str, Any]], memory: float
    ) -> tuple[list[Part], float]:
        """Return the parts, and the memory that one of them needs in bytes."""
        base, per_pixel = BYTES
        n_axes = len([axis for axis in image.axes if axis in "ZYX"])
        margins, steps = (MARGIN,) * n_axes, (1,) * n_axes
        needs = Needs(base, per_pixel, 0.0, MOST_FRAMES, SHARED, margins=margins, steps=steps)
        parts, largest = boxes(image, needs, memory)
        inner = (one[1] - one[0] for one in parts[0].own)
        band = min(BAND, *(length // 2 for length in inner))
        return [replace(part, band=band) for part in parts], largest

    def job(
        self, block: Image, plan: Plan, part: Part, monitor: Monitor
    ) -> Generator[Progress, Message, Fitted]:
        """Reconstruct a part: yield `Progress`, return the result of all frames that it reads."""
        config: Any = plan.config
        times, optics = plan.channels[0]["frame_times"], config.optics
        if times is not None:
            some = times[slice(*part.near)]
            optics = optics.model_copy(update={"frame_times": tuple(t - some[0] for t in some)})
        middle = sum(part.frames) // 2 - part.near[0]
        own = config.replace(optics=optics, reference=middle)
        fitted: Fitted = yield from reconstruct_job(comparable(block)[0], own, monitor)
        return fitted


METHOD: Final = ReconstructionInParts()
