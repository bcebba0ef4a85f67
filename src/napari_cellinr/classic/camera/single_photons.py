"""Noise of images in which single photons stand out from the read noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SinglePhotons", "single_photons"]

_SOME = 300_000
_NORMAL = 1.4826  # standard deviation of normal values, in their median absolute deviation
_USUAL = 3.0  # standard deviations within which values count for the level without photons
_OUTSIDE = 4.0  # standard deviations from that level beyond which a voxel has photons
_FEWEST, _RAREST = 50, 0.005  # voxels that have photons, and their fraction of all
_BELOW = 0.02  # voxels as far below the level without photons, per voxel with photons
_RESOLVED = 6.5  # grey levels per photon, in standard deviations of the read noise
_SPREAD = 1.3  # standard deviation of the level of one photon, in that of the read noise
_LIKE_POISSON = (0.8, 1.25)  # variance per mean of counted photons
_VALLEY = 0.3  # voxels halfway to that level, in those at it: both within a tenth of a photon
_LOW = 0.1  # fraction of the voxels with photons that is darker than where their level is sought
_PASSES = 5


class SinglePhotons(NamedTuple):
    """Grey levels per photon, read noise and level without photons, all in grey levels."""

    gain: float
    read_noise: float
    offset: float


def single_photons(images: NDArray[Any]) -> SinglePhotons | None:
    """Return the noise of images in which single photons stand out, or None if they do not.

    With less than half a photon per voxel, most voxels have none: their level is the offset, and
    their spread the read noise. The few others are far above them, at the level of one photon,
    with the same spread. That these are photons, and neither hot pixels of all values nor
    structure, is seen in the variance of the difference of neighbours: it is that of a Poisson
    distribution.

    The variance of most voxels, which noise is otherwise estimated from, is that of the read noise
    alone here.

    Parameters
    ----------
    images
        Grey levels, real, axes (image, Z, Y, X) or (image, Y, X).
    """
    values = images.reshape(-1)[:: images.size // _SOME + 1].astype(np.float64)
    values = values[np.isfinite(values)]
    if values.size < _FEWEST:
        return None
    offset, read = _without_photons(values)
    above = values[values > offset + _OUTSIDE * read] - offset
    fewest = max(_FEWEST, _RAREST * values.size)
    if read <= 0 or not fewest <= above.size <= values.size / 2:
        return None
    below = np.count_nonzero(values < offset - _OUTSIDE * read)
    gain = float(np.quantile(above, _LOW))  # not of those with two photons or more
    for _ in range(_PASSES):
        one = above[np.abs(above - gain) < gain / 2]
        if one.size < fewest:
            return None
        gain = float(np.median(one))
    at_half, at_one = (
        np.count_nonzero(np.abs(values - offset - part * gain) < gain / 10) for part in (0.5, 1)
    )
    is_even = one.std() < _SPREAD * read
    is_apart = gain >= _RESOLVED * read and at_half < _VALLEY * at_one
    if below > _BELOW * above.size or not (is_even and is_apart):
        return None
    found = SinglePhotons(gain, read, offset)
    return found if _is_poisson(images, found) else None


def _without_photons(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return level and standard deviation of the most frequent values, which have no photons."""
    level = float(np.median(values))
    spread = _NORMAL * float(np.median(np.abs(values - level)))
    next_to_it = 0.0
    if spread == 0:  # nearly all have one value: the next values on both sides count, too
        steps = np.abs(values[values != level] - level)
        next_to_it = 1.5 * float(steps.min()) if steps.size else 0.0
    for _ in range(_PASSES):
        usual = values[np.abs(values - level) <= max(_USUAL * spread, next_to_it)]
        level, spread = float(usual.mean()), float(usual.std())
    return level, spread


def _is_poisson(images: NDArray[Any], found: SinglePhotons) -> bool:
    """Return whether the variance of the photons, from neighbours along X and Y, is their mean."""
    some = _some_planes(images)
    photons = (np.where(np.isfinite(some), some, np.nan) - found.offset) / found.gain
    mean, (least, most) = _mean(photons), _LIKE_POISSON
    for axis in (-1, -2):
        if photons.shape[axis] > 1:
            variance = _mean(np.diff(photons, axis=axis) ** 2) / 2
            variance -= (found.read_noise / found.gain) ** 2
            if not least * mean < variance < most * mean:
                return False
    return True


def _some_planes(images: NDArray[Any]) -> NDArray[Any]:
    """Return evenly scattered planes of about `_SOME` voxels together, float32, one at least."""
    planes = images.reshape(-1, *images.shape[-2:])
    n_chosen = min(len(planes), math.ceil(_SOME / planes[0].size))
    chosen = np.rint(np.linspace(0, len(planes) - 1, n_chosen)).astype(int)
    some: NDArray[np.float32] = planes[chosen].astype(np.float32)
    return some


def _mean(values: NDArray[Any]) -> float:
    """Return the mean of the finite values; NaN if there are none."""
    n_finite = np.count_nonzero(np.isfinite(values))
    return float(np.nansum(values)) / n_finite if n_finite else math.nan
