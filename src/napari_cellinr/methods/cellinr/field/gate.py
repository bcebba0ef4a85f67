"""How much of a correction is applied, at each brightness: as much as held-out voxels support."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Blend", "blend"]

EXPECTED, SPREAD = 0.9, 0.3
"""Mean and standard deviation, over images, of the fraction of a correction that helps most."""

USUAL_GAIN = 0.5
"""Decibels gained on synthetic images, below which a correction is less certain to help.

The gain on synthetic images predicts that on the image itself, but is too hopeful.
"""

LEAST = 0.25
"""Fraction below which nothing of a correction is applied."""


@dataclass(frozen=True)
class Blend:
    """The fraction of a correction to apply, as a function of brightness.

    Parameters
    ----------
    levels
        Brightness of the estimate, in standard deviations of the noise, rising, shape (level,).
    fractions
        The fraction there, 0 to 1, shape (level,); linear between them.
    """

    levels: NDArray[np.float64]
    fractions: NDArray[np.float64]

    def at(self, estimate: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the fraction at each voxel of an estimate, float32."""
        return np.interp(estimate, self.levels, self.fractions).astype(np.float32)


def blend(
    estimate: NDArray[np.float32],
    correction: NDArray[np.float32],
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    gain: float,
    *,
    correlated: bool,
) -> Blend:
    """Return how much of a correction to apply in each third of brightness.

    If d is the difference between held-out values and the estimate, and c the correction, the
    squared error is lowest at the fraction sum(d c) / sum(c²), which the noise changes by
    sum(c²)^(-1/2). This is weighted against what is known of other images.

    Parameters
    ----------
    estimate, correction, values
        Axes ZYX, float32, in standard deviations of the noise; neither estimate nor correction
        was computed from the values that are held out.
    held
        Which voxels are held out.
    gain
        Decibels by which the correction reduces the error of synthetic images.
    correlated
        Whether the noise of neighbouring voxels is correlated; then held-out voxels say nothing.
    """
    levels, edges = np.quantile(estimate, (1 / 6, 1 / 2, 5 / 6)), (1 / 3, 2 / 3)
    third = np.digitize(estimate[held], np.quantile(estimate, edges))
    c = correction[held].astype(np.float64)
    d = (values - estimate)[held].astype(np.float64)
    expected = EXPECTED * min(1.0, max(0.0, gain) / USUAL_GAIN)
    fractions = []
    for number in range(3):
        own = third == number
        precision = 0.0 if correlated else float((c[own] ** 2).sum())
        product = 0.0 if correlated else float((c[own] * d[own]).sum())
        fraction = (product + expected / SPREAD**2) / (precision + 1 / SPREAD**2)
        fractions.append(0.0 if fraction < LEAST else min(1.0, fraction))
    return Blend(levels.astype(np.float64), np.asarray(fractions, np.float64))
