"""Estimation of camera noise from the image alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import median_filter

from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.camera.noise_classes import (
    Block,
    Classes,
    is_whole,
    noise_classes,
    sampled,
    skewness_in_the_dark,
)
from napari_cellinr.classic.camera.single_photons import single_photons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "Known",
    "Noise",
    "counted_photons",
    "estimate_noise",
    "stabilise",
    "uneven_variance",
    "unstabilise",
]

_FLOOR = 1e-6  # smallest reported read noise, as a fraction of the range of values
_NOISELESS = 5e-4  # noise as a fraction of the range of values below which grain is ignored
_UNEVEN, _SMALLEST_VARIANCE = 0.8, 0.05  # variance below which noise is uneven; lower bound
_ROUNDING = 1 / 12  # variance of the error of rounding to whole grey levels
_GROWTH = 1.2  # growth of noise from reach 1 to 2, per axis, above which it may have a grain
_FALL = 0.94  # variance in the finest of two bands below which the noise is not white
_STRUCTURE = 1.1  # growth of the variance from a higher difference to the next lower one
_CHANCE = 2.0  # relative variance of a variance, times the number of residuals
_ZERO = 0.1  # variance without light, in that of the darkest class, that may as well be none
_NEAR, _FAR = (1, -2, 1), (1, 0, -2, 0, 1)  # second differences, of reach 1 and 2
_FOURTH, _SIXTH = (1, -4, 6, -4, 1), (1, -6, 15, -20, 15, -6, 1)  # higher differences
_EIGHTH = (1, -8, 28, -56, 70, -56, 28, -8, 1)
_EXTREME = 1e3  # range of values, in that of 99.8 % of them, that single voxels have caused
_SOME = 1_000_000  # voxels from which quantiles, or counted values, are taken
_MOST_VALUES = 64  # different values of an image in which photons are counted
_LIKE_POISSON = (0.8, 1.25)  # variance per mean, in steps of the values, of counted photons
_SIGNIFICANT = 2.5  # standard errors up to which a higher offset may be chance
_APART = 0.5  # read noise in photons, below which single photons stand apart
_FREQUENT = 0.005  # fraction of the voxels that have no photon


@dataclass(frozen=True)
class Known:
    """What is known of the noise, as in `Noise`; what is None is estimated.

    Parameters
    ----------
    gain, read_noise, offset
        In grey levels.
    grain
        In voxels.
    """

    gain: float | None = None
    read_noise: float | None = None
    offset: float | None = None
    grain: float | None = None


def estimate_noise(
    array: NDArray[Any], *, n_axes: int | None = None, known: Known | None = None
) -> Noise:
    """Return gain and read noise of noisy images of one camera, in grey levels.

    Second differences along every axis contain hardly any structure; where they do, higher ones
    take their place. In each class of equal local
    brightness, in the half of the voxels with less structure, their trimmed variance is a point
    of the line variance = gain · mean + constant. Classes are formed by a wide local mean; the
    brightness of a class is the mean with the squared weights of the difference, in which the
    expected variance is exactly linear. Uniform neighbourhoods of one value (masks), and classes
    with many voxels of the lowest or highest value (clipping, saturation), are excluded. Images
    in which single photons are counted have only such classes; see `counted_photons`. Where they
    stand out from the read noise, the variance of most voxels is that of the read noise alone; see
    `single_photons`.

    The line alone does not tell read noise from photons that an offset hides. The skewness of the
    noise in the dark does: read noise is symmetric, few photons are not.

    Spatially correlated noise (grain, after resizing or filtering) is suppressed by differences
    of neighbours, so that it grows with the reach of the difference. Fine texture grows, too; but
    under a texture, the spectrum of white noise is flat at the highest frequencies, which no
    microscope transmits, and that of grainy noise still falls. Grain is measured at reach 2
    (larger reaches include structure) and corrected for a Gaussian correlation.

    Parameters
    ----------
    array
        Grey levels, real; the last axes are those of an image, ZYX or YX, leading axes are
        further images. Values that are not finite, and images of one value, are ignored.
    n_axes
        Number of axes of one image, 2 or 3; all axes up to 3 if not given.
    known
        What is given, and not to be estimated.
    """
    values, known = np.asarray(array), known or Known()
    values = values.astype(np.uint8) if values.dtype == bool else values  # no quantiles of bool
    n_axes = min(values.ndim, 3) if n_axes is None else n_axes
    images = _not_blank(values.reshape(-1, *values.shape[values.ndim - n_axes :]))
    floor = _floor(images)
    if (counted := counted_photons(images)) is not None:
        return _completed(Noise(counted[0], floor, counted[1]), known)
    if (single := single_photons(images)) is not None:
        return _completed(Noise(*single), known)
    blocks = sampled(images)
    classes, grain = _white_or_grainy(images, blocks, floor, known.grain)
    if len(classes.mean) == 0:
        return _completed(Noise(0.0, floor), known)
    found = _model(classes, floor, grain, known)
    if known.read_noise is None and known.offset is None:
        return _with_read_noise(found, blocks)
    return found


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
    classes = noise_classes(sampled(np.asarray(stabilised, np.float32)[None]), _NEAR)
    if len(classes.mean) < 3:
        return None
    variance = median_filter(classes.variance, 3, mode="nearest")
    if not (variance < _UNEVEN).any():
        return None
    variance = np.where(variance < _UNEVEN, np.maximum(variance, _SMALLEST_VARIANCE), 1.0)
    return np.asarray(np.interp(estimate, classes.mean, variance), np.float32)


def _not_blank(images: NDArray[Any]) -> NDArray[Any]:
    """Return the images without those of one value, unless all are."""
    some = images.reshape(len(images), -1)[:, :: max(1, images[0].size // 1000)]
    flat = [index for index, row in enumerate(some) if not (row != row[0]).any()]
    blank = [index for index in flat if not (images[index] != some[index, 0]).any()]
    return images if len(blank) in {0, len(images)} else np.delete(images, blank, axis=0)


def _floor(images: NDArray[Any]) -> float:
    """Return a millionth of the range of values, at least 1e-6: never 0, also without noise.

    Single voxels that are far brighter than all others do not count.
    """
    finite = images[np.isfinite(images)]
    if not finite.size:
        return _FLOOR
    span = float(finite.max()) - float(finite.min())
    low, high = np.quantile(finite[:: finite.size // _SOME + 1], (0.001, 0.999))
    usual = float(high) - float(low)
    return _FLOOR * max(usual if 0 < usual < span / _EXTREME else span, 1)


def _white_or_grainy(
    images: NDArray[Any], blocks: Sequence[Block], floor: float, grain: float | None
) -> tuple[Classes, float]:
    """Return the classes with the full variance of the noise, and its grain in voxels."""
    near = noise_classes(blocks, _NEAR)
    if len(near.mean) == 0 or grain == 0:
        return _finer(blocks, near), 0.0
    far = noise_classes(blocks, _FAR)
    noisy = float(np.median(near.variance)) > (_NOISELESS / _FLOOR * floor) ** 2
    if len(far.mean) == 0 or (
        grain is None and not (noisy and _is_grainy(images, blocks, near, far))
    ):
        return _finer(blocks, near), 0.0
    return _with_grain(images, near, far, grain)


def _finer(blocks: Sequence[Block], near: Classes) -> Classes:
    """Return the classes of the lowest differences that contain no structure.

    Higher ones contain less of it, but have a larger error. Where the next higher ones have less
    variance, there is structure.
    """
    classes = near
    if len(near.mean) == 0:
        return near
    for difference in (_FOURTH, _SIXTH):
        higher = noise_classes(blocks, difference)
        if len(higher.mean) < len(near.mean) / 2:  # the images are too small
            break
        ratio = classes.variance / np.maximum(_at(classes.mean, higher), 1e-12)
        chance = 1 + np.sqrt(_CHANCE / classes.weight)
        if float(np.quantile(ratio / chance, 0.9)) < _STRUCTURE:
            break
        classes = higher
    return classes


def _high(images: NDArray[Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two differences that contain hardly any structure, the second one even less.

    Along three axes, lower differences suffice.
    """
    return (_FOURTH, _SIXTH) if _n_long(images) > 2 else (_SIXTH, _EIGHTH)


