"""Factors by which predicted standard errors are multiplied so that intervals cover 90 %."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.cellinr.model import N_LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["COVERAGE", "INTERVAL", "HeldOut", "calibrate"]

COVERAGE, INTERVAL = 0.9, 1.6449
"""Fraction of the voxels whose error is at most so many standard errors."""

PASSES = 6
"""Improvements of the factors, each of which also serves the voxels between two levels."""

EXPECTED, SPREAD = 1.2, 1.0
"""Mean and standard deviation, over images, of the squared error relative to synthetic images."""

NOISE_SPREAD = 0.05
"""Standard deviation of the variance of the noise, which is estimated."""

RANGE = (0.3, 9.0)
"""Smallest and largest squared error relative to synthetic images."""


@dataclass(frozen=True)
class HeldOut:
    """Results at held-out voxels, and how far the recorded values are from them; shape (n,).

    Parameters
    ----------
    results
        Brightness of the result, float32.
    left
        Recorded value minus result, in standard deviations of the noise, float32.
    """

    results: NDArray[np.float32]
    left: NDArray[np.float32]

    @classmethod
    def of(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """Return the held-out voxels of several images as those of one."""
        return cls(
            np.concatenate([part.results for part in parts]),
            np.concatenate([part.left for part in parts]),
        )

    def error_relative_to(
        self, synthetic: HeldOut, levels: NDArray[np.float64], *, correlated: bool
    ) -> NDArray[np.float64]:
        """Return the error of an image relative to that of synthetic ones, at levels of brightness.

        Synthetic images are as smooth as the estimate that they were made from, and so easier. By
        how much is measured on held-out voxels, whose squared distance from the result is the
        variance of the noise, 1, plus the squared error. This is weighted against what is known
        of other images.

        Parameters
        ----------
        synthetic
            The held-out voxels of the synthetic images.
        levels
            Brightness, rising, shape (level,).
        correlated
            Whether the noise of neighbours is correlated; then held-out voxels say nothing.

        Returns
        -------
        numpy.ndarray
            Ratio of root mean square errors, shape (level,).
        """
        edges = np.quantile(self.results, (1 / 3, 2 / 3))
        middles = np.quantile(self.results, (1 / 6, 1 / 2, 5 / 6))
        squared = []
        for number in range(3):
            own, known = (
                one.left[np.digitize(one.results, edges) == number].astype(np.float64)
                for one in (self, synthetic)
            )
            here, there = (float((one**2).mean()) - 1 if one.size else 0.0 for one in (own, known))
            there = max(there, 0.0)
            spread = 2 * (1 + max(here, 0.0)) ** 2 / max(own.size, 1) + NOISE_SPREAD**2
            weight = 0.0 if correlated else there**2 / spread
            squared.append(
                (EXPECTED / SPREAD**2 + weight * here / max(there, 1e-6)) / (1 / SPREAD**2 + weight)
            )
        return np.asarray(np.sqrt(np.interp(levels, middles, np.clip(squared, *RANGE))))


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
