"""Estimation of camera noise from a single image."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    correlate1d,
    gaussian_filter,
    maximum_filter,
    maximum_filter1d,
    median_filter,
    minimum_filter,
    minimum_filter1d,
)

from napari_cellinr.classic.anscombe import Noise, stabilise, unstabilise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Noise", "estimate_noise", "stabilise", "uneven_variance", "unstabilise"]

_TRIM = 0.9  # fraction of the residuals that is used in each brightness class
_TRIMMED = 0.6227  # mean square of the smallest 90 % of normal values of variance 1
_N_CLASSES = 40
_FEWEST = 20  # smallest number of residuals for an estimate
_SMALLEST_CLASS = 200  # residuals
_FLOOR = 1e-6  # smallest reported read noise, as a fraction of the range of values
_MOST_CLIPPED = 0.05  # largest fraction of a class that may have the lowest or highest value
_NOISELESS = 5e-4  # noise as a fraction of the range of values below which grain is ignored
_FEWEST_MASKED = 0.01  # smallest fraction of voxels in uniform neighbourhoods for a mask
_ONE_VALUE = 0.95  # smallest fraction of those that must have the same value
_UNEVEN, _SMALLEST_VARIANCE = 0.8, 0.05  # variance below which noise is uneven; lower bound
_ROUNDING = 1 / 12  # variance of the error of rounding to whole grey levels
_GROWTH = 1.2  # growth of noise from reach 1 to 2, per axis, above which it has a grain
_BLOCK = (24, 128, 128)  # voxels; large stacks are sampled in blocks of this size
_PLANE = 512  # pixels; the same for a single plane, along each axis
_MOST_BLOCKS = 8


def estimate_noise(array: NDArray[Any]) -> Noise:
    """Return gain and read noise of one noisy image, in grey levels.

    Second differences along every axis contain hardly any structure. In each class of equal local
    brightness, in the half of the voxels with less structure, their trimmed variance is a point
    of the line variance = gain · mean + constant. Classes are formed by a wide local mean; the
    brightness of a class is the mean with the squared weights of the difference, in which the
    expected variance is exactly linear. Uniform neighbourhoods of one value (masks), and classes
    with many voxels of the lowest or highest value (clipping, saturation), are excluded.

    Spatially correlated noise (grain, after resizing or filtering) is suppressed by differences
    of neighbours. It is detected by its growth with the reach of the difference, then measured
    at reach 2 (larger reaches include structure) and corrected for a Gaussian correlation.

    Parameters
    ----------
    array
        Grey levels, real, axes ZYX or YX; leading axes are further images. Values that are not
        finite are ignored.
    """
    classes = _classes(array, reach=1)
    floor = _floor(array)
    grain = 0.0
    if len(classes.mean) == 0:
        return Noise(0.0, floor)
    if float(np.median(classes.variance)) > (_NOISELESS / _FLOOR * floor) ** 2:
        classes, grain = _with_grain(array, classes, _classes(array, reach=2))
    gain, constant = _line(classes)
    if constant >= 0:
        return Noise(gain, max(math.sqrt(constant), floor), grain=grain)
    if -constant < 0.1 * float(np.median(classes.variance)):  # compatible with 0
        return Noise(_slope(classes), floor, grain=grain)
    return Noise(gain, floor, offset=-constant / gain, grain=grain)


def uneven_variance(stabilised: NDArray[Any], estimate: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return the variance of stabilised noise at each voxel, float32; `None` if it is 1.

    Below one or two photons per voxel the transform cannot stabilise the variance, which is then
    less than 1. Only values below 1 are detected, because larger ones may be structure.

    Parameters
    ----------
    stabilised
        Values of `stabilise`, axes ZYX or YX.
    estimate
        Estimate of their means, same shape.
    """
    classes = _classes(np.asarray(stabilised, np.float32), reach=1)
    if len(classes.mean) < 3:
        return None
    variance = median_filter(classes.variance, 3, mode="nearest")
    if not (variance < _UNEVEN).any():
        return None
    variance = np.where(variance < _UNEVEN, np.maximum(variance, _SMALLEST_VARIANCE), 1.0)
    return np.asarray(np.interp(estimate, classes.mean, variance), np.float32)


