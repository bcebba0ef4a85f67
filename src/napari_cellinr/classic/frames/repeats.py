"""Planes and frames that were stored twice: with noise, no two are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter

from napari_cellinr.classic.camera.sampled_noise import sample_noise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise

__all__ = ["has_noise", "repeats", "without_repeats"]

_NOISELESS = 1e-4  # noise in the range of grey levels, below which an image may be simulated
_WHITE = 0.4  # fourth in second differences, scaled to be 1 for white noise; less is structure
_USUAL = (0.1, 99.9)  # percentiles between which the range is, without single hot pixels
_SECOND = np.array([1, -2, 1]) / 6**0.5
_FOURTH = np.array([1, -4, 6, -4, 1]) / 70**0.5
_SMOOTH = 0.6  # standard deviation in pixels of the mean that leaves little noise, and detail


def repeats(images: Sequence[NDArray[Any]] | NDArray[Any]) -> list[int]:
    """Return the positions of images that are the one before them, to the bit.

    Images of one value are none, such as planes without data. Neither are images without noise:
    nothing may have changed.

    Parameters
    ----------
    images
        Planes or frames that follow each other, axes [Z,] Y, X each, real.
    """
    return [
        number
        for number in range(1, len(images))
        if np.array_equal(images[number], images[number - 1]) and has_noise(images[number])
    ]


def has_noise(image: NDArray[Any]) -> bool:
    """Return whether neighbouring pixels differ as by noise, where not all have the lowest value.

    The detail of noise is as strong in fourth as in second differences, unlike that of an image.
    An image of two values, such as a mask, has none.

    Parameters
    ----------
    image
        Axes [Z,] Y, X, real.
    """
    values = np.asarray(image, np.float64)
    some = values > values.min()
    some[..., :2, :], some[..., -2:, :], some[..., :2], some[..., -2:] = (False,) * 4
    if not some.any() or not (some & (values < values.max())).any():
        return False
    second, fourth = (float(np.median(_detail(values, d)[some])) for d in (_SECOND, _FOURTH))
    low, high = np.percentile(values, _USUAL)
    span = high - low if high > low else np.ptp(values)
    return bool(second >= _NOISELESS * span and fourth >= _WHITE * second > 0)


def _detail(values: NDArray[np.float64], difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the size of differences along both axes of the planes."""
    rough: NDArray[np.float64] = correlate1d(correlate1d(values, difference, -1), difference, -2)
    return np.abs(rough)


def without_repeats(
    volume: NDArray[np.float32],
    copies: Collection[int],
    noise: Noise,
    generator: np.random.Generator,
) -> NDArray[np.float32]:
    """Return a volume with other planes in place of copies, float32.

    They are interpolated along Z from smoothed planes, and have noise of their own: that of a copy
    would count as structure.

    Parameters
    ----------
    volume
        Grey levels, axes ZYX.
    copies
        Positions of the planes to replace, not all.
    noise
        Of the volume, in grey levels.
    generator
        Random numbers of the noise.
    """
    replaced = np.array(volume, np.float32)
    own = [plane for plane in range(len(volume)) if plane not in copies]
    for plane in copies:
        before, after = ([n for n in own if (n < plane) == side] for side in (True, False))
        first, last = (before or after[:1])[-1], (after or before[-1:])[0]
        part = (plane - first) / (last - first) if last > first else 0.0
        mean = (1 - part) * replaced[first] + part * replaced[last]
        replaced[plane] = sample_noise(gaussian_filter(mean, _SMOOTH), noise, generator)
    return replaced
