"""Another estimate, mixed into the result of the network where that is better than it alone.

In a plane to which the network adds little, patch groups are filtered once more, with its result
as the guide: that is a better one than what the first groups were searched for in.

With much light, few similar patches are similar enough, and what the network learns from is no
better than the estimate. A single patch is sparse then. With little light, groups of patches are
similar by chance, and their mean follows the noise. A Gaussian mean chooses nothing. The errors of
either differ from those of the network, so that the mean of both is better than each
(docs/decisions/residual-field.md).

The standard error and the held-out error stay those of the network alone. These estimates are given
the held-out voxels, so that their own error there says nothing; and what they do to the errors of
the synthetic images would have to be computed on those, too, which takes as long again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.anscombe import unstabilise
from napari_cellinr.classic.collaborative import collaborative_seconds, iter_collaborative
from napari_cellinr.classic.local_cosines import sparse_estimate
from napari_cellinr.classic.smoothing import as_array, as_tensor, gaussian_filter
from napari_cellinr.fitting.problem import finish

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.methods.cellinr.field.fitted import FittedField
    from napari_cellinr.methods.cellinr.initial.part import Part

__all__ = [
    "dimness",
    "filtered_part",
    "smoothed",
    "smoothed_part",
    "sparse_part",
    "with_second_filter",
    "with_smoothed_image",
    "with_sparse_estimate",
]

SPARSE_FROM, SPARSE_RISE = 15.0, 150.0
"""Contrast in standard deviations of the noise up to which the network alone is better than with a
sparse estimate, and contrast by which the part of that rises by 1."""

MOST_SPARSE = 0.5
"""Largest part of the sparse estimate."""

SMOOTHED_UP_TO, SMOOTHED_FALL = 6.0, 2.0
"""Contrast from which the network alone is better than with a smoothed image, and contrast by which
the part of that falls from the largest to 0."""

MOST_SMOOTHED = 0.2
"""Largest part of the smoothed image."""

MOST_FILTERED, TRUSTED_GAIN = 0.4, (0.35, 0.55)
"""Largest part of the second filter; and the decibels that a network gains on synthetic images up
to which it has that part, and from which on it has none."""

SMALLEST = 8
"""Pixels along an axis below which a plane has no patches."""

BRIGHTEST = 0.999
"""Fraction of the voxels that are darker than the brightest places."""

WIDTHS = np.arange(0.5, 3.01, 0.25)
"""Standard deviations of the Gaussians that are tried, in voxels."""


def sparse_part(result: NDArray[np.float32]) -> float:
    """Return the part of the sparse estimate in the mean of both, 0 to 0.5.

    It rises linearly with the contrast, from 0 at about 100 photons at the brightest places to a
    half at 3000.

    Parameters
    ----------
    result
        Denoised values, any axes, in standard deviations of the noise.
    """
    return float(np.clip((_contrast(result) - SPARSE_FROM) / SPARSE_RISE, 0, MOST_SPARSE))


def smoothed_part(result: NDArray[np.float32]) -> float:
    """Return the part of the smoothed image in the mean of both, 0 to 0.2.

    Parameters
    ----------
    result
        Denoised values, any axes, in standard deviations of the noise.
    """
    return MOST_SMOOTHED * dimness(result)


def dimness(result: NDArray[np.float32]) -> float:
    """Return 1 where there is little light, 0 from about 20 photons at the brightest places.

    Parameters
    ----------
    result
        Denoised values, any axes, in standard deviations of the noise.
    """
    return float(np.clip((SMOOTHED_UP_TO - _contrast(result)) / SMOOTHED_FALL, 0, 1))


def _contrast(result: NDArray[np.float32]) -> float:
    """Return the difference between the brightest or darkest places and the median."""
    low, middle, high = np.quantile(result, (1 - BRIGHTEST, 0.5, BRIGHTEST))
    return float(max(high - middle, middle - low))


def filtered_part(gain: float) -> float:
    """Return the part of the second filter in the mean of both, 0 to 0.4.

    Parameters
    ----------
    gain
        Decibels that the network gains on synthetic images.

    Returns
    -------
    float
        0 where the network gains enough to be better alone.
    """
    least, most = TRUSTED_GAIN
    return MOST_FILTERED * float(np.clip((most - gain) / (most - least), 0, 1))


def with_second_filter(
    fitted: FittedField, part: Part, device: torch.device, *, deadline: float | None = None
) -> FittedField:
    """Return a network that has the plane, filtered again, mixed into what it adds.

    Parameters
    ----------
    fitted
        The network after its rounds; its correction has the axes of the image.
    part
        The image with its estimate, axes ZYX or YX; one of several planes is not filtered, nor one
        whose noise has a grain.
    device
        Where to compute.
    deadline
        A time of `time.monotonic` before which the filter has to end, or it is left out; no limit
        if not given.

    Returns
    -------
    FittedField
        With another correction of the same shape; `fitted` itself if there is nothing to mix in.
    """
    result = part.found.estimate + fitted.correction
    flat = result.shape[-2:]
    weight = np.float32(filtered_part(fitted.gain))
    is_plane = result.size == flat[0] * flat[1] and min(flat) >= SMALLEST
    if weight == 0 or not is_plane or part.noise.grain > 0 or not fitted.rounds:
        return fitted
    if deadline is not None and time.monotonic() + collaborative_seconds(flat) > deadline:
        return replace(fitted, is_unfiltered=True)
    variance = None if part.variance is None else part.variance.reshape(flat)
    values, guide = part.stabilised.reshape(flat), result.reshape(flat)
    job = iter_collaborative(values, guide, variance=variance, device=device, large=True)
    again = finish(job).reshape(result.shape)
    correction = fitted.correction + weight * (again - result)
    return replace(fitted, correction=correction.astype(np.float32), filtered=float(weight))


def with_sparse_estimate(fitted: FittedField, part: Part, device: torch.device) -> FittedField:
    """Return a network that has a sparse estimate mixed into what it adds.

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


