"""Offsets of the rows, columns and pixels of a camera, found from the images that it recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import dct, idct
from scipy.ndimage import correlate1d, gaussian_filter, gaussian_filter1d, median_filter

from napari_cellinr.classic.camera.pixel_offsets import FINE, WHITE, find_pixel_offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.hot_lines import HotLine

__all__ = ["CameraPattern", "find_pattern"]

_PARTS = 4  # parts of the lines that have to show the same offsets
_ALIKE = 0.3  # smallest covariance of those, in their variance
_FEWEST = 32  # smallest number of lines, and of pixels along a line
_SMOOTH = (6.0, 3.0, 1.5)  # standard deviations in lines of the mean that counts as specimen
_ROUNDS = 3  # times that this mean is corrected by the offsets found before
_TRIM = 2.0  # standard deviations beyond which a value does not count for a mean
_DARK = 0.1  # quantile of the pixels of a line that shows its offset and no specimen
_DARK_WIDTH = 1.0  # standard deviation in pixels of the mean in which that is looked for
_LARGEST = 3.0  # amplitude of a wave across the lines, in standard deviations of random offsets
_OUTLYING = 3.0  # deviation of a line, in robust standard deviations, that is no usual offset
_HOT = 6.0  # the same beyond which a line is hot or dead, and must not spoil those beside it
_FEW = 0.06  # largest fraction of such lines; more are edges or lines of a specimen


@dataclass(frozen=True)
class CameraPattern:
    """Offsets of the camera, in grey levels, with mean 0 but for hot and dead lines.

    Parameters
    ----------
    offsets
        Of each pixel, axes YX, float32.
    kinds
        What was found: `rows`, `columns`, `pixels`.
    uncertainty
        Standard deviation of the true mean of all offsets, which cannot be told from the offset of
        the whole camera, in grey levels.
    pixel_error
        Standard error of the offsets of single pixels, in grey levels; 0 if there are none.
    odd
        The part of the offsets that is of single hot and dead pixels, axes YX, if there are any.
    lines
        Hot and dead rows and columns, whose heights are a part of the offsets, too.
    """

    offsets: NDArray[np.float32]
    kinds: tuple[str, ...]
    uncertainty: float = 0.0
    pixel_error: float = 0.0
    odd: NDArray[np.float32] | None = None
    lines: tuple[HotLine, ...] = ()


def find_pattern(images: NDArray[Any]) -> CameraPattern | None:
    """Return the offsets that all images have in common; None if there are none.

    Rows and columns: their means over each of four parts of the lines have the same fine detail,
    up to the highest frequencies, which no microscope transmits. Pixels: so have their means over
    the first and the second half of the images; this needs eight images. Where there is much more
    detail at lower frequencies, it is the specimen's, and nothing is taken for a pattern. Single
    lines far from all others, such as a hot column, do not count for that; what they differ by from
    the nearest other line is in their own offset.

    Parameters
    ----------
    images
        Grey levels of one camera, axes (image, Y, X), real and finite.
    """
    values = np.asarray(images, np.float32)
    total, kinds, variance = np.zeros(values.shape[1:], np.float32), [], 0.0
    for axis, kind in ((1, "rows"), (2, "columns")):
        found = _line_offsets(np.moveaxis(values - total, axis, 1))
        if found is not None:
            total += found[:, None] if axis == 1 else found
            kinds.append(kind)
            variance += float(_usual(found).var()) / len(found)
    error = 0.0
    if (pixels := find_pixel_offsets(values - total)) is not None:
        offsets, error = pixels
        total += offsets - offsets.mean()
        kinds.append("pixels")
        variance += float(offsets.var()) / offsets.size
    if not kinds:
        return None
    return CameraPattern(total, tuple(kinds), variance**0.5, error)


def _line_offsets(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return the offset of each line, axes (image, line, pixel); None if they have none."""
    n_lines, length = values.shape[1:]
    if n_lines < _FEWEST or length < _FEWEST:
        return None
    values, hot = _without_hot_lines(values)
    parts = np.array_split(np.arange(length), _PARTS)
    found = np.stack([_means(_detail(values[:, :, part], _SMOOTH[-1])) for part in parts])
    limit = _OUTLYING * _spread(found)
    if float((np.abs(found.mean(0)) > limit).mean()) > _FEW:
        return None
    found = np.clip(found, -limit, limit)
    fine = correlate1d(found, FINE, 1)[:, 2:-2]
    products = fine @ fine.T / fine.shape[1]
    between = products[~np.eye(_PARTS, dtype=bool)]
    variance = float(between.mean())
    if not (between > _ALIKE * np.diag(products).mean()).all():
        return None
    for width in _SMOOTH:
        offsets = _usual(_means(_detail(values, width)))
        if float(offsets.var()) < WHITE * variance:
            break
    else:
        return None
    for _ in range(_ROUNDS):
        offsets = _usual(offsets + _means(_detail(values - offsets[:, None], width)))
    return _with_slow_part(values, offsets, float(np.sqrt(variance))) + hot


