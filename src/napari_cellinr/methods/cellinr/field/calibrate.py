"""Factors by which predicted standard errors are multiplied so that intervals cover 90 %."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.cellinr.model import N_LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COVERAGE", "INTERVAL", "calibrate"]

COVERAGE, INTERVAL = 0.9, 1.6449
"""Fraction of the voxels whose error is at most so many standard errors."""

PASSES = 6
"""Improvements of the factors, each of which also serves the voxels between two levels."""


def calibrate(
    ratios: NDArray[np.float32], results: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return levels of brightness, and the factor of the standard errors at each; shape (level,).

    Between two levels, factors are linear.

    Parameters
    ----------
    ratios
        True error of each voxel, without sign, divided by the predicted standard error, shape (n,).
    results
        Brightness of the result at each of these voxels, shape (n,).
    """
    parts = (np.arange(N_LEVELS) + 0.5) / N_LEVELS
    levels = np.quantile(results, parts).astype(np.float64)
    levels += np.arange(N_LEVELS) * 1e-6 * max(1.0, float(np.abs(levels).max()))  # they must rise
    bins = np.digitize(results, np.quantile(results, np.arange(1, N_LEVELS) / N_LEVELS))
    factors = np.ones(N_LEVELS)
    for _ in range(PASSES):
        scaled = ratios / np.interp(results, levels, factors)
        for number in range(N_LEVELS):
            own = scaled[bins == number]
            if own.size:
                factors[number] *= max(float(np.quantile(own, COVERAGE)) / INTERVAL, 1e-3)
    return levels, factors
