"""Factors by which predicted standard errors are multiplied so that intervals cover 90 %."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_cellinr.methods.cellinr.model import N_LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COVERAGE", "INTERVAL", "REMAINING", "by_frequency", "calibrate"]

COVERAGE, INTERVAL = 0.9, 1.6449
"""Fraction of the voxels whose error is at most so many standard errors."""

REMAINING = np.repeat((1.0, 1.0, 1.1), N_LEVELS // 3)
"""Errors at each level, in those that synthetic images, residuals and the frequency of a brightness
predict together: of bright structure more is lost than the residual shows, on average over 70
images of known truth (docs/decisions/residual-field.md)."""

PASSES = 6
"""Improvements of the factors, each of which also serves the voxels between two levels."""

CELLS = 8
"""Cells of a histogram of brightness per standard error."""

SMOOTHNESS = 0.5
"""Width of the Gaussian by which a histogram of brightness is smoothed, in standard errors:
narrower, its curvature is chance; wider, the peak of an even background is smoothed away."""

MOST_CELLS = 20_000
"""Cells of a histogram above which brightness varies far more than results err."""

BY_FREQUENCY = (0.25, 4.0)
"""Smallest and largest squared error relative to that of voxels of all brightnesses: with
2.5 instead of 4 dark thirds are covered worse, with 0.15 instead of 0.25 images with stripes."""


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


def by_frequency(
    results: NDArray[np.float32], errors: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return levels of brightness, and the root mean square error at each relative to `errors`.

    In an even background the darkest results are those that err most, and those at the most
    frequent brightness err least. If results have a normal error of standard deviation s around
    the truth, and p is their frequency at a brightness r, the mean squared error at r is
    s² (1 + s² p''/p), which needs no truth (Tweedie's formula: Efron 2011, Journal of the American
    Statistical Association 106, 1602).

    Parameters
    ----------
    results
        Brightness of the result, shape (n,).
    errors
        Standard error of each, whatever its brightness, shape (n,).
    """
    order = np.argsort(results, kind="stable")
    ordered, squared = results[order].astype(np.float64), errors[order].astype(np.float64) ** 2
    ends = [number * len(ordered) // N_LEVELS for number in range(N_LEVELS + 1)]
    factors = np.ones(N_LEVELS)
    for number, (first, end) in enumerate(itertools.pairwise(ends)):
        if end > first:
            error = float(squared[first:end].mean()) ** 0.5
            factors[number] = _relative(ordered, first, end, error)
    return np.quantile(ordered, (np.arange(N_LEVELS) + 0.5) / N_LEVELS), factors


def _relative(ordered: NDArray[np.float64], first: int, end: int, error: float) -> float:
    """Return the relative error of the values from `first` to `end` of rising values."""
    low, high = ordered[first] - 8 * error, ordered[end - 1] + 8 * error
    cell = error / CELLS
    if not error > 0 or high - low > MOST_CELLS * cell:
        return 1.0
    near = ordered[slice(*np.searchsorted(ordered, (low, high)))]
    n_cells = int((high - low) / cell) + 2
    counts, own = (
        np.bincount(((values - low) / cell).astype(int), minlength=n_cells).astype(np.float64)
        for values in (near, ordered[first:end])
    )
    width = SMOOTHNESS * CELLS
    frequency = gaussian_filter1d(counts, width, mode="constant")
    curvature = gaussian_filter1d(counts, width, order=2, mode="constant") * CELLS**2
    squared = 1 + curvature / np.maximum(frequency, 1e-9)
    mean = float(np.average(np.clip(squared, -1, BY_FREQUENCY[1]), weights=own))
    return float(np.sqrt(np.clip(mean, *BY_FREQUENCY)))
