"""Pixels that say nothing about the object: hot, dead and saturated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import maximum_filter, median_filter, minimum_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["odd_pixels", "saturated_part"]

_JUMP = 6.0  # standard deviations of the noise beyond all neighbours
_SPREAD = 3.0  # and this many times what the neighbours differ by


def odd_pixels(
    stabilised: NDArray[np.float32],
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which pixels are hot or dead, and the values with those replaced by a median.

    Such a pixel is far beyond all of its neighbours, and by much more than these differ from
    each other: a spot of light is blurred by the microscope, and never that lonely.

    Parameters
    ----------
    stabilised
        Values with noise of standard deviation 1, axes ZYX or YX, float32.
    """
    around = np.ones(tuple(min(3, size) for size in stabilised.shape), bool)
    around[tuple(size // 2 for size in around.shape)] = False
    if not around.any():
        return np.zeros(stabilised.shape, bool), stabilised
    highest = maximum_filter(stabilised, footprint=around, mode="mirror")
    lowest = minimum_filter(stabilised, footprint=around, mode="mirror")
    least = np.maximum(_JUMP, _SPREAD * (highest - lowest))
    odd = (stabilised - highest > least) | (lowest - stabilised > least)
    if not odd.any():
        return odd, stabilised
    replaced = stabilised.copy()
    replaced[odd] = median_filter(stabilised, footprint=around, mode="mirror")[odd]
    return odd, replaced


def saturated_part(array: NDArray[Any]) -> float:
    """Return the part of the pixels with the largest value that whole numbers of their type have.

    Values of 10, 12, 14 and 16 bits are recognised in larger types; 0 for floating point.
    """
    if array.dtype.kind not in "ui" or array.size == 0:
        return 0.0
    highest = int(array.max())
    limits = {2**bits - 1 for bits in (8, 10, 12, 14, 16)} | {int(np.iinfo(array.dtype).max)}
    return float((array == highest).mean()) if highest in limits else 0.0
