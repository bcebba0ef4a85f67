"""The gain of images in which single photons are counted, so that most voxels have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["counted_photons"]

_MOST_VALUES = 64  # different values of an image in which photons are counted
_LIKE_POISSON = (0.8, 1.25)  # variance per mean, in steps of the values, of counted photons
_FREQUENT = 0.005  # fraction of the voxels that have no photon
_SOME = 1_000_000  # voxels from which the values are taken


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
