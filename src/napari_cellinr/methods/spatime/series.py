"""A series and what was fitted to it: any time and grid is rendered without another fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.fields.trajectory import positions
from napari_cellinr.methods.spatime.between.along import Moments, coefficients, lagrange, warped
from napari_cellinr.methods.spatime.between.blending import (
    FULL,
    BlendWeights,
    Predictions,
    blended,
)
from napari_cellinr.methods.spatime.between.flow import FLOWS, USUAL
from napari_cellinr.methods.spatime.between.noise import AddedNoise, smoothed
from napari_cellinr.methods.spatime.between.trust import GROWTH, Trust, is_earlier, steadied
from napari_cellinr.methods.spatime.between.window import SPACING, Window
from napari_cellinr.methods.spatime.finer.regions import around, changes, shifted, within
from napari_cellinr.methods.spatime.finer.sections import (
    MEANS,
    consistent_pixels,
    name_of,
    sections_of,
)
from napari_cellinr.methods.spatime.model import MotionModel, PixelModel, PlaneModel
from napari_cellinr.methods.spatime.restored import checked_aspect, checked_noise, loaded, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.methods.spatime.finer.sections import Sections

    Floats = NDArray[np.float32]

__all__ = ["Series"]

_CPU = torch.device("cpu")
_DENOISED = np.float32(0.5)  # of the weight of frames beyond an interval, which leaves more errors


@dataclass(eq=False)
class Series:
    """One channel of a series and what was fitted to it.

    Parameters
    ----------
    frames
        Grey levels, (T, *shape), float32, two or three spatial axes.
    axes
        Letters of the spatial axes.
    aspect
        Voxel size in the plane divided by that along each spatial axis.
    motion
        Motion of each interval by its number; other intervals are blended in place.
    weights
        How a frame between frames is blended.
    trust
        The same place by place, for intervals beside which frames were held out.
    planes
        The network that corrects interpolated planes, if there is one.
    pixels
        The network that corrects interpolated rows and columns, if there is one.
    device
        Where to compute.
    sections
        What a plane along Z is.
    pixel_sections
        How rows and columns are interpolated: pixels are means over their area.
    noise
        The noise that frames between frames lack, if it can be seen.
    blur
        Standard deviation of the microscope's blur in recorded pixels, if it is known.
    removed
        The noise that was removed from the frames, if it was: they are shown as smooth as others.
    flow
        The optical flow from which motion starts.
    motion_reliability
        As `between.trust.motion_reliability` of its held-out frames; None if there are none.
    held_out_power
        Mean square of what motion adds to a blend in its held-out frames.
    part
        Where the frames lie in whole ones, if they are parts.
    moments
        When the frames were recorded.
    """

    frames: Floats
    axes: str
    aspect: tuple[float, ...]
    motion: dict[int, MotionModel] = field(default_factory=dict)
    weights: BlendWeights = FULL
    trust: dict[int, Trust] = field(default_factory=dict)
    planes: PlaneModel | None = None
    pixels: PixelModel | None = None
    device: torch.device = _CPU
    sections: Sections = MEANS
    pixel_sections: Sections = MEANS
    noise: AddedNoise | None = None
    blur: float | None = None
    removed: Noise | None = None
    flow: str = USUAL
    motion_reliability: float | None = None
    held_out_power: float = 0.0
    part: Window | None = None
    moments: Moments = field(default_factory=Moments)
    _splines: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        """Where the frames lie in whole ones."""
        return self.part or Window.of(self.frames.shape[1:])

    @cached_property
    def low(self) -> float:
        """The grey level that counts as 0 in fits."""
        return float(np.percentile(self.frames, 0.5))

    @cached_property
    def span(self) -> float:
        """The grey levels from 0 to 1 in fits."""
        return max(float(np.percentile(self.frames, 99.8)) - self.low, 1e-9)

    def interpolated(self) -> Series:
        """Return the same frames without anything that was fitted to them."""
        return Series(
            self.frames, self.axes, self.aspect, sections=self.sections,
            pixel_sections=self.pixel_sections,
        )  # fmt: skip

    def pair(self, first: int, last: int) -> Series:
        """Return two frames as a series that is scaled as the whole one.

        Parameters
        ----------
        first, last
            Their numbers.
        """
        both, device = self.frames[[first, last]], self.device
        pair = Series(both, self.axes, self.aspect, device=device, part=self.part)
        pair.low, pair.span = self.low, self.span
        return pair

    def scaled(self, frames: Floats) -> Floats:
        """Return frames in parts of the range that fits use, about 0 to 1, float32."""
        return np.asarray((frames - self.low) / self.span, np.float32)

    def frame(self, time: float, region: Sequence[slice] | None = None) -> Floats:
        """Return the series at a time, on the grid of the input.

        Parameters
        ----------
        time
            In frames, from 0 to the number of frames less 1; a whole number gives that frame.
        region
            The part that is rendered, a slice along each spatial axis; all if not given.

        Returns
        -------
        numpy.ndarray
            (*region), float32, grey levels.
        """
        n_frames, *shape = self.frames.shape
        part = tuple(region) if region is not None else tuple(slice(0, n) for n in shape)
        interval = int(np.clip(np.floor(time + 1e-6), 0, max(n_frames - 2, 0)))
        rest = float(time) - interval
        if n_frames == 1 or rest < 1e-6:
            return self._shown(interval, part)
        if rest > 1 - 1e-6:
            return self._shown(interval + 1, part)
        wider = around(part)
        trust = self._trusted(interval)
        local = None if trust is None else trust.on_voxels(self.window, wider)
        if local is not None and self.removed is not None:
            local = replace(local, smooth=_DENOISED * local.smooth)
        weights = self.weights
        if trust is None and self.trust:  # which were chosen at twice the distance in time
            weights = replace(weights, attenuation=GROWTH * weights.attenuation)
        made = blended(self.predictions(interval, rest, wider), weights, self.aspect, local)
        made = made[tuple(within(p, w) for p, w in zip(part, wider, strict=True))]
        if self.noise is None or not self.noise.is_added:
            return made
        return self.noise.added(made, float(time), shape, part)

    def _trusted(self, interval: int) -> Trust | None:
        """Return how an interval is blended; None if its motion or held-out frames are lacking."""
        if interval not in self.motion or interval not in self.trust:
            return None
        around = [i for i in (interval, interval - 1, interval + 1) if i in self.motion]
        spans = [np.float32(self.moments.length(i)) for i in around]
        found = [self.motion[i].velocity(SPACING) for i in around]
        own, *beside = (v * (spans[0] / span) for v, span in zip(found, spans, strict=True))
        return steadied(self.trust[interval], own, beside, self.aspect)

    def _shown(self, frame: int, region: tuple[slice, ...]) -> Floats:
        """Return a part of a frame of the input as it is shown."""
        if self.removed is None:
            return self._given(frame, region)
        wider, last = around(region), len(self.frames) - 1
        near = [self.predictions(frame - 1, 1.0, wider).before] if frame > 0 else []
        near += [self.predictions(frame, 0.0, wider).after] if frame < last else []
        made = smoothed(self._given(frame, wider), near, self.removed, self.aspect)
        return made[tuple(within(p, w) for p, w in zip(region, wider, strict=True))]

    def _given(self, frame: int, region: tuple[slice, ...]) -> Floats:
        """Return a part of a frame of the input."""
        found: Floats = self.frames[frame][region]
        return found.copy()

    def predictions(self, interval: int, part: float, region: tuple[slice, ...]) -> Predictions:
        """Return what the neighbours predict for a part of a frame.

        Parameters
        ----------
        interval
            Number of the given frame before it.
        part
            Time after that frame, 0 to 1 frame.
        region
            A slice along each spatial axis.
        """
        first, second = (self._given(interval + i, region) for i in (0, 1))
        motion = self.motion.get(interval)
        if motion is None:
            mean = np.asarray((1 - part) * first + part * second, np.float32)
            return Predictions(first, second, mean, (first, second), part)
        chosen = self.moments.near(interval, len(self.frames))
        times = [j - interval - 0.5 for j in chosen]
        places = positions(self.frames.shape[1:], self.device)
        places = places.reshape(*self.frames.shape[1:], -1)[region].reshape(-1, len(region))
        along = warped(motion, self._coefficients(chosen), times, part - 0.5, places)
        found = along.reshape(len(chosen), *first.shape).cpu().numpy()
        here = chosen.index(interval)
        weights = np.asarray(lagrange(chosen, interval + part), np.float32)
        cubic = np.tensordot(weights, found, 1)
        return Predictions(found[here], found[here + 1], cubic, (first, second), part)

    def _coefficients(self, chosen: Sequence[int]) -> list[torch.Tensor]:
        """Return the spline coefficients of some frames; those of other frames are dropped."""
        known = self._splines
        self._splines = {
            j: known[j] if j in known else coefficients(self.frames[j]).to(self.device)
            for j in chosen
        }
        return list(self._splines.values())

    def forget_splines(self) -> None:
        """Drop the spline coefficients of all frames, which are on the device of old."""
        self._splines = {}

    def finer(
        self, volume: Floats, maps: Mapping[str, Sampling], start: Mapping[str, int]
    ) -> Floats:
        """Return a volume on another grid.

        If voxels are means, means of the result over the voxels of the input equal the input,
        for factors of 1 or more. If planes are thin, each plane of the result is thin, too, for
        any factor, and equals the given plane where there is one.

        Parameters
        ----------
        volume
            The input or a part of it, (*shape), float32, grey levels.
        maps
            Sampling by axis letter, for the whole input.
        start
            First voxel of the part along each axis, 0 if not given.

        Returns
        -------
        numpy.ndarray
            The samples that lie in the part, float32, grey levels.
        """
        parts = {
            axis: shifted(maps[axis], start.get(axis, 0), size)
            for axis, size in zip(self.axes, volume.shape, strict=True)
        }
        result = volume
        if "Z" in parts and changes(maps["Z"]):  # its network works on the grid of the input
            result = self._finer_planes(result, parts["Z"], maps["Z"].step)
        return self._finer_pixels(result, [parts[a] for a in "YX"], [maps[a] for a in "YX"])

    def _finer_planes(self, volume: Floats, places: NDArray[np.float64], step: float) -> Floats:
        """Return a volume with other planes along Z."""
        base = self.sections.between(volume, places, step, 0)
        if self.planes is None or step >= 1:
            return base
        given, guess = self.scaled(volume), self.scaled(base)
        found = self.low + self.span * self.planes.refined(given, guess, places, step)
        return self.sections.consistent(found, volume, places, step)

    def _finer_pixels(
        self, volume: Floats, places: Sequence[NDArray[np.float64]], maps: Sequence[Sampling]
    ) -> Floats:
        """Return a volume with other rows and columns."""
        base = volume
        for axis, (inside, one) in enumerate(zip(places, maps, strict=True), volume.ndim - 2):
            if changes(one):
                base = self.pixel_sections.between(base, inside, one.step, axis)
        steps = [one.step for one in maps]
        if self.pixels is None or max(steps) > 1 or min(steps) == 1:
            return base
        given, guess = (self.scaled(v).reshape(-1, *v.shape[-2:]) for v in (volume, base))
        found = self.pixels.refined(given, guess, places, steps).reshape(base.shape)
        found = self.low + self.span * found
        return consistent_pixels(self.pixel_sections, found, volume, places, steps)

    def settings(self) -> dict[str, Any]:
        """Return shape and settings of all models, as `methods.spatime.model` describes them."""
        return {
            "aspect": list(self.aspect),
            "blending": asdict(self.weights),
            "sections": name_of(self.sections),
            "motion": {str(i): model.settings for i, model in self.motion.items()},
            "trust": sorted(self.trust),
            "planes": None if self.planes is None else self.planes.settings,
            "pixels": None if self.pixels is None else self.pixels.settings,
            "pixel_sections": name_of(self.pixel_sections),
            "noise": None if self.noise is None else self.noise.settings,
            "removed": None if self.removed is None else vars(self.removed),
            "flow": self.flow,
            "motion_reliability": self.motion_reliability,
            "held_out_power": self.held_out_power,
            **({"moments": list(self.moments.places)} if self.moments.places else {}),
        }

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return frames and parameters on the CPU, by name after a prefix."""
        found = {"frames": torch.from_numpy(np.ascontiguousarray(self.frames))}
        found |= {f"paths.{i}": model.control for i, model in self.motion.items()}
        found |= {f"trust.{i}": torch.from_numpy(t.maps) for i, t in self.trust.items()}
        if self.planes is not None:
            found |= {f"planes.{k}": v for k, v in self.planes.state_dict().items()}
        if self.pixels is not None:
            found |= {f"pixels.{k}": v for k, v in self.pixels.state_dict().items()}
        return {f"{prefix}{k}": v.detach().cpu().contiguous() for k, v in found.items()}

    @classmethod
    def restored(
        cls,
        tensors: Mapping[str, NDArray[Any]],
        settings: Mapping[str, Any],
        axes: str,
        device: torch.device,
    ) -> Series:
        """Return the series that tensors and settings were made of.

        Parameters
        ----------
        tensors
            As `tensors` returns them with an empty prefix, as NumPy arrays.
        settings
            As `settings` returns them.
        axes
            Letters of the spatial axes.
        device
            Where to compute.
        """
        noise, planes, pixels = (settings.get(name) for name in ("noise", "planes", "pixels"))
        removed, flow = settings.get("removed"), str(settings.get("flow"))
        weights = BlendWeights(**settings["blending"])
        maps = {i: np.array(tensors[f"trust.{i}"], np.float32) for i in settings.get("trust", ())}
        if any(is_earlier(found) for found in maps.values()):  # which stored a part of it
            weights = replace(weights, attenuation=weights.attenuation / GROWTH)
        return cls(
            np.asarray(tensors["frames"], np.float32),
            axes,
            checked_aspect(settings["aspect"], axes),
            {
                int(i): loaded(MotionModel, shape, {"control": tensors[f"paths.{i}"]}, device)
                for i, shape in settings["motion"].items()
            },
            weights,
            {i: Trust.of_maps(found) for i, found in maps.items()},
            None
            if planes is None
            else loaded(PlaneModel, planes, named("planes", tensors), device),
            None
            if pixels is None
            else loaded(PixelModel, pixels, named("pixels", tensors), device),
            device,
            sections_of(settings["sections"]),
            sections_of(settings.get("pixel_sections", "means")),
            None if noise is None else AddedNoise.restored(noise),
            removed=None if removed is None else checked_noise(removed),
            flow=flow if flow in FLOWS else USUAL,
            motion_reliability=settings.get("motion_reliability"),
            held_out_power=float(settings.get("held_out_power", 0.0)),
            moments=Moments(tuple(map(float, settings.get("moments", ())))),
        )
