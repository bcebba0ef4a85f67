"""Results of CellINR from a fit that was kept: any scale, crop and channel, without another fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.anscombe import Noise, unstabilise
from napari_cellinr.classic.features import features
from napari_cellinr.classic.interpolate import resample
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fields.encoding import FourierEncoding
from napari_cellinr.fields.kernel import GridField
from napari_cellinr.fields.mlp import SkipMLP
from napari_cellinr.methods.cellinr.geometry import plan_of
from napari_cellinr.methods.cellinr.tiled import OLD_MARK, PLACES, Tiled, tile_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.interpolate import Interpolation
    from napari_cellinr.fitting.stored import Query, Stored
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.tiled import Field

__all__ = ["render_cellinr"]

MARGIN = 8
"""Voxels around what is asked for: a cubic spline does not feel what is farther away."""

REACH = 6
"""Voxels that the widest of the convolutions reaches."""

BLOCK_VOXELS = 2_000_000
"""Voxels that are evaluated at once."""


def render_cellinr(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return result, background and the other image that a query asks of a kept fit, float32.

    Between the voxels, the fields of kernels and background are evaluated where they are asked
    for, and what the kernels make of the estimate goes through its voxels as a cubic spline. At
    the scale of the fit, the result is that of the fit. Coarser voxels are means over finer
    ones. The other image is what `background` has not chosen: the signal alone, or with its
    background. A fit of the preset `paper` has no model of the background, and gives the result
    only.

    Parameters
    ----------
    stored
        A fit of the method `cellinr`.
    query
        What to render. Frames are fitted each for itself, so `times` are those of frames.
    device
        Where to compute.

    Raises
    ------
    ConfigError, AxesError
        If the query asks for what this fit does not know.
    FileError
        If tensors are missing, or do not fit together.
    """
    plan = plan_of(stored, query)
    frames = [
        _evaluate(_field(stored, plan.whole, number, device), plan.places)
        for number in plan.numbers
    ]
    images = []
    other = "signal" if stored.config["background"] == "keep" else "with background"
    roles = ("denoised", "background", other)
    for values, role in zip(zip(*frames, strict=True), roles, strict=False):
        data = np.stack(values).reshape(plan.image.shape)
        images.append(plan.image.like(data, name=f"{plan.whole.name} {role}"))
    return tuple(images)


