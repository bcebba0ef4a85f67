"""Hot, dead, saturated and held-out pixels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import maximum_filter, median_filter, minimum_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise

__all__ = ["hold_out", "odd_pixels", "saturated_part"]

_JUMP = 6.0  # smallest distance from all neighbours, in standard deviations of the noise
_SPREAD = 3.0  # and in units of the range of the neighbours


def odd_pixels(
    stabilised: NDArray[np.float32],
    array: NDArray[Any] | None = None,
    noise: Noise | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which pixels are hot or dead, and the values with those replaced by a median.

    Such a pixel is above or below all of its neighbours by much more than these differ from each
    other; real objects are blurred by the microscope and never that isolated.

    Parameters
    ----------
    stabilised
        Values with noise of standard deviation 1, axes ZYX or YX, float32.
    array, noise
        The same in grey levels, and their noise: a dead pixel must be that far below its neighbours
        in grey levels, too. Without light, stabilisation stretches the differences between them.
    """
    around = np.ones(tuple(min(3, size) for size in stabilised.shape), bool)
    around[tuple(size // 2 for size in around.shape)] = False
    if not around.any():
        return np.zeros(stabilised.shape, bool), stabilised
    highest = maximum_filter(stabilised, footprint=around, mode="mirror")
    lowest = minimum_filter(stabilised, footprint=around, mode="mirror")
    least = np.maximum(_JUMP, _SPREAD * (highest - lowest))
    dead = lowest - stabilised > least
    if array is not None and noise is not None and dead.any():
        below = minimum_filter(array, footprint=around, mode="mirror")[dead]
        dead[dead] = below - array[dead] > _JUMP * noise.sd(below)
    odd = (stabilised - highest > least) | dead
    if not odd.any():
        return odd, stabilised
    replaced = stabilised.copy()
    replaced[odd] = median_filter(stabilised, footprint=around, mode="mirror")[odd]
    return odd, replaced


def saturated_part(array: NDArray[Any]) -> float:
    """Return the fraction of saturated pixels: those with the largest value of the data type.

    The largest values of 8, 10, 12, 14 and 16 bits are recognised in larger types; 0 for floats.
    """
    if array.dtype.kind not in "ui" or array.size == 0:
        return 0.0
    highest = int(array.max())
    limits = {2**bits - 1 for bits in (8, 10, 12, 14, 16)} | {int(np.iinfo(array.dtype).max)}
    return float((array == highest).mean()) if highest in limits else 0.0


def hold_out(
    values: NDArray[np.float32], part: float, generator: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which voxels are held out, and the values with those replaced by their neighbours.

    A replaced voxel becomes the mean of its neighbours that are not held out themselves. So
    nothing that is computed from the result depends on held-out values.

    Parameters
    ----------
    values
        Axes ZYX or YX, float32.
    part
        Fraction of the voxels to hold out; at least one is.
    generator
        Random numbers that choose them.

    Returns
    -------
    tuple
        Held-out voxels, bool, and the values, float32; axes of `values`.
    """
    held = generator.random(values.shape) < part
    if not held.any():
        held.flat[generator.integers(held.size)] = True
    seen = np.pad((~held).astype(np.float32), 1)
    padded = np.pad(values, 1)
    places = np.nonzero(held)
    total = np.zeros(len(places[0]), np.float32)
    count = np.zeros_like(total)
    for shift in itertools.product((0, 1, 2), repeat=values.ndim):
        neighbour = tuple(place + step for place, step in zip(places, shift, strict=True))
        total += padded[neighbour] * seen[neighbour]
        count += seen[neighbour]
    replaced = values.copy()
    replaced[places] = total / np.maximum(count, 1)
    return held, replaced
