"""Super-resolution in time in parts: blocks of frames with those that their motion is fitted to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.config import CellINRConfig, SpatimeConfig
from napari_cellinr.fitting.comparable import comparable
from napari_cellinr.methods.cellinr.costs import cost as cost_of_denoising
from napari_cellinr.methods.cellinr.initial.estimate import SHARED
from napari_cellinr.methods.spatime.between.noise import AddedNoise
from napari_cellinr.methods.spatime.chosen import Chosen
from napari_cellinr.methods.spatime.costs import (
    MOST_PLACES,
    MOTION_BYTES,
    PROGRAM_BYTES,
    cost,
)
from napari_cellinr.methods.spatime.job import Within, superresolve_job
from napari_cellinr.methods.spatime.output_grid import (
    output_grid,
    places_in_time,
    spacing_warnings,
    with_true_times,
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
from napari_cellinr.runs.scale.methods.measured import damage_text, measured
from napari_cellinr.runs.scale.methods.typical import NEAR, own_settings, shared_by_parts
from napari_cellinr.runs.scale.plan import Part
from napari_cellinr.runs.scale.source import frame_shape

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Fitted, Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.output_grid import OutputGrid
    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["METHOD"]

MOST_FRAMES: Final = 32
"""Frames of a block: enough to test motion on held-out frames."""

MARGIN: Final = {2: 64, 3: 32}
"""Pixels or voxels around a tile from which material may move into it, and by which filters and
optical flow are spoiled; fewer of volumes, of which a margin has more."""

REMOVAL: Final = "Removal of noise"
"""What sentences about denoising begin with."""

BYTES: Final = (18.0, 120.0)
"""Memory in bytes per voxel of each frame of a block, with what lies between, and of one frame:
measured with tiles of 66 000 to 390 000 voxels and 15 to 36 frames, 0 to 10 % more than needed."""


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
        if places := places_in_time(image, config):
            common["places"] = list(places)
        shared: list[dict[str, Any]] = [dict(common) for _ in range(n_channels)]
        texts, damage = list[str](), list[str]()
        if config.noise == "remove":
            found, texts = measured(image, _denoising(config))
            for facts, own in zip(shared, found, strict=True):
                facts["denoising"] = own
        between = sorted({int(t) for t in times if is_between(t)})
        for number, facts in enumerate(shared if between else ()):
            channel = image.take("C", number) if "C" in image.axes else image
            facts |= shared_by_parts(channel, config, between, damage)
        config = with_true_times(image, config)
        spacing = spacing_warnings(config, image.units[image.axes.index("T")])
        return shared, [*spacing, *damage_text(damage), *(f"{REMOVAL}: {text}" for text in texts)]

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
            margins=(MARGIN[n_axes],) * n_axes,
            steps=(1,) * n_axes,
        )
        if config.noise == "remove":
            needs = replace(
                needs,
                per_voxel=max(BYTES[1], FRAME_BYTES[1]),
                shared=NEAR + SHARED,
                others=2,
                margins=(MARGIN[n_axes] + REACH[0],) * n_axes,
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
            config = config.replace(noise="auto")
        series = block.crop(T=(0, part.near[1] - part.near[0]))
        found = cost(series, own_settings(config, series, _places(facts, part)))
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
                config = config.replace(noise="auto")
        if (chosen := facts.get("chosen")) is not None:
            corner = tuple(first for first, _ in part.wide)
            within = replace(within, chosen=replace(Chosen.restored(chosen), corner=corner))
        within = replace(within, places=tuple(facts.get("places", ())[slice(*part.near)]))
        own = own_settings(config, series, _places(facts, part))
        fitted = yield from superresolve_job(series, own, monitor, within=within)
        first_row = part.wide[-2][0]
        found = of_recording(fitted.report["warnings"], part.near, facts["n_frames"], first_row)
        texts += found
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


def _times(image: Image, config: SpatimeConfig) -> Any:
    """Return the position of each frame of the result in frames of the recording."""
    grid: OutputGrid = output_grid(image, config)
    assert grid.times is not None
    return grid.times