def _evaluate(
    field: Field, places: Sequence[tuple[NDArray[np.float64], int]]
) -> tuple[NDArray[np.float32], ...]:
    """Return the images of a field, block by block along the first axis."""
    (first, count), *rest = places
    plane = math.prod(len(positions) for positions, _ in rest)
    rows = count * max(1, BLOCK_VOXELS // max(plane * count, 1))
    blocks = []
    for start in range(0, len(first), rows):
        values = field.at([first[start : start + rows], *(positions for positions, _ in rest)])
        blocks.append([_means(one, [count, *(n for _, n in rest)]) for one in values])
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _means(values: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return the means of so many values along each axis."""
    shape = [
        n for size, count in zip(values.shape, counts, strict=True) for n in (size // count, count)
    ]
    if max(counts) == 1:
        return values
    means: NDArray[np.float32] = values.reshape(shape).mean(tuple(range(1, len(shape), 2)))
    return means


def _field(stored: Stored, whole: Image, number: int, device: torch.device) -> Field:
    """Return the field of one frame.

    Raises
    ------
    ConfigError
        If the fit was stopped before it reached the frame.
    FileError
        If tensors are missing, or do not fit together.
    """
    shape = tuple(n for axis, n in whole.sizes.items() if axis in "ZYX")
    n_frames = whole.sizes.get("T", 1) * whole.sizes.get("C", 1)
    prefix = f"{number}." if n_frames > 1 else ""
    tensors = {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in stored.tensors.items()
        if name.startswith(prefix)
    }
    if not tensors:
        raise ConfigError(
            f"image {number + 1} of {n_frames} was asked for; the fit was stopped before it was "
            "reached. Fit again, or ask for an earlier one."
        )
    if OLD_MARK in tensors:
        raise ConfigError(
            "the fit was made in tiles by an older version, which did not keep them; it cannot be "
            "rendered again. Fit again."
        )
    noises = stored.report["noise"]
    noise = Noise(**(noises[number] if isinstance(noises, list) else noises))
    kind = _Network if stored.config["preset"] == "paper" else _Kernels

    def made(own: Mapping[str, torch.Tensor], lengths: tuple[int, ...]) -> Field:
        try:
            there = {name: tensor.to(device) for name, tensor in own.items()}
            return kind(there, lengths, noise, stored.config)
        except (KeyError, RuntimeError, ValueError) as error:
            raise FileError(
                f"the fit lacks what it is rendered from ({error}); it is damaged, or was kept by "
                "an older version. Fit again."
            ) from None

    if PLACES not in tensors:
        return made(tensors, shape)
    return Tiled(shape, tensors, lambda tile, lengths: made(tile_of(tensors, tile), lengths))


class _Kernels:
    """Local kernels on an estimate, and a background, as in `methods.cellinr`."""

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        shape: tuple[int, ...],
        noise: Noise,
        config: Mapping[str, Any],
    ) -> None:
        self.shape, self.noise = shape, noise
        self.keeps, self.sign = config["background"] == "keep", -1 if config["dark"] else 1
        self.factor = np.float32(tensors["factor"].item() if "factor" in tensors else 1)
        self.estimate: NDArray[np.float32] = tensors["estimate"].cpu().numpy().reshape(shape)
        self.amplification = None  # as in fits of older versions
        if "amplification" in tensors:
            self.amplification = tensors["amplification"].cpu().numpy().reshape(shape)
        self.divisors, self.centre = tensors["divisors"], float(tensors["centre"])
        self.device = self.divisors.device
        stride = tensors["stride"].tolist()
        strides = [stride, [2 * step for step in stride]]
        grids = [tensors["kernels.0"], tensors["kernels.1"]]
        self.kernels = _grid_field(shape, strides, grids)
        self.haze = _grid_field(
            shape, [tensors["background_stride"].tolist()], [tensors["background"]]
        )

    @torch.no_grad()
    def at(self, positions: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], ...]:
        """Return result, background and the other image."""
        starts = [max(0, math.floor(p[0]) - MARGIN) for p in positions]
        stops = [
            min(size, math.ceil(p[-1]) + MARGIN + 1)
            for p, size in zip(positions, self.shape, strict=True)
        ]
        inside = [place - start for place, start in zip(positions, starts, strict=True)]
        kept = unstabilise(_between(self._stabilised(starts, stops), inside, "spline"), self.noise)
        here = [torch.from_numpy(p).to(self.device, torch.float32) for p in positions]
        haze: NDArray[np.float32] = self.haze(here)[0].cpu().numpy()
        signal = np.maximum(self.sign * (kept - haze), 0)
        if self.amplification is not None:
            block = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
            factor = self.amplification[block].astype(np.float32)
            signal *= _between(factor, inside, "linear") / np.float32(255)
        result, other = (kept, signal) if self.keeps else (signal, kept)
        return result * self.factor, haze * self.factor, other * self.factor

    def _stabilised(self, starts: Sequence[int], stops: Sequence[int]) -> NDArray[np.float32]:
        """Return what the kernels make of the estimate in a block of voxels, float32."""
        outer = tuple(
            slice(max(0, start - REACH), stop + REACH)
            for start, stop in zip(starts, stops, strict=True)
        )
        inner = tuple(
            slice(start - around.start, stop - around.start)
            for start, stop, around in zip(starts, stops, outer, strict=True)
        )
        estimate = self.estimate[outer]
        parts = features(estimate) if len(self.divisors) > 2 else estimate[None].copy()
        parts[0] -= np.float32(self.centre)
        parts = np.concatenate([parts, np.ones_like(parts[:1])])[(slice(None), *inner)]
        here = [
            torch.arange(start, stop, device=self.device)
            for start, stop in zip(starts, stops, strict=True)
        ]
        basis = torch.from_numpy(np.ascontiguousarray(parts)).to(self.device)
        basis = basis / self.divisors.reshape(-1, *(1,) * len(self.shape))
        change: NDArray[np.float32] = (self.kernels(here) * basis).sum(0).cpu().numpy()
        return np.asarray(estimate[inner] + change, np.float32)


def _between(
    values: NDArray[np.float32], places: Sequence[NDArray[np.float64]], kind: Interpolation
) -> NDArray[np.float32]:
    """Return values at all crossings of places along each axis, those of voxels as they are."""
    for axis, place in enumerate(places):
        if np.array_equal(place, np.round(place)):
            values = values.take(place.astype(int), axis)
        else:
            values = resample(values, place, axis, kind)
    return values


class _Network:
    """The network of the preset `paper`."""

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        shape: tuple[int, ...],
        noise: Noise,
        config: Mapping[str, Any],
    ) -> None:
        self.keeps, self.sign = config["background"] == "keep", -1 if config["dark"] else 1
        self.dark, self.contrast = tensors["levels"].tolist()
        device = tensors["levels"].device
        self.encoding = FourierEncoding(shape).to(device)
        width = int(config["neurons"])
        self.network = SkipMLP(self.encoding.n_features, 1, torch.Generator(), width=width)
        weights = {name[5:]: value for name, value in tensors.items() if name.startswith("fine.")}
        self.network.load_state_dict(weights)
        self.network.to(device)
        self.device = device

    @torch.no_grad()
    def at(self, positions: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], ...]:
        """Return the result."""
        here = [torch.from_numpy(p).to(self.device, torch.float32) for p in positions]
        rows = []
        for row in here[0]:  # a plane, or a line, at a time
            places = torch.stack(torch.meshgrid(row[None], *here[1:], indexing="ij"), dim=-1)
            rows.append(self.network(self.encoding(places))[..., 0].float().cpu().numpy())
        signal = np.concatenate(rows) * np.float32(self.contrast)
        if self.keeps:
            return (self.sign * (signal + np.float32(self.dark)),)
        return (np.maximum(signal, 0),)


def _grid_field(
    shape: tuple[int, ...], strides: Sequence[Sequence[int]], grids: Sequence[torch.Tensor]
) -> GridField:
    """Return the field of stored grids."""
    field = GridField(shape, strides, len(grids[0])).to(grids[0].device)
    field.load_state_dict({f"grids.{i}": grid for i, grid in enumerate(grids)})
    return field
