"""Local kernels by least squares, from which the optimisation starts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cellinr.classic.features import iter_features
from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, gaussian_filter
from napari_cellinr.fields.grids.nodes import (
    block_lengths,
    block_means,
    interpolate,
    n_nodes,
    node_weights,
)
from napari_cellinr.fields.kernel import solve_kernels
from napari_cellinr.methods.cellinr.initial.estimate import PROBE, THIN
from napari_cellinr.methods.cellinr.local_kernels import LocalKernels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.initial.estimate import InitialEstimate

__all__ = ["Kernels", "Tile", "no_kernels", "solve"]

PLANE_FACTOR = 8
"""More voxels per node in a plane, by the held-out error of real and simulated planes."""

SMOOTHING = 0.5
"""Standard deviation, in nodes, of the neighbourhood in which the kernels are solved for."""

RIDGE = 0.005
"""Ridge for features of mean square 1."""

SLAB_VOXELS = 1_000_000
"""Voxels whose products are in memory at a time, unless a single layer of nodes has more."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, whose kernels are to be those of the whole.

    Parameters
    ----------
    corner
        Its first voxel along each axis.
    shape
        Voxels of the whole image along each axis.
    trust
        Factor of the weights in the whole; that of the part if not given.
    """

    corner: tuple[int, ...]
    shape: tuple[int, ...]
    trust: float | None = None


@dataclass(frozen=True)
class Kernels:
    """Weights of the convolutions of an estimate, on a grid of nodes.

    Parameters
    ----------
    basis
        Convolutions of the estimate, axes (feature, Z, Y, X), float32; the first is the
        estimate itself less `centre`, the last is constant; each has mean square 1.
    divisors
        What each of them was divided by, shape (feature,).
    centre
        Mean of the estimate, in standard deviations of the noise.
    sensitivity
        Derivative of each by the noise of its own voxel, mean over each node, axes
        (feature, nodes…), float32 (Ramani, Blu and Unser 2008).
    weights
        Least-squares weights, axes (feature, nodes…), float32.
    stride
        Voxels per node along each axis.
    trust
        Factor of the least-squares weights that the held-out voxels confirm, 0 to 1.
    offset
        Voxels of the first node before the image along each axis; 0 if not given.
    """

    basis: NDArray[np.float32]
    divisors: NDArray[np.float32]
    centre: float
    sensitivity: NDArray[np.float32]
    weights: NDArray[np.float32]
    stride: tuple[int, ...]
    trust: float = 1.0
    offset: tuple[int, ...] = ()

    def applied(
        self, estimate: NDArray[np.float32], device: torch.device = CPU
    ) -> NDArray[np.float32]:
        """Return another estimate of the same image convolved with the kernels.

        Parameters
        ----------
        estimate
            Stabilised values, axes ZYX or YX, float32.
        device
            Where to compute.
        """
        image = as_tensor(estimate, device)
        plain = len(self.divisors) == 2
        parts = zip(_convolutions(image, self.centre, plain), self.divisors, strict=True)
        return as_array(self._convolved(image, (part / float(by) for part, by in parts)))

    def result(self, device: torch.device = CPU) -> NDArray[np.float32]:
        """Return the estimate convolved with the kernels; computed on `device`."""
        image = as_tensor(self.basis[0], device) * float(self.divisors[0]) + self.centre
        return as_array(self._convolved(image, (as_tensor(part, device) for part in self.basis)))

    def _convolved(self, estimate: torch.Tensor, basis: Iterator[torch.Tensor]) -> torch.Tensor:
        """Return an estimate convolved with the kernels, in the memory of a few images."""
        before = self.offset or (0,) * estimate.ndim
        between = [
            node_weights(torch.arange(low, low + size, device=estimate.device), low + size, step)
            for low, size, step in zip(before, estimate.shape, self.stride, strict=True)
        ]
        result = estimate.clone()
        for part, weights in zip(basis, as_tensor(self.weights, estimate.device), strict=True):
            result.addcmul_(part, interpolate(weights[None], between)[0])
        return result

    def cropped(self, box: Sequence[slice]) -> Kernels:
        """Return the kernels of a part of the image, to be applied to an estimate of it.

        Parameters
        ----------
        box
            Voxels along each axis.
        """
        before = self.offset or (0,) * len(box)
        corner = tuple(low + part.start for low, part in zip(before, box, strict=True))
        nodes = [
            slice(n_nodes(low + part.stop, step))
            for low, part, step in zip(before, box, self.stride, strict=True)
        ]
        return replace(self, weights=self.weights[(slice(None), *nodes)], offset=corner)

    def scaled(self, trust: float) -> Kernels:
        """Return the same with weights multiplied by a factor."""
        return replace(self, weights=self.weights * np.float32(trust), trust=trust)

    def module(self, shape: tuple[int, ...]) -> LocalKernels:
        """Return the part of the model that has these weights, for an image of this shape."""
        module = LocalKernels(shape, self.stride, len(self.divisors), self.centre)
        self.load_into(module)
        return module

    def load_into(self, module: LocalKernels) -> None:
        """Give a part of the model these weights; those of its coarser grid stay 0."""
        module.divisors.copy_(torch.from_numpy(self.divisors))
        module.weights.grids[0].data.copy_(torch.from_numpy(self.weights))


def no_kernels(estimate: NDArray[np.float32], spacing: int) -> Kernels:
    """Return kernels that leave an estimate as it is: all weights are 0.

    Parameters
    ----------
    estimate
        Stabilised values, axes ZYX or YX, float32.
    spacing
        Voxels per node, as for `solve`.
    """
    centre = float(estimate.mean(dtype=np.float64))
    basis, divisors = _basis(as_tensor(estimate, CPU), centre, plain=True)
    stride = _node_lengths(estimate.shape, spacing)
    nothing = np.zeros((len(basis), *map(n_nodes, estimate.shape, stride)), np.float32)
    return Kernels(basis.numpy(), divisors, centre, nothing, nothing, stride)


def solve(
    found: InitialEstimate,
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    spacing: int,
    variance: NDArray[np.float32] | None = None,
    least: float = 0.0,
    device: torch.device = CPU,
    part: Tile | None = None,
) -> Kernels:
    """Return the kernels with the smallest estimated error at each node.

    They minimise Stein's unbiased estimate of the squared error (Stein 1981). Where the noise is
    not as assumed, that estimate is wrong. Therefore the weights are scaled by the factor,
    between 0 and 1, that brings the held-out voxels nearest to their values.

    Parameters
    ----------
    found
        The initial estimate, and its response to a small change of the image.
    values
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    held
        Which of them are held out, bool.
    spacing
        Voxels per node along each axis in a volume; nodes of a plane have 8 times as many voxels.
    variance
        Variance of the noise at each voxel, axes ZYX or YX; 1 if not given.
    least
        Smallest factor; the weights are set to 0 if the held-out voxels confirm less.
    device
        Where to compute.
    part
        Of which image this is a part; it is all of it if not given.

    Returns
    -------
    Kernels
        Their `trust` is the factor.
    """
    part = part or Tile((0,) * held.ndim, held.shape)
    centre = float(found.estimate.mean(dtype=np.float64))
    estimate = as_tensor(found.estimate, device)
    basis, divisors = _basis(estimate, centre)
    stride = _node_lengths(part.shape, spacing)
    offset = tuple(first % step for first, step in zip(part.corner, stride, strict=True))
    seen = as_tensor(~held, device)
    change = as_tensor(found.probe, device) * seen / PROBE
    if variance is not None:
        change *= as_tensor(variance, device)
    shifted = as_tensor(found.shifted, device)
    sensitivity = torch.stack(
        [
            _node_means((one / float(by)).sub_(before).mul_(change), stride, offset)
            for one, by, before in zip(_convolutions(shifted, centre), divisors, basis, strict=True)
        ]
    )
    del change, shifted  # or memory peaks below
    missing = (as_tensor(values, device) - estimate) * seen
    weights = _least_squares(basis, missing, seen, sensitivity, stride, offset)
    kernels = Kernels(
        as_array(basis), divisors, centre, as_array(sensitivity), as_array(weights), stride,
        offset=offset,
    )  # fmt: skip
    if part.trust is not None:
        return kernels.scaled(part.trust)
    return _trusted(kernels, found.estimate, values, held, least, device)


def _trusted(
    kernels: Kernels,
    estimate: NDArray[np.float32],
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    least: float,
    device: torch.device,
) -> Kernels:
    """Return the part of the kernels that the held-out voxels confirm, if it is large enough."""
    change = (kernels.result(device)[held] - estimate[held]).astype(np.float64)
    residual = (values - estimate)[held]
    part = float(change @ residual) / max(float(change @ change), 1e-12)
    trust = min(max(part, 0.0), 1.0) if part >= least else 0.0
    return kernels.scaled(trust)


def _least_squares(
    basis: torch.Tensor,
    missing: torch.Tensor,
    seen: torch.Tensor,
    sensitivity: torch.Tensor,
    stride: tuple[int, ...],
    offset: tuple[int, ...],
) -> torch.Tensor:
    """Return the weights that minimise Stein's estimate around each node."""
    moments = sensitivity.new_zeros(len(basis), *sensitivity.shape)
    targets = torch.zeros_like(sensitivity)
    for nodes, planes, before in _layers(missing.shape, stride, offset):
        some, left, here = basis[:, planes], missing[planes], seen[planes]
        for i, part in enumerate(some):
            targets[i, nodes] = _node_means(part * left, stride, before) - sensitivity[i, nodes]
            weighted = part * here
            for j in range(i, len(some)):
                means = _node_means(weighted * some[j], stride, before)
                moments[i, j, nodes] = moments[j, i, nodes] = means
    moments, targets = (_smooth(means, missing.ndim) for means in (moments, targets))
    if basis.device.type == "mps":  # which has no float64, that the small systems need
        return solve_kernels(moments.cpu(), targets.cpu(), RIDGE).to(basis.device)
    return solve_kernels(moments, targets, RIDGE)