class _Classes(NamedTuple):
    """Classes of voxels of similar brightness: mean, noise variance and number of residuals."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    weight: NDArray[np.float64]


def _floor(array: NDArray[Any]) -> float:
    """Return a millionth of the range of values, at least 1e-6: never 0, also without noise."""
    values = np.asarray(array)
    finite = values[np.isfinite(values)]
    span = float(finite.max()) - float(finite.min()) if finite.size else 0.0
    return max(_FLOOR * span, _FLOOR)


def _with_grain(array: NDArray[Any], near: _Classes, far: _Classes) -> tuple[_Classes, float]:
    """Return the classes with the full variance of the noise, and its grain in voxels.

    `near` and `far` are measured at reach 1 and 2. The noise has a grain if it grows with the
    reach even in the classes with the least structure. Rounding errors have no grain.
    """
    n_axes = min(np.ndim(array), 3)
    if len(far.mean) == 0:
        return near, 0.0
    wide = np.interp(near.mean, far.mean, far.variance)
    ratio = wide / np.maximum(near.variance, 1e-12)
    if float(np.quantile(ratio, 0.2)) < _GROWTH ** (2 * n_axes):
        return near, 0.0
    grains = np.linspace(0.3, 1.5, 121)
    passed = _passed(grains, reach=1) / _passed(grains, reach=2)  # falls as the grain grows
    rounding = _ROUNDING if _is_whole(np.asarray(array)) else 0.0
    blurred = np.maximum(near.variance - rounding, near.variance / 4)
    kept = float(np.median(blurred / np.maximum(wide - rounding, blurred))) ** (1 / n_axes)
    grain = float(np.interp(-kept, -passed, grains))
    whole = far.variance / float(_passed(np.array(grain), reach=2)) ** n_axes
    return far._replace(variance=whole), grain


def _is_whole(values: NDArray[Any]) -> bool:
    """Return whether the first 10,000 values are whole numbers."""
    return bool(np.all(values.ravel()[:10_000] % 1 == 0))


def _passed(grain: NDArray[Any], reach: int) -> NDArray[Any]:
    """Return the fraction of the variance of grainy noise that one difference keeps, per axis."""
    near, far = (np.exp(-((step * reach) ** 2) / (4 * grain**2)) for step in (1, 2))
    passed: NDArray[Any] = (6 - 8 * near + 2 * far) / 6
    return passed


def _classes(array: NDArray[Any], reach: int) -> _Classes:
    """Return the classes of all images in `array` together."""
    parts = [part for block in _blocks(array) if (part := _samples(block, reach))]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if not parts or len(columns[0]) < _FEWEST:
        return _Classes(np.empty(0), np.empty(0), np.empty(0))
    residual, mean, wide, activity, clipped = columns
    smallest = min(_SMALLEST_CLASS, len(wide))
    rows = []
    for chosen in _members(wide, min(_N_CLASSES, len(wide) // smallest)):
        if len(chosen) < smallest or clipped[chosen].mean() > _MOST_CLIPPED:
            continue
        calm = chosen[activity[chosen] <= np.median(activity[chosen])]
        rows.append((mean[calm].mean(), _trimmed(residual[calm]), len(calm)))
    return _Classes(*np.array(rows, np.float64).reshape(-1, 3).T)


def _members(wide: NDArray[Any], n_classes: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of the voxels of each class.

    Half of the class borders are quantiles and half are equally spaced in brightness: few voxels
    are bright, but they determine the gain.
    """
    levels = np.linspace(0, 1, n_classes // 2 + 2)[1:-1]
    darkest, brightest = float(wide.min()), float(wide.max())
    even = darkest + levels * (brightest - darkest)
    borders = np.unique(np.concatenate([np.quantile(wide, levels), even]))
    order = np.argsort(wide, kind="stable")
    yield from np.split(order, np.searchsorted(wide[order], borders))


def _trimmed(residual: NDArray[Any]) -> float:
    """Return the variance of normal residuals, estimated without the largest 10 % of them."""
    squares = np.sort(np.square(residual, dtype=np.float64))
    return float(squares[: max(1, int(_TRIM * len(squares)))].mean()) / _TRIMMED


def _samples(block: NDArray[Any], reach: int) -> tuple[NDArray[Any], ...]:
    """Return residual, own mean, wide mean, activity and clipping of the usable voxels.

    The result is empty for a block that is too small for the filter along every axis. The
    activity is the energy of medium frequencies, which the residual does not contain, so that
    selecting voxels of low activity does not select small residuals.
    """
    values = np.asarray(block, np.float32)
    missing = ~np.isfinite(values)
    values = np.where(missing, 0, values)
    missing |= _mask(values)
    clipped = missing | (values == values.min()) | (values == values.max())
    residual, mean, masked = values, values, clipped
    inside = [slice(None)] * values.ndim
    for axis, size in enumerate(values.shape):
        if size <= 2 * reach + 2:
            continue
        inside[axis] = slice(reach, -reach)
        residual = correlate1d(residual, _spread((1, -2, 1), reach) / math.sqrt(6), axis)
        mean = correlate1d(mean, _spread((1, 4, 1), reach) / 6, axis)
        masked = minimum_filter1d(masked, 3, axis)
        missing = maximum_filter1d(missing, 2 * reach + 1, axis)
    if inside == [slice(None)] * values.ndim:
        return ()
    fine = gaussian_filter(values, 1.0)
    activity = gaussian_filter((fine - gaussian_filter(values, 2.5)) ** 2, 1.5)
    columns = (residual, mean, gaussian_filter(values, 1.5), activity, clipped)
    usable = ~(masked | missing)[tuple(inside)]
    return tuple(column[tuple(inside)][usable] for column in columns)


def _mask(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where one value fills whole neighbourhoods, as outside of a mask.

    There is no noise there, and reduced noise in adjacent neighbourhoods. Integer images with
    little noise look alike: in them, only the lowest or highest value can be a mask.
    """
    flat = maximum_filter(values, 3) == minimum_filter(values, 3)
    if flat.mean() < _FEWEST_MASKED:
        return np.zeros_like(flat)
    value = np.median(values[flat])
    inside = bool(values.min() < value < values.max())
    if (values[flat] == value).mean() < _ONE_VALUE or (inside and _is_whole(values)):
        return np.zeros_like(flat)
    masked: NDArray[np.bool_] = binary_dilation(flat & (values == value), np.ones((3,) * flat.ndim))
    return masked


def _spread(weights: tuple[int, int, int], reach: int) -> NDArray[np.float64]:
    """Return three weights `reach` voxels apart."""
    kernel = np.zeros(2 * reach + 1)
    kernel[::reach] = weights
    return kernel


def _blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the images in `array`, or evenly scattered blocks of the large ones."""
    n_dimensions = min(array.ndim, 3)
    images = array.reshape(-1, *array.shape[array.ndim - n_dimensions :])
    n_blocks = max(1, _MOST_BLOCKS // len(images))
    for image in images[:: math.ceil(len(images) / _MOST_BLOCKS)]:
        block = _BLOCK if n_dimensions == 3 else (_PLANE,) * n_dimensions
        if image.size <= n_blocks * math.prod(block):
            yield image
            continue
        starts = [
            sorted({round(place * max(size - length, 0)) for place in (0.2, 0.8)})
            for size, length in zip(image.shape, block, strict=True)
        ]
        corners = list(itertools.product(*starts))
        odd = math.ceil(len(corners) / n_blocks) | 1  # an even step would stay on one side
        for corner in corners[::odd]:
            yield image[tuple(slice(a, a + n) for a, n in zip(corner, block, strict=True))]


def _line(classes: _Classes) -> tuple[float, float]:
    """Return the slope (0 or more) and the constant of variance against mean, robustly.

    Iteratively reweighted least squares; the variance of a variance is proportional to its
    square. Classes above the line have less weight, because structure can only add variance.
    """
    mean, variance, weight = classes
    weights = weight / np.maximum(variance, 1e-12) ** 2
    slope, constant = 0.0, float(np.median(variance))
    for _ in range(20 if len(mean) > 2 else 0):
        centre = np.average(mean, weights=weights)
        level = np.average(variance, weights=weights)
        spread = np.average((mean - centre) ** 2, weights=weights)
        covariance = np.average((mean - centre) * (variance - level), weights=weights)
        slope = max(float(covariance / max(spread, 1e-12)), 0.0)
        constant = float(level - slope * centre)
        weights = weight * _trust(variance, slope * mean + constant)
    return slope, constant


def _slope(classes: _Classes) -> float:
    """Return the slope of the line through the origin: the weighted median of the ratios."""
    mean, variance, weight = classes
    bright = mean > 0
    ratio = variance[bright] / mean[bright]
    order = np.argsort(ratio)
    share = np.cumsum(weight[bright][order])
    return float(ratio[order][np.searchsorted(share, share[-1] / 2)])


def _trust(variance: NDArray[Any], expected: NDArray[Any]) -> NDArray[Any]:
    """Return Huber weights of classes by their relative distance from the line."""
    safe = np.maximum(expected, 1e-3 * float(np.median(variance)) + 1e-12)
    relative = (variance - expected) / safe
    usual = 1.5 * float(np.median(np.abs(relative))) + 1e-12
    huber = np.minimum(1, usual / np.maximum(np.abs(relative), 1e-12))
    trust: NDArray[Any] = huber * np.where(relative > 0, 0.5, 1.0) / safe**2
    return trust
