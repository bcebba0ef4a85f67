"""Filtered versions of an estimate: the basis of the local convolution kernels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch

from napari_cellinr.classic.smoothing import CPU, as_array, as_tensor, gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["features", "iter_features"]

_FINE, _DERIVATIVE, _COARSE = 0.7, 1.0, 1.5


def features(estimate: NDArray[Any], device: torch.device = CPU) -> NDArray[np.float32]:
    """Return the responses of an estimate to filters of several scales and directions.

    They are the estimate, its differences between no, fine and coarse Gaussian smoothing, and
    its second derivatives along each axis and each pair of axes. Their weighted sum is the
    estimate convolved with a kernel that can sharpen or smooth in any direction.

    Parameters
    ----------
    estimate
        Axes ZYX or YX, any real dtype; axes of one voxel have no derivatives.
    device
        Where to compute.

    Returns
    -------
    numpy.ndarray
        Axes (feature, Z, Y, X), float32, in the unit of the estimate.
    """
    return as_array(torch.stack(list(iter_features(as_tensor(estimate, device)))))


def iter_features(estimate: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield what `features` returns one by one, so that not all are in memory at a time.

    Parameters
    ----------
    estimate
        Axes ZYX or YX, float32, on any device.
    """
    axes = [axis for axis, size in enumerate(estimate.shape) if size > 1]
    fine, coarse = (
        gaussian_filter(estimate, _sigmas(estimate, sigma)) for sigma in (_FINE, _COARSE)
    )
    yield estimate
    yield estimate - fine
    yield fine - coarse
    del fine, coarse
    pairs = itertools.combinations(axes, 2)
    for ends in itertools.chain(zip(axes, axes, strict=True), pairs):
        order = [ends.count(axis) for axis in range(estimate.ndim)]
        sigmas = _sigmas(estimate, _DERIVATIVE)
        if 2 in order:  # along an axis, the derivative is smoothed along no other one
            sigmas = [sigma * (count > 0) for sigma, count in zip(sigmas, order, strict=True)]
        yield gaussian_filter(estimate, sigmas, order)


def _sigmas(values: torch.Tensor, sigma: float) -> list[float]:
    """Return `sigma` for each axis, 0 along an axis of one voxel."""
    return [sigma if size > 1 else 0.0 for size in values.shape]
