"""Convolution kernels that vary over an image, and sharpen or smooth an estimate.

Zhao et al., "CellINR", predict each voxel as a convolution over its neighbourhood whose weights
a network learns ("blind convolution", eq. 4-6). Here the weights of a few Gaussian derivatives
are learnt on a coarse grid of nodes; together these are a local convolution kernel, which is
applied to a classical estimate. What differs from the paper, and why, is in
docs/decisions/local-kernels.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from napari_cellinr.classic.features import features
from napari_cellinr.fields.kernel import GridField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["REACH", "LocalKernels", "convolutions"]

REACH = 6
"""Voxels that the widest of the convolutions reaches."""


def convolutions(
    estimate: NDArray[np.float32], centre: float, *, plain: bool = False
) -> NDArray[np.float32]:
    """Return the images of which a local kernel is a weighted sum.

    Parameters
    ----------
    estimate
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    centre
        Mean of the estimate over the whole image.
    plain
        Whether to leave out all but the estimate and the constant.

    Returns
    -------
    numpy.ndarray
        Axes (convolution, Z, Y, X), float32: the estimate less its mean, what
        `classic.features` finds in it, and at the end a constant 1.
    """
    parts = estimate[None].copy() if plain else features(estimate)
    parts[0] -= np.float32(centre)
    return np.concatenate([parts, np.ones_like(parts[:1])])


class LocalKernels(nn.Module):
    """Convolution kernels that vary smoothly over an image.

    The weights are the sum of two grids, of which the second has nodes twice as far apart. Where
    all weights are 0, a kernel leaves the estimate as it is.

    Parameters
    ----------
    shape
        Voxels along each spatial axis.
    stride
        Voxels per node of the finer grid along each axis.
    n_convolutions
        Number of images that `convolutions` returns.
    centre
        Mean of the estimate, in standard deviations of the noise.

    Attributes
    ----------
    weights : GridField
        Weight of each convolution, without unit.
    divisors : torch.Tensor
        Root mean square of each convolution, shape (convolution,), by which it is divided.
    """

    divisors: torch.Tensor

    def __init__(
        self, shape: Sequence[int], stride: Sequence[int], n_convolutions: int, centre: float
    ) -> None:
        super().__init__()
        coarse = tuple(2 * step for step in stride)
        self.weights = GridField(shape, (tuple(stride), coarse), n_convolutions)
        self.register_buffer("divisors", torch.ones(n_convolutions))
        self.centre = centre

    def basis(self, estimate: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the convolutions of an estimate, divided: axes (convolution, …), float32."""
        divisors: NDArray[np.float32] = self.divisors.cpu().numpy()
        divisors = divisors.reshape(-1, *(1,) * estimate.ndim)
        parts = convolutions(estimate, self.centre, plain=len(divisors) == 2)
        parts /= divisors
        return parts

    def estimate(self, basis: torch.Tensor) -> torch.Tensor:
        """Return the estimate that a basis was made from, without its first axis."""
        return basis[0] * self.divisors[0] + self.centre

    def forward(
        self, estimate: torch.Tensor, basis: torch.Tensor, positions: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Return the estimate convolved with the kernels, at all crossings of voxels.

        Parameters
        ----------
        estimate
            Shape (n along axis 1, …), in standard deviations of the noise.
        basis
            Its convolutions there, shape (convolution, n along axis 1, …).
        positions
            Voxel coordinates along each axis, shape (n,) each.
        """
        convolved: torch.Tensor = estimate + (self.weights(positions) * basis).sum(0)
        return convolved

    def at_points(
        self, estimate: torch.Tensor, basis: torch.Tensor, points: torch.Tensor
    ) -> torch.Tensor:
        """Return the estimate convolved with the kernels at scattered voxels, shape (n,).

        Parameters
        ----------
        estimate, basis
            As for `forward`, shapes (n,) and (convolution, n).
        points
            Voxel coordinates, shape (n, axes).
        """
        convolved: torch.Tensor = estimate + (self.weights.at_points(points) * basis).sum(0)
        return convolved