def _layers(
    shape: Sequence[int], stride: Sequence[int], offset: Sequence[int]
) -> Iterator[tuple[slice, slice, tuple[int, ...]]]:
    """Yield layers of nodes, their planes, and the voxels of the first node before these."""
    low, *others = offset
    n_layers = max(1, SLAB_VOXELS // (stride[0] * math.prod(shape[1:])))
    for first in range(0, n_nodes(low + shape[0], stride[0]), n_layers):
        nodes = slice(first, first + n_layers)
        start, stop = (stride[0] * node - low for node in (nodes.start, nodes.stop))
        yield nodes, slice(max(0, start), stop), (max(0, -start), *others)


def _node_means(values: torch.Tensor, stride: Sequence[int], offset: Sequence[int]) -> torch.Tensor:
    """Return the means over the voxels of each node, which counts less where voxels are missing."""
    if any(offset):
        before = [size for low in reversed(offset) for size in (low, 0)]
        values = torch.nn.functional.pad(values, before)
    return block_means(values[None], stride)[0]


def _smooth(means: torch.Tensor, n_spatial: int) -> torch.Tensor:
    """Return means over the neighbourhood of each node; the last `n_spatial` axes are spatial."""
    sigma = (0.0,) * (means.ndim - n_spatial) + (SMOOTHING,) * n_spatial
    return gaussian_filter(means, sigma)


def _node_lengths(shape: tuple[int, ...], spacing: int) -> tuple[int, ...]:
    """Return the voxels per node along each axis: cubes of side `spacing` in a volume."""
    is_volume = sum(size > THIN for size in shape) > 2
    return block_lengths(shape, spacing**3 * (1 if is_volume else PLANE_FACTOR))


def _convolutions(
    estimate: torch.Tensor, centre: float, plain: bool = False
) -> Iterator[torch.Tensor]:
    """Yield what `local_kernels.convolutions` returns, one by one."""
    parts = iter_features(estimate)
    yield next(parts) - centre
    if not plain:
        yield from parts
    yield torch.ones_like(estimate)


def _basis(
    estimate: torch.Tensor, centre: float, *, plain: bool = False
) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Return the convolutions with mean square 1, and what they were divided by."""
    n_axes = 0 if plain else sum(size > 1 for size in estimate.shape)
    n_parts = 2 if plain else 4 + n_axes * (n_axes + 1) // 2
    basis, divisors = estimate.new_empty(n_parts, *estimate.shape), np.ones(n_parts, np.float32)
    for index, part in enumerate(_convolutions(estimate, centre, plain)):
        divisors[index] = max(float(part.square().mean().sqrt()), 1e-6)
        torch.div(part, float(divisors[index]), out=basis[index])
    return basis, divisors
