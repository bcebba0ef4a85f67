"""Local kernels by least squares, from which the optimisation starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.fields.kernel import solve_kernels
from napari_cellinr.fields.nodes import block_lengths, block_means, n_nodes
from napari_cellinr.methods.cellinr.initial.estimate import PROBE, THIN
from napari_cellinr.methods.cellinr.model import LocalKernels, convolutions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.initial.estimate import InitialEstimate

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
        module = self.module(estimate.shape)
        parts = torch.from_numpy(module.basis(estimate))
        return module.everywhere(torch.from_numpy(estimate), parts).numpy()

    def result(self) -> NDArray[np.float32]:
        """Return the estimate convolved with the kernels."""
        module, parts = self.module(self.basis.shape[1:]), torch.from_numpy(self.basis)
        return module.everywhere(module.estimate(parts), parts).numpy()

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
    basis, divisors = _normalised(convolutions(estimate, centre, plain=True))
    stride = _node_lengths(estimate.shape, spacing)
    nothing = np.zeros((len(basis), *map(n_nodes, estimate.shape, stride)), np.float32)
    return Kernels(basis, divisors, centre, nothing, nothing, stride)


def solve(
    found: InitialEstimate,
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    spacing: int,
    variance: NDArray[np.float32] | None = None,
    least: float = 0.0,
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

    Returns
    -------
    Kernels
        Their `trust` is the factor.
    """
    centre = float(found.estimate.mean(dtype=np.float64))
    basis, divisors = _normalised(convolutions(found.estimate, centre))
    stride = _node_lengths(found.estimate.shape, spacing)
    seen = torch.from_numpy((~held).astype(np.float32))
    probe = found.probe if variance is None else found.probe * variance
    change = torch.from_numpy(probe) * seen / PROBE
    sensitivity = torch.zeros(len(basis), *block_means(seen[None], stride).shape[1:])
    shifted = convolutions(found.shifted, centre) / _column(divisors, found.estimate)
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
    residual = (values - estimate)[held]
    part = float(change @ residual) / max(float(change @ change), 1e-12)
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
