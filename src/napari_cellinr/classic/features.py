"""Filtered versions of an estimate: the basis of the local convolution kernels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["features"]

_FINE, _DERIVATIVE, _COARSE = 0.7, 1.0, 1.5


def features(estimate: NDArray[Any]) -> NDArray[np.float32]:
    """Return the responses of an estimate to filters of several scales and directions.

    They are the estimate, its differences between no, fine and coarse Gaussian smoothing, and
    its second derivatives along each axis and each pair of axes. Their weighted sum is the
    estimate convolved with a kernel that can sharpen or smooth in any direction.

    Parameters
    ----------
    estimate
        Axes ZYX or YX, any real dtype; axes of one voxel have no derivatives.

    Returns
    -------
    numpy.ndarray
        Axes (feature, Z, Y, X), float32, in the unit of the estimate.
    """
    values = np.asarray(estimate, np.float32)
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    fine = gaussian_filter(values, _sigmas(values, _FINE))
    coarse = gaussian_filter(values, _sigmas(values, _COARSE))
    parts = [values, values - fine, fine - coarse]
    parts += [gaussian_filter1d(values, _DERIVATIVE, axis, order=2) for axis in axes]
    for first, second in itertools.combinations(axes, 2):
        order = [int(axis in (first, second)) for axis in range(values.ndim)]
        parts.append(gaussian_filter(values, _sigmas(values, _DERIVATIVE), order=order))
    return np.stack(parts).astype(np.float32, copy=False)


def _sigmas(values: NDArray[Any], sigma: float) -> list[float]:
    """Return `sigma` for each axis, 0 along an axis of one voxel."""
    return [sigma if size > 1 else 0.0 for size in values.shape]