def with_smoothed_image(fitted: FittedField, part: Part, device: torch.device) -> FittedField:
    """Return a network that has a smoothed image mixed into what it adds.

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
    weight = np.float32(smoothed_part(result))
    if weight == 0 or part.noise.grain > 0 or not fitted.rounds or part.views is None:
        return fitted
    recorded = part.recorded()
    usable = np.where(np.isfinite(recorded), recorded, unstabilise(result, part.noise))
    smooth = _in_deviations(smoothed(usable, device), part.noise, result)
    correction = fitted.correction + weight * (smooth - result)
    return replace(fitted, correction=correction.astype(np.float32), smoothed=float(weight))


def smoothed(values: NDArray[Any], device: torch.device) -> NDArray[np.float32]:
    """Return the Gaussian mean of the width that predicts each voxel best from all others.

    Parameters
    ----------
    values
        Grey levels, axes ZYX or YX.
    device
        Where to compute.
    """
    noisy = as_tensor(np.asarray(values, np.float32), device)
    best, least = noisy, np.inf
    for width in WIDTHS:
        mean = gaussian_filter(noisy, [width if size > 1 else 0.0 for size in values.shape])
        error = float(((mean - noisy) ** 2).mean()) / (1 - _own_part(width, values.shape)) ** 2
        if error < least:
            best, least = mean, error
    return as_array(best)


def _own_part(width: float, shape: tuple[int, ...]) -> float:
    """Return the weight of a voxel's own value in its Gaussian mean."""
    places = np.arange(-20, 21)
    one = 1 / float(np.exp(-(places**2) / (2 * width**2)).sum())
    return one ** sum(size > 1 for size in shape)


def _in_deviations(
    grey: NDArray[np.float32], noise: Noise, result: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the stabilised values, within the range of a result, that give these grey levels."""
    values = np.linspace(result.min() - 1, result.max() + 1, 4000, dtype=np.float32)
    return np.interp(grey, unstabilise(values, noise), values).astype(np.float32)
