"""Offsets of the single pixels of a camera, found from the images that it recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import correlate1d, gaussian_filter

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.estimate import nlm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise

__all__ = ["FINE", "WHITE", "find_pixel_offsets"]

FINE = np.array((1, -4, 6, -4, 1)) / np.sqrt(70)
"""Filter of the finest detail; it leaves the variance of white noise as it is."""

WHITE = 1.6
"""Largest variance of offsets in a band with specimen, in that of one without."""

_FEWEST, _FEWEST_PIXELS = 8, 32  # images, and pixels along an axis
_NEAR = 1.0  # standard deviation in pixels of the mean that counts as specimen
_ROUNDS = 3  # times that this mean is corrected by the offsets found before
_TRIM = 2.0  # standard deviations beyond which a value does not count for a mean
_SIGNIFICANT = 0.05  # smallest part of the variance of single pixels that offsets have to be
_DENOISED = 2  # times that the specimen is estimated by denoising
_DISTANCE = 5  # search distance of the non-local means, in pixels
_MOST = 2**26  # values, from which offsets are known well enough without that
_REACH = 3.0  # standard deviations from the median beyond which a value does not count


def find_pixel_offsets(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], float] | None:
    """Return the offset of each pixel, axes YX, and their standard error, in grey levels.

    None if they have none, or if the specimen is the same in all images.

    Parameters
    ----------
    values
        Grey levels of one camera, axes (image, Y, X).
    """
    if len(values) < _FEWEST or min(values.shape[1:]) < _FEWEST_PIXELS:
        return None
    first, second = (_typical(half) for half in np.array_split(values, 2))
    fine = [correlate1d(correlate1d(half, FINE, 0), FINE, 1) for half in (first, second)]
    offset = float(np.mean(fine[0] * fine[1]))
    noise = float(np.mean((fine[0] - fine[1]) ** 2)) / 4
    kept = _kept(_NEAR)
    near = [half - gaussian_filter(half, _NEAR) for half in (first, second)]
    wide = float(np.mean(near[0] * near[1])) / kept
    if offset <= _SIGNIFICANT * noise * len(values) or wide > WHITE * offset:
        return None
    mean = (first + second) / 2
    detail = mean - gaussian_filter(mean, _NEAR)
    for _ in range(_ROUNDS):
        left = mean - detail
        detail = detail + left - gaussian_filter(left, _NEAR)
    offsets = detail * np.float32(offset / (offset + noise))
    error = (offset * noise / (offset + noise)) ** 0.5
    if values.size > _MOST:
        return offsets, error
    return _with_denoised_specimen(values, offsets, offset, error)


def _with_denoised_specimen(
    values: NDArray[np.float32], offsets: NDArray[np.float32], variance: float, error: float
) -> tuple[NDArray[np.float32], float]:
    """Return offsets as what is left of the images without the specimen, and their standard error.

    The specimen is estimated in each image on its own, by non-local means of the image without the
    offsets found before; across images, the offsets would be taken for a part of it. Dark places
    have less noise, and count more (minimum mean squared error of random offsets).

    Parameters
    ----------
    values
        Grey levels, axes (image, Y, X).
    offsets
        A first estimate, axes YX.
    variance, error
        Of the true offsets, and standard error of the first estimate.
    """
    for _ in range(_DENOISED):
        clean = values - offsets
        noise = estimate_noise(clean, n_axes=2)
        if noise.grain > 0:  # neighbouring values are alike without a specimen
            break
        offsets, error = _without_specimen(values, clean, noise, variance)
    return offsets, error


def _without_specimen(
    values: NDArray[np.float32], clean: NDArray[np.float32], noise: Noise, variance: float
) -> tuple[NDArray[np.float32], float]:
    """Return the mean of what is left of images without their specimen, and its standard error.

    Parameters
    ----------
    values
        Grey levels, axes (image, Y, X).
    clean
        The same without offsets; changed, since large planes need much memory.
    noise
        Of these.
    variance
        Of the true offsets.
    """
    left, sd = clean, np.empty_like(clean)
    for number, plane in enumerate(clean):
        estimate = nlm(
            stabilise(plane, noise), distance=_DISTANCE, n_workers=torch.get_num_threads()
        )
        specimen = unstabilise(estimate, noise)
        sd[number] = noise.sd(specimen)
        left[number] = values[number] - specimen
    np.maximum(sd, 1e-3 * float(sd.max()) + 1e-12, out=sd)
    middle = np.median(left, axis=0)
    for rest, spread in zip(left, sd, strict=True):
        reach = _REACH * spread
        np.clip(rest, middle - reach, middle + reach, out=rest)
    precision = (sd**-2).sum(0) + 1 / variance
    left /= sd**2
    offsets = np.asarray(left.sum(0) / precision, np.float32)
    return offsets, float(np.mean(1 / precision)) ** 0.5


def _typical(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of images without what is smooth in each, and without outliers."""
    detail = images - gaussian_filter(images, (0, 2 * _NEAR, 2 * _NEAR))
    middle = np.median(detail, axis=0)
    reach = _TRIM * 1.4826 * np.median(np.abs(detail - middle), axis=0)
    return np.asarray(np.clip(detail, middle - reach, middle + reach).mean(0), np.float32)


def _kept(width: float) -> float:
    """Return the part of the variance of white noise that is left without its Gaussian mean."""
    point = np.zeros((33, 33))
    point[16, 16] = 1
    return float(((point - gaussian_filter(point, width)) ** 2).sum())
