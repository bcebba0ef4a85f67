"""How much larger errors are than on synthetic images: what is left of the recorded values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Left", "relative_error"]

WIDTH = 1.0
"""Standard deviation of the Gaussian, in voxels, that separates structure that a result has lost
from noise."""

OUTLYING = 4.0
"""Standard deviations beyond which what is left counts as so much only."""

USUAL = 1.2
"""Squared error relative to synthetic images where the noise has a grain."""

RANGE = (0.7, 6.0)
"""Smallest and largest squared error relative to synthetic images."""


@dataclass(frozen=True)
class Left:
    """A result, and what it leaves of the recorded values; axes ZYX, float32.

    Parameters
    ----------
    results
        Brightness of the result.
    left
        Recorded values minus result, in standard deviations of the noise.
    errors
        Truth minus result, if the truth is known.
    """

    results: NDArray[np.float32]
    left: NDArray[np.float32]
    errors: NDArray[np.float32] | None = None


def relative_error(
    real: Sequence[Left], synthetic: Sequence[Left], *, correlated: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return three levels of brightness, and the error there relative to synthetic images.

    Synthetic images are as smooth as the result that they were made from, and their noise is the
    model's. Where the noise of the image is stronger, so is the error that it causes; that is seen
    in the finest detail of what is left. Where a result has lost structure, what is left has more
    energy after smoothing than noise alone would have.

    Parameters
    ----------
    real
        Parts of the image.
    synthetic
        Synthetic images of the same parts, with errors.
    correlated
        Whether the noise of neighbours is correlated; then what is left says nothing.

    Returns
    -------
    tuple
        Brightness in the middle of each third, and ratio of root mean square errors, shape (3,).
    """
    results = _joined([one.results for one in real])
    middles = np.quantile(results, (1 / 6, 1 / 2, 5 / 6)).astype(np.float64)
    if correlated:
        return middles, np.full(3, USUAL**0.5)
    every = _joined([one.left for one in real])
    limit = OUTLYING * max(1.4826 * float(np.median(np.abs(every))), 0.05)
    fine, coarse = _energies(real, [one.left for one in real], limit)
    fine_drawn, coarse_drawn = _energies(synthetic, [one.left for one in synthetic], limit)
    errors = [one.left if one.errors is None else one.errors for one in synthetic]
    _, missed = _energies(synthetic, errors, np.inf)
    noise = fine / np.maximum(fine_drawn, 1e-9)
    excess = np.maximum(coarse - np.maximum(noise, 1) * coarse_drawn, 0)
    squared = (1 + noise) / 2 + excess / np.maximum(missed, 1e-9)
    return middles, np.asarray(np.sqrt(np.clip(squared, *RANGE)), np.float64)


def _joined(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the values of all arrays, shape (n,)."""
    return np.concatenate([array.ravel() for array in arrays])


def _energies(
    parts: Sequence[Left], images: Sequence[NDArray[np.float32]], limit: float
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
