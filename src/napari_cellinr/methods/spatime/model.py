"""A fitted series: any time and any lattice can be rendered from it, without another fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.methods.spatime.blending import RECIPES, Recipe, Views, mixed
from napari_cellinr.methods.spatime.motion import (
    Paths,
    coefficients,
    lagrange,
    neighbours,
    positions,
    warped,
)
from napari_cellinr.methods.spatime.planes import PlaneField
from napari_cellinr.methods.spatime.sections import KINDS, MEANS, Samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.methods.spatime.sections import Sections

    Floats = NDArray[np.float32]

__all__ = ["MARGIN", "Series"]

MARGIN = 12
"""Voxels beyond a crop that its rendering looks at."""

_CPU = torch.device("cpu")


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
    paths
        Motion of each interval by its number; those that lack it are blended.
    recipe
        How a frame between frames is made.
    planes
        The field that refines along Z, if there is one.
    device
        Where to compute.
    sections
        What a plane along Z is; rows and columns are means over their pixels.
    """

    frames: Floats
    axes: str
    aspect: tuple[float, ...]
    paths: dict[int, Paths] = field(default_factory=dict)
    recipe: Recipe = RECIPES[0]
    planes: PlaneField | None = None
    device: torch.device = _CPU
    sections: Sections = MEANS
    _splines: dict[int, torch.Tensor] = field(default_factory=dict)

    @cached_property
    def low(self) -> float:
        """The grey level that counts as 0 in fits."""
        return float(np.percentile(self.frames, 0.5))

    @cached_property
    def span(self) -> float:
        """The grey levels from 0 to 1 in fits."""
        return max(float(np.percentile(self.frames, 99.8)) - self.low, 1e-9)

    def frame(self, time: float, region: Sequence[slice] | None = None) -> Floats:
        """Return the series at a time in frames on the lattice of the input, in grey levels.

        Parameters
        ----------
        time
            From 0 to the number of frames less 1; a whole number gives the very frame.
        region
            The part that is wanted along each spatial axis; all if not given.
        """
        n_frames, *shape = self.frames.shape
        part = tuple(region) if region is not None else tuple(slice(0, n) for n in shape)
        interval = int(np.clip(np.floor(time + 1e-6), 0, max(n_frames - 2, 0)))
        rest = float(time) - interval
        if n_frames == 1 or rest < 1e-6:
            return self._given(interval, part)
        if rest > 1 - 1e-6:
            return self._given(interval + 1, part)
        wider = tuple(slice(max(0, p.start - MARGIN), p.stop + MARGIN) for p in part)
        views = self.views(interval, rest, wider)
        made = mixed(views, self.recipe, self.aspect)
        return made[tuple(_inside(p, w) for p, w in zip(part, wider, strict=True))]

    def _given(self, frame: int, region: tuple[slice, ...]) -> Floats:
        """Return a part of a frame of the input."""
        found: Floats = self.frames[frame][region]
        return found.copy()

    def views(self, interval: int, part: float, region: tuple[slice, ...]) -> Views:
        """Return what the neighbours say about a part of a frame at `interval + part`."""
        first, second = (self._given(interval + i, region) for i in (0, 1))
        paths = self.paths.get(interval)
        if paths is None:
            blend = np.asarray((1 - part) * first + part * second, np.float32)
            return Views(first, second, blend, (first, second), part)
        chosen = neighbours(interval, len(self.frames))
        times = [j - interval - 0.5 for j in chosen]
        places = positions(self.frames.shape[1:], self.device)
        places = places.reshape(*self.frames.shape[1:], -1)[region].reshape(-1, len(region))
        along = warped(paths, self._coefficients(chosen), times, part - 0.5, places)
        found = along.reshape(len(chosen), *first.shape).cpu().numpy()
        here = chosen.index(interval)
        weights = np.asarray(lagrange(chosen, interval + part), np.float32)
        cubic = np.tensordot(weights, found, 1)
        return Views(found[here], found[here + 1], cubic, (first, second), part)

    def _coefficients(self, chosen: Sequence[int]) -> list[torch.Tensor]:
        """Return the spline coefficients of some frames; those of others are forgotten."""
        known = self._splines
        self._splines = {
            j: known[j]
            if j in known
            else torch.from_numpy(coefficients(self.frames[j])).to(self.device)
            for j in chosen
        }
        return list(self._splines.values())

    def forget_splines(self) -> None:
        """Forget what was computed of the frames, on whichever device."""
        self._splines = {}

    def finer(
        self, volume: Floats, maps: Mapping[str, Sampling], start: Mapping[str, int]
    ) -> Floats:
        """Return a volume on another lattice, (*shape), grey levels.

        Of means, the means of the result over the voxels of the input are those of the input,
        as far as the factors are 1 or more. Of thin planes, each plane of the result is one
        again, at its own place, for any factor; a given plane that lies there is that plane.

        Parameters
        ----------
        volume
            On the lattice of the input, or a part of it.
        maps
            Map by axis letter, for the whole input.
        start
            First voxel of the part along each axis, 0 if not given.
        """
        parts = {
            axis: _shifted(maps[axis], start.get(axis, 0), size)
            for axis, size in zip(self.axes, volume.shape, strict=True)
        }
        result = volume
        for i, axis in enumerate(self.axes):  # Z first: it is learnt on the lattice of the input
            if not _changes(maps[axis]):
                continue
            step, places = maps[axis].step, parts[axis]
            sections = self.sections if axis == "Z" else MEANS
            finer = sections.between(result, places, step, i)
            if axis == "Z" and self.planes is not None and step < 1:
                given, base = ((v - self.low) / self.span for v in (result, finer))
                found = self.low + self.span * self.planes.refined(given, base, places, step)
                finer = sections.consistent(found, result, places, step)
            result = finer
        return result

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """Return all that was fitted by name, on the CPU."""
        recipe = self.recipe
        found = {
            "frames": torch.from_numpy(np.ascontiguousarray(self.frames)),
            "aspect": torch.tensor(self.aspect),
            "recipe": torch.tensor([recipe.motion, float(recipe.cubic), recipe.doubt]),
        }
        if isinstance(self.sections, Samples):
            found["sections"] = torch.tensor([KINDS.index(self.sections.kind)])
        found |= {f"paths.{i}": p.control.cpu().contiguous() for i, p in self.paths.items()}
        if self.planes is not None:
            found |= {f"planes.{k}": v for k, v in self.planes.tensors().items()}
        return {f"{prefix}{name}": value for name, value in found.items()}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, NDArray[Any]], prefix: str, axes: str, device: torch.device
    ) -> Series:
        """Return the series that `tensors` was made of."""
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        frames = np.asarray(own["frames"], np.float32)
        motion, cubic, doubt = (float(v) for v in own["recipe"])
        paths = {
            int(k.removeprefix("paths.")): Paths(
                torch.from_numpy(np.array(v)).to(device), tuple(frames.shape[1:])
            )
            for k, v in own.items()
            if k.startswith("paths.")
        }
        planes = {k.removeprefix("planes."): v for k, v in own.items() if k.startswith("planes.")}
        return cls(
            frames,
            axes,
            tuple(float(v) for v in own["aspect"]),
            paths,
            Recipe(motion, bool(cubic), doubt),
            PlaneField.from_tensors(planes, device) if planes else None,
            device,
            Samples(KINDS[int(own["sections"][0])]) if "sections" in own else MEANS,
        )


def _inside(part: slice, wider: slice) -> slice:
    return slice(part.start - wider.start, part.stop - wider.start)


def _changes(one: Sampling) -> bool:
    return one.step != 1 or one.start != 0 or one.n_out != one.n_in


def _shifted(one: Sampling, start: int, size: int) -> NDArray[np.float64]:
    """Return the positions of the output samples that lie in a part, counted from its start."""
    places = one.positions - start
    return places[(places >= -0.5 - 1e-9) & (places < size - 0.5 - 1e-9)]
