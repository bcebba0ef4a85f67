"""Residuals, and by how much errors exceed those on synthetic images, which they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Residual", "relative_error"]

WIDTH = 1.0
"""Standard deviation of the Gaussian, in voxels, that separates structure that a result has lost
from noise: the narrowest that removes most of independent noise."""

OUTLYING = 4.0
"""Standard deviations beyond which a residual counts as so much only: normal noise has hardly any
such, and single hot pixels must not decide."""

LEAST_SPREAD = 0.05
"""Smallest standard deviation that is taken for that of the residuals, in that of the noise: they
are nearly 0 where the result is the recording."""

USUAL = 1.2
"""Squared error relative to synthetic images where the noise has a grain, whose residuals say
nothing: the mean of other images."""

RANGE = (0.7, 6.0)
"""Smallest and largest squared error relative to synthetic images: a third of the voxels
with hardly any residual, or with a fault of the camera, is no measure of the errors."""


@dataclass(frozen=True)
class Residual:
    """A result, and recorded values minus result; axes ZYX, float32.

    Parameters
    ----------
    results
        Brightness of the result.
    residual
        Recorded values minus result, in standard deviations of the noise.
    errors
        Truth minus result, if the truth is known.
    """

    results: NDArray[np.float32]
    residual: NDArray[np.float32]
    errors: NDArray[np.float32] | None = None


def relative_error(
    real: Sequence[Residual], synthetic: Sequence[Residual], *, correlated: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return three levels of brightness, and the error there relative to synthetic images.

    Synthetic images are as smooth as the result that they were made from, and their noise is the
    model's. Where the noise of the image is stronger, so is the error that it causes; that is seen
    in the finest detail of the residual. Where a result has lost structure, the residual has more
    energy after smoothing than noise alone would have.

    Parameters
    ----------
    real
        Parts of the image.
    synthetic
        Synthetic images of the same parts, with errors.
    correlated
        Whether the noise of neighbours is correlated; then the residual says nothing.

    Returns
    -------
    tuple
        Brightness in the middle of each third, and ratio of root mean square errors, shape (3,).
    """
    results = _joined([one.results for one in real])
    middles = np.quantile(results, (1 / 6, 1 / 2, 5 / 6)).astype(np.float64)
    if correlated:
        return middles, np.full(3, USUAL**0.5)
    every = _joined([one.residual for one in real])
    limit = OUTLYING * max(1.4826 * float(np.median(np.abs(every))), LEAST_SPREAD)
    fine, coarse = _energies(real, [one.residual for one in real], limit)
    fine_drawn, coarse_drawn = _energies(synthetic, [one.residual for one in synthetic], limit)
    errors = [one.residual if one.errors is None else one.errors for one in synthetic]
    _, missed = _energies(synthetic, errors, np.inf)
    noise = fine / np.maximum(fine_drawn, 1e-9)
    excess = np.maximum(coarse - np.maximum(noise, 1) * coarse_drawn, 0)
    squared = (1 + noise) / 2 + excess / np.maximum(missed, 1e-9)
    return middles, np.asarray(np.sqrt(np.clip(squared, *RANGE)), np.float64)


def _joined(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the values of all arrays, shape (n,)."""
    return np.concatenate([array.ravel() for array in arrays])


def _energies(
    parts: Sequence[Residual], images: Sequence[NDArray[np.float32]], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean squares of fine and coarse detail in each third of brightness."""
    edges = np.quantile(_joined([part.results for part in parts]), (1 / 3, 2 / 3))
    sums, counts = np.zeros((2, 3)), np.zeros(3)
    for part, image in zip(parts, images, strict=True):
        values = np.clip(image, -limit, limit)
        smooth = gaussian_filter(values, [WIDTH if size > 1 else 0.0 for size in values.shape])
        third = np.digitize(part.results, edges).ravel()
        counts += np.bincount(third, minlength=3)
        for total, power in zip(sums, (values**2, smooth**2), strict=True):
            total += np.bincount(third, power.ravel(), minlength=3)
    whole, coarse = sums / np.maximum(counts, 1)
    return whole - coarse, coarse
