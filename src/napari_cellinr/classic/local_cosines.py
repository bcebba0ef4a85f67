"""Denoising by the sparsity of local cosine transforms, for images with much light."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, cosines, mirrored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["sparse_estimate"]

THRESHOLD = 2.7
"""Standard deviations of the noise above which a coefficient is kept."""

_SIDE = {2: 8, 3: 4}  # width of a patch in pixels, by the number of long axes
_VOXELS = 12_000  # that are filtered at a time on the CPU: what fits into its cache
_ON_GPU = 128  # times as many on a GPU


def sparse_estimate(
    values: NDArray[Any], *, device: torch.device = CPU, threshold: float = THRESHOLD
) -> NDArray[np.float32]:
    """Return values of which small coefficients of all local cosine transforms are removed.

    Each patch of 8×8 pixels, or 4×4×4 voxels, is transformed; coefficients below the threshold
    are set to 0, but for the mean. A voxel is the mean over all patches that contain it, in which
    patches with fewer coefficients have more weight (Yaroslavsky, Egiazarian and Astola 2001,
    "Transform domain image restoration methods", Proceedings of SPIE 4304; weights of Guleryuz
    2007, IEEE Transactions on Image Processing 16, 3020).

    Parameters
    ----------
    values
        Values with white noise of standard deviation 1, axes ZYX or YX, real.
    device
        Where to compute.
    threshold
        In standard deviations of the noise.
    """
    shape = values.shape if values.ndim == 3 else (1, *values.shape)
    side = _SIDE[3 if shape[0] > 1 else 2]
    sides = [min(side, size) for size in shape]
    around = [one - 1 for one in sides]
    padded = mirrored(as_tensor(np.reshape(values, shape), device), around)
    waves = [cosines(one).to(device) for one in sides]
    result = np.empty(shape, np.float32)
    for block in _blocks(shape, _VOXELS * (1 if device.type == "cpu" else _ON_GPU)):
        wide = tuple(slice(p.start, p.stop + 2 * far) for p, far in zip(block, around, strict=True))
        result[block] = as_array(_filtered(padded[wide], waves, threshold))
    return result.reshape(values.shape)


def _filtered(
    padded: torch.Tensor, waves: Sequence[torch.Tensor], threshold: float
) -> torch.Tensor:
    """Return the weighted means, without the margin, which is one voxel less than a patch."""
    found = padded[None, None]
    for axis in (2, 1, 0):  # one after the other: an eighth of the work of all three at once
        n = found.shape[1]
        found = torch.nn.functional.conv3d(found, _kernel(waves[axis], axis, n), groups=n)
    kept = found.abs() > threshold
    kept[:, 0] = True
    weight = 1 / kept.sum(1, keepdim=True, dtype=found.dtype)
    total = found.mul_(kept).mul_(weight)
    back = torch.nn.functional.conv_transpose3d
    for axis, wave in enumerate(waves):
        n = total.shape[1] // len(wave)
        total = back(total, _kernel(wave, axis, n), groups=n)
        weight = back(weight, _kernel(torch.ones_like(wave[:1]), axis, 1))
    inner = tuple(slice(len(one) - 1, 1 - len(one) or None) for one in waves)
    return (total / weight)[0, 0][inner]


def _kernel(wave: torch.Tensor, axis: int, groups: int) -> torch.Tensor:
    """Return the weights of filters along one axis, the same for each group of channels."""
    shape = [1, 1, 1]
    shape[axis] = wave.shape[1]
    return wave.reshape(len(wave), 1, *shape).repeat(groups, 1, 1, 1, 1)


def _blocks(shape: Sequence[int], most: int) -> list[tuple[slice, ...]]:
    """Return blocks that are about as long along each axis, of at most so many voxels."""
    lengths = list(shape)
    while math.prod(lengths) > most:
        longest = lengths.index(max(lengths))
        lengths[longest] = -(-lengths[longest] // 2)
    return [
        tuple(slice(a, min(a + n, size)) for a, n, size in zip(start, lengths, shape, strict=True))
        for start in itertools.product(
            *(range(0, size, n) for size, n in zip(shape, lengths, strict=True))
        )
    ]