def _without_hot_lines(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return values in which hot and dead lines equal their neighbours, and what they had more.

    Such lines are far from those on both sides; a wall or an edge of a specimen is wider.

    Parameters
    ----------
    values
        Grey levels, axes (image, line, pixel).
    """
    middle = np.median(np.moveaxis(values, 1, 0).reshape(values.shape[1], -1), axis=1)
    height = middle - median_filter(middle, 5, mode="nearest")
    hot = np.abs(height) > _HOT * max(_spread(height), 1e-6 * float(np.abs(height).max()))
    more = np.zeros(len(middle), np.float32)
    if not hot.any() or hot.all():
        return values, more
    good = np.flatnonzero(~hot)
    nearest = good[np.abs(np.flatnonzero(hot)[:, None] - good).argmin(1)]
    replaced = values.copy()
    replaced[:, hot] = values[:, nearest]
    more[hot] = middle[hot] - middle[nearest]
    return replaced, more


def _spread(offsets: NDArray[np.float32]) -> float:
    """Return the standard deviation of offsets with mean 0, on which outliers have no influence."""
    return 1.4826 * float(np.median(np.abs(offsets)))


def _usual(offsets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return offsets of lines, those far from all others reduced to the largest usual ones."""
    limit = _OUTLYING * _spread(offsets)
    return np.clip(offsets, -limit, limit)


def _with_slow_part(
    values: NDArray[np.float32], offsets: NDArray[np.float32], sd: float
) -> NDArray[np.float32]:
    """Return the offsets of lines with that part that varies slowly across them.

    It is taken from the darkest pixels of each line, which show no specimen. Offsets are random,
    so that all waves across the lines have the same standard deviation, that of their finest
    detail. What is larger is background that changes along the image, and stays.

    Parameters
    ----------
    values
        Grey levels, axes (image, line, pixel).
    offsets
        Of each line, without the slow part.
    sd
        Standard deviation of the offsets in their finest detail.
    """
    smooth = gaussian_filter(values - offsets[:, None], (0, _DARK_WIDTH, _DARK_WIDTH))
    lines = np.moveaxis(smooth, 1, 0).reshape(len(offsets), -1)
    waves = dct(offsets + np.quantile(lines, _DARK, axis=1), norm="ortho")
    waves[0] = 0  # the mean
    return np.asarray(idct(waves.clip(-_LARGEST * sd, _LARGEST * sd), norm="ortho"), np.float32)


def _detail(values: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """Return what varies across the lines, axes (image, line, pixel), faster than this width."""
    return np.asarray(values - gaussian_filter1d(values, width, axis=1), np.float32)


def _means(residual: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each line over images and pixels, without values far from it."""
    lines = np.moveaxis(residual, 1, 0).reshape(residual.shape[1], -1)
    middle = np.median(lines, axis=1, keepdims=True)
    reach = _TRIM * 1.4826 * np.median(np.abs(lines - middle), axis=1, keepdims=True)
    return np.asarray(np.clip(lines, middle - reach, middle + reach).mean(1), np.float32)
