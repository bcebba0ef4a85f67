"""Local kernels by least squares: what they are made of, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.features import features
from napari_cellinr.fields.kernel import solve_kernels
from napari_cellinr.fields.nodes import (
    block_lengths,
    block_means,
    interpolate,
    n_nodes,
    node_weights,
)
from napari_cellinr.methods.cellinr.estimate import PROBE, THIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.estimate import Start

__all__ = ["Kernels", "no_kernels", "solve"]

PLANE_FACTOR = 8
"""More voxels per node in a plane, by the held-out error of real and simulated planes."""

SMOOTHING = 0.5
"""Standard deviation, in nodes, of the neighbourhood in which the kernels are solved for."""

RIDGE = 0.005
"""Ridge for features of mean square 1."""


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
        Mean of the estimate.
    sensitivity
        How strongly each follows the noise of its own voxel, mean over each node, axes
        (feature, nodes…), float32.
    weights
        Least-squares weights, axes (feature, nodes…), float32.
    stride
        Voxels per node along each axis.
    trust
        Which part of the least-squares weights the held-out voxels confirm.
    """

    basis: NDArray[np.float32]
    divisors: NDArray[np.float32]
    centre: float
    sensitivity: NDArray[np.float32]
    weights: NDArray[np.float32]
    stride: tuple[int, ...]
    trust: float = 1.0

    def applied(self, estimate: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return another estimate of the same image convolved with the kernels."""
        parts = _with_constant(features(estimate), self.centre) / _column(self.divisors, estimate)
        return self._convolved(estimate, parts)

    def result(self) -> NDArray[np.float32]:
        """Return the estimate convolved with the kernels."""
        estimate = self.basis[0] * self.divisors[0] + np.float32(self.centre)
        return self._convolved(estimate, self.basis)

    def _convolved(
        self, estimate: NDArray[np.float32], parts: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        lattice = [
            node_weights(torch.arange(size), size, step)
            for size, step in zip(estimate.shape, self.stride, strict=True)
        ]
        result = torch.from_numpy(estimate).clone()
        for part, grid in zip(torch.from_numpy(parts), torch.from_numpy(self.weights), strict=True):
            result += part * interpolate(grid[None], lattice)[0]
        return result.numpy()


def no_kernels(estimate: NDArray[np.float32], spacing: int) -> Kernels:
    """Return kernels that leave an estimate as it is."""
    centre = float(estimate.mean(dtype=np.float64))
    basis, divisors = _normalised(_with_constant(estimate[None].copy(), centre))
    stride = _node_lengths(estimate.shape, spacing)
    nothing = np.zeros((len(basis), *map(n_nodes, estimate.shape, stride)), np.float32)
    return Kernels(basis, divisors, centre, nothing, nothing, stride)


def solve(
    found: Start,
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    spacing: int,
    variance: NDArray[np.float32] | None = None,
    least: float = 0.0,
) -> Kernels:
    """Return the kernels with the smallest estimated error at each node.

    They minimise Stein's estimate of the error against the truth. Where the noise is not what
    was assumed, that estimate is wrong: so only that part of the kernels is kept, between none
    and all of them, that brings the held-out voxels nearest to their values.

    Parameters
    ----------
    found
        The estimate and its answer to a small change.
    values
        Stabilised values, axes ZYX or YX, float32.
    held
        Which of them are held out, bool.
    spacing
        Voxels per node in a volume; a plane has fewer voxels of each structure, and larger nodes.
    variance
        The variance of the noise where it is not 1.
    least
        Part of the kernels below which none of them is kept.
    """
    centre = float(found.estimate.mean(dtype=np.float64))
    basis, divisors = _normalised(_with_constant(features(found.estimate), centre))
    stride = _node_lengths(found.estimate.shape, spacing)
    seen = torch.from_numpy((~held).astype(np.float32))
    probe = found.probe if variance is None else found.probe * variance
    change = torch.from_numpy(probe) * seen / PROBE
    sensitivity = torch.zeros(len(basis), *block_means(seen[None], stride).shape[1:])
    shifted = _with_constant(features(found.shifted), centre) / _column(divisors, found.estimate)
    for index, (after, before) in enumerate(zip(shifted, basis, strict=True)):
        product = torch.from_numpy(after - before) * change
        sensitivity[index] = block_means(product[None], stride)[0]
    weights = _least_squares(basis, values - found.estimate, seen, sensitivity, stride)
    kernels = Kernels(basis, divisors, centre, sensitivity.numpy(), weights.numpy(), stride)
    return _trusted(kernels, found.estimate, values, held, least)


def _trusted(
    kernels: Kernels,
    estimate: NDArray[np.float32],
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    least: float,
) -> Kernels:
    """Return the part of the kernels that the held-out voxels confirm, if it is large enough."""
    change = (kernels.result() - estimate)[held].astype(np.float64)
    wanted = (values - estimate)[held]
    part = float(change @ wanted) / max(float(change @ change), 1e-12)
    trust = min(max(part, 0.0), 1.0) if part >= least else 0.0
    return replace(kernels, weights=kernels.weights * np.float32(trust), trust=trust)


def _least_squares(
    basis: NDArray[np.float32],
    residual: NDArray[np.float32],
    seen: torch.Tensor,
    sensitivity: torch.Tensor,
    stride: tuple[int, ...],
) -> torch.Tensor:
    """Return the weights that minimise Stein's estimate around each node."""
    missing = torch.from_numpy(residual) * seen
    parts = torch.from_numpy(basis)
    moments = torch.zeros(len(basis), *sensitivity.shape)
    targets = torch.zeros_like(sensitivity)
    for i, part in enumerate(parts):
        targets[i] = block_means((part * missing)[None], stride)[0] - sensitivity[i]
        weighted = part * seen
        for j in range(i, len(parts)):
            moments[i, j] = moments[j, i] = block_means((weighted * parts[j])[None], stride)[0]
    return solve_kernels(_smooth(moments, residual.ndim), _smooth(targets, residual.ndim), RIDGE)


def _smooth(means: torch.Tensor, n_spatial: int) -> torch.Tensor:
    """Return means over the neighbourhood of each node; the last `n_spatial` axes are spatial."""
    sigma = (0.0,) * (means.ndim - n_spatial) + (SMOOTHING,) * n_spatial
    return torch.from_numpy(gaussian_filter(means.numpy(), sigma, mode="nearest"))


def _node_lengths(shape: tuple[int, ...], spacing: int) -> tuple[int, ...]:
    """Return the voxels per node along each axis: cubes of side `spacing` in a volume."""
    is_volume = sum(size > THIN for size in shape) > 2
    return block_lengths(shape, spacing**3 * (1 if is_volume else PLANE_FACTOR))


def _with_constant(parts: NDArray[np.float32], centre: float) -> NDArray[np.float32]:
    """Return the parts with the centre taken from the first, and a constant part at the end."""
    parts[0] -= np.float32(centre)
    return np.concatenate([parts, np.ones_like(parts[:1])])


def _normalised(
    parts: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the parts with mean square 1, and what they were divided by."""
    spatial = tuple(range(1, parts.ndim))
    scale = np.sqrt((parts.astype(np.float64) ** 2).mean(axis=spatial)).astype(np.float32)
    scale = np.maximum(scale, 1e-6)
    return parts / _column(scale, parts[0]), scale


def _column(scale: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    return scale.reshape(-1, *(1,) * image.ndim)
