"""The blur with which planes look like those of a finer camera once they are made coarser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Factors: TypeAlias = tuple[int, int]

__all__ = ["coarser", "measured_blur"]

BLURS: Final = (0.0, 0.15, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0)
"""Standard deviations of the microscope's blur that are tried, in recorded pixels."""


def measured_blur(planes: Floats, factors: Factors) -> float:
    """Return the blur with which planes, made coarser, have the share of fine detail they have now.

    Parameters
    ----------
    planes
        (planes, rows, columns), float32, without noise.
    factors
        By which they are made coarser along Y and X.

    Returns
    -------
    float
        The standard deviation of the microscope's blur, in pixels of the planes. Detail is the mean
        square of second differences in that of first ones.
    """
    found = {}
    sought = _detail(planes, factors)
    for blur in BLURS:
        widths = [blur * np.sqrt(factor**2 - 1) for factor in factors]
        trial = coarser(gaussian_filter(planes, (0, *widths), mode="nearest"), factors)
        found[blur] = abs(np.log(_detail(trial, factors) / sought))
    return min(found, key=lambda blur: found[blur])


def coarser(planes: Floats, factors: Factors) -> Floats:
    """Return means over blocks of pixels, float32.

    Parameters
    ----------
    planes
        (planes, rows, columns), whole multiples of the factors.
    factors
        Pixels of a block along Y and X.
    """
    count, rows, columns = planes.shape
    down, right = factors
    blocks = planes.reshape(count, rows // down, down, columns // right, right)
    return np.asarray(blocks.mean((2, 4)), np.float32)


def _detail(planes: Floats, factors: Factors) -> float:
    """Return the mean square of second differences in that of first ones, along refined axes."""
    axes = [axis for axis, factor in enumerate(factors, 1) if factor > 1]
    first, second = (
        sum(float(np.mean(np.diff(planes, order, axis) ** 2)) for axis in axes) for order in (1, 2)
    )
    return (second + 1e-20) / (first + 1e-20)
