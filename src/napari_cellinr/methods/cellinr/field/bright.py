"""A sparse estimate that is mixed into the result of the network where there is much light."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.local_cosines import sparse_estimate

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.field.fitted import FittedField
    from napari_cellinr.methods.cellinr.initial.part import Part

__all__ = ["contrast_of", "sparse_part", "with_sparse_estimate"]

DIMMEST = 15.0
"""Contrast in standard deviations of the noise below which the network alone is better."""

RISE = 150.0
"""Contrast by which the part of the sparse estimate rises by 1."""

LARGEST = 0.5
"""Largest part of the sparse estimate."""

BRIGHTEST = 0.999
"""Fraction of the voxels that are darker than the brightest places."""


def sparse_part(result: NDArray[np.float32]) -> float:
    """Return the part of the sparse estimate in the mean of both, 0 to 0.5.

    It rises linearly with the contrast, from 0 at about 100 photons at the brightest places to a
    half at 3000 (docs/decisions/residual-field.md).

    Parameters
    ----------
    result
        Denoised values, any axes, in standard deviations of the noise.
    """
    return float(np.clip((contrast_of(result) - DIMMEST) / RISE, 0, LARGEST))


def contrast_of(result: NDArray[np.float32]) -> float:
    """Return the difference between the brightest or darkest places and the median.

    Parameters
    ----------
    result
        Denoised values, any axes.
    """
    low, middle, high = np.quantile(result, (1 - BRIGHTEST, 0.5, BRIGHTEST))
    return float(max(high - middle, middle - low))


def with_sparse_estimate(fitted: FittedField, part: Part, device: torch.device) -> FittedField:
    """Return a network that has a sparse estimate mixed into what it adds.

    With much light, few similar patches are similar enough, and what the network learns from is no
    better than the estimate. A single patch is sparse then, and its errors are others.

    Parameters
    ----------
    fitted
        The network and what it adds.
    part
        The image with its estimate.
    device
        Where to compute.
    """
    result = part.found.estimate + fitted.correction
    weight = np.float32(sparse_part(result))
    if weight == 0 or part.noise.grain > 0 or not fitted.rounds:
        return fitted
    spread = 1.0 if part.variance is None else np.sqrt(part.variance)
    sparse = sparse_estimate(part.stabilised / spread, device=device) * spread
    correction = fitted.correction + weight * (sparse - result)
    return replace(fitted, correction=correction.astype(np.float32), sparse=float(weight))