def _is_grainy(images: NDArray[Any], blocks: Sequence[Block], near: Classes, far: Classes) -> bool:
    """Return whether the noise grows with the reach, and its spectrum falls up to its end.

    Grain grows even in the classes with the least structure.
    """
    ratio = _at(near.mean, far) / np.maximum(near.variance, 1e-12)
    if float(np.quantile(ratio, 0.2)) < _GROWTH ** (2 * _n_long(images)):
        return False
    fine, finest = (noise_classes(blocks, difference) for difference in _high(images))
    if len(finest.mean) == 0:
        return True
    rounding = _ROUNDING if is_whole(images) else 0.0
    high = np.maximum(_at(fine.mean, finest) - rounding, 0)
    return float(np.median(high / np.maximum(fine.variance - rounding, 1e-12))) < _FALL


def _at(mean: NDArray[np.float64], classes: Classes) -> NDArray[np.float64]:
    """Return the variance of classes at these brightnesses."""
    return np.interp(mean, classes.mean, classes.variance)


def _n_long(images: NDArray[Any]) -> int:
    """Return the number of axes of an image along which differences are taken."""
    shortest = 2 * (len(_FAR) // 2) + 2
    return max(1, sum(int(size) > shortest for size in images.shape[1:]))


def _with_grain(
    images: NDArray[Any], near: Classes, far: Classes, known: float | None
) -> tuple[Classes, float]:
    """Return the classes with the full variance of grainy noise, and the grain in voxels.

    `near` and `far` are measured at reach 1 and 2. Rounding errors have no grain.
    """
    n_axes, grain = _n_long(images), known
    if grain is None:
        wide = _at(near.mean, far)
        grains = np.linspace(0.3, 1.5, 121)
        passed = _passed(grains, reach=1) / _passed(grains, reach=2)  # falls as the grain grows
        rounding = _ROUNDING if is_whole(images) else 0.0
        blurred = np.maximum(near.variance - rounding, near.variance / 4)
        kept = float(np.median(blurred / np.maximum(wide - rounding, blurred))) ** (1 / n_axes)
        grain = float(np.interp(-kept, -passed, grains))
    whole = far.variance / float(_passed(np.array(grain), reach=2)) ** n_axes
    return far._replace(variance=whole), grain


def _passed(grain: NDArray[Any], reach: int) -> NDArray[Any]:
    """Return the fraction of the variance of grainy noise that one difference keeps, per axis."""
    near, far = (np.exp(-((step * reach) ** 2) / (4 * grain**2)) for step in (1, 2))
    passed: NDArray[Any] = (6 - 8 * near + 2 * far) / 6
    return passed


def _model(classes: Classes, floor: float, grain: float, known: Known) -> Noise:
    """Return the noise that explains the classes, and is as known."""
    gain, constant = _line(classes)
    if known.gain is not None:
        gain = known.gain
        constant = _weighted_median(classes.variance - gain * classes.mean, classes.weight)
    nothing_known = known.gain is None and known.read_noise is None and known.offset is None
    near_zero = 0 < -constant < _ZERO * float(classes.variance.min())
    if nothing_known and near_zero:
        return Noise(_slope(classes), floor, grain=grain)
    if known.read_noise is not None:
        offset = max(known.read_noise**2 - constant, 0) / gain if gain > 0 else 0.0
        offset = min(offset, max(float(classes.mean.min()), 0.0))  # nothing is darker than it
        found = Noise(gain, known.read_noise, offset, grain)
    elif known.offset is not None:
        read = math.sqrt(max(constant + gain * known.offset, 0))
        found = Noise(gain, max(read, floor), known.offset, grain)
    elif constant >= 0:
        found = Noise(gain, max(math.sqrt(constant), floor), grain=grain)
    else:
        found = Noise(gain, floor, offset=-constant / gain if gain > 0 else 0.0, grain=grain)
    return _completed(found, known)


def _with_read_noise(noise: Noise, blocks: Sequence[Block]) -> Noise:
    """Return noise of the same variance, with as many photons in the dark as its skewness tells.

    The third power of the noise of photons is on average gain² · (mean − offset), that of read
    noise 0. An offset that is too low takes read noise for photons: then the Anscombe transform
    stretches what is dark, and its noise is no longer even. What may be chance changes nothing,
    and what is above it counts more and more (James and Stein 1961): similar images get similar
    noise. A blur that gives noise a grain makes it symmetric, and beside read noise of less than
    half a photon single photons stand apart: then nothing is changed. Nor is it where the noise
    seems to have the opposite skewness, which dark structures have, and no camera.
    """
    found = skewness_in_the_dark(blocks) if noise.gain > 0 and noise.grain == 0 else None
    if found is None or found.third < -_SIGNIFICANT * found.error:
        return noise
    offset = min(found.mean - found.third / noise.gain**2, found.darkest)
    rise, error = offset - noise.offset, found.error / noise.gain**2
    if rise <= _SIGNIFICANT * error:
        return noise
    rise *= 1 - (_SIGNIFICANT * error / rise) ** 2
    read = math.sqrt(noise.read_noise**2 + noise.gain * rise)
    if read < _APART * noise.gain:
        return noise
    return replace(noise, read_noise=read, offset=noise.offset + rise)


def _completed(noise: Noise, known: Known) -> Noise:
    """Return the noise with what is known in the place of what was estimated."""
    names = ("gain", "read_noise", "offset", "grain")
    given = {name: value for name in names if (value := getattr(known, name)) is not None}
    return replace(noise, **given)


def _line(classes: Classes) -> tuple[float, float]:
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


def _slope(classes: Classes) -> float:
    """Return the slope of the line through the origin: the weighted median of the ratios."""
    mean, variance, weight = classes
    bright = mean > 0
    ratio = variance[bright] / mean[bright]
    return _weighted_median(ratio, weight[bright])


def _trust(variance: NDArray[Any], expected: NDArray[Any]) -> NDArray[Any]:
    """Return Huber weights of classes by their relative distance from the line."""
    safe = np.maximum(expected, 1e-3 * float(np.median(variance)) + 1e-12)
    relative = (variance - expected) / safe
    usual = 1.5 * float(np.median(np.abs(relative))) + 1e-12
    huber = np.minimum(1, usual / np.maximum(np.abs(relative), 1e-12))
    trust: NDArray[Any] = huber * np.where(relative > 0, 0.5, 1.0) / safe**2
    return trust


def _weighted_median(values: NDArray[Any], weight: NDArray[Any]) -> float:
    """Return the value below which half of the weight is."""
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])


def counted_photons(images: NDArray[Any]) -> tuple[float, float] | None:
    """Return the grey levels per photon and without photons, or None if none are counted.

    The values have one step, the lowest is frequent, and the variance of the difference of
    neighbours is that of a Poisson distribution: the step times the mean above the lowest.

    Parameters
    ----------
    images
        Grey levels, real, axes (image, Z, Y, X) or (image, Y, X).
    """
    finite = images[np.isfinite(images)]
    values, counts = np.unique(finite[:: finite.size // _SOME + 1], return_counts=True)
    if not 2 <= len(values) <= _MOST_VALUES or counts[0] < _FREQUENT * counts.sum():
        return None
    steps = np.diff(values.astype(np.float64))
    step = float(steps.min())
    if np.abs(steps / step - np.round(steps / step)).max() > 1e-3:
        return None
    photons = (images.astype(np.float64) - float(values[0])) / step
    variance, mean = np.nanmean(np.diff(photons, axis=-1) ** 2) / 2, np.nanmean(photons)
    if not _LIKE_POISSON[0] < variance / mean < _LIKE_POISSON[1]:
        return None
    return step, float(values[0])
