"""Denoising by the sparsity of local cosine transforms, for images with much light."""

from __future__ import annotations

import itertools
from functools import reduce
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
_VOXELS = 100_000  # that are filtered at a time on the CPU
_ON_GPU = 16  # times as many on a GPU


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
    waves = reduce(torch.kron, (cosines(one) for one in sides)).reshape(-1, 1, *sides).to(device)
    result = np.empty(shape, np.float32)
    for block in _blocks(shape, _VOXELS * (1 if device.type == "cpu" else _ON_GPU)):
        wide = tuple(slice(p.start, p.stop + 2 * far) for p, far in zip(block, around, strict=True))
        result[block] = as_array(_filtered(padded[wide], waves, threshold))
    return result.reshape(values.shape)


def _filtered(padded: torch.Tensor, waves: torch.Tensor, threshold: float) -> torch.Tensor:
    """Return the weighted means, without the margin, which is one voxel less than a patch."""
    sides = waves.shape[2:]
    found = torch.nn.functional.conv3d(padded[None, None], waves)
    kept = (found.abs() > threshold).to(found.dtype)
    kept[:, 0] = 1
    weight = 1 / kept.sum(1, keepdim=True)
    back = torch.nn.functional.conv_transpose3d
    total = back(found * kept * weight, waves)
    weights = back(weight, torch.ones(1, 1, *sides, device=waves.device))
    inner = tuple(slice(side - 1, size - side + 1) for side, size in zip(
        sides, padded.shape, strict=True
    ))  # fmt: skip
    return (total / weights)[0, 0][inner]


def _blocks(shape: Sequence[int], most: int) -> list[tuple[slice, ...]]:
    """Return blocks of whole rows and at most so many voxels, if a row has no more."""
    rows = max(1, min(shape[1], most // shape[2]))
    planes = max(1, min(shape[0], most // (rows * shape[2])))
    return [
        (slice(z, min(z + planes, shape[0])), slice(y, min(y + rows, shape[1])), slice(0, shape[2]))
        for z, y in itertools.product(range(0, shape[0], planes), range(0, shape[1], rows))
    ]
