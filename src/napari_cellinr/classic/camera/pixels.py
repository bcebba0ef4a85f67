"""Hot, dead, saturated and held-out pixels."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import maximum_filter, median_filter, minimum_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise

__all__ = ["has_halo", "held_places", "hold_out", "odd_pixels", "saturated_part", "without_held"]

HELD_BLOCK = 32
"""Voxels along each axis of a block with random numbers of its own."""

_JUMP = 6.0  # smallest distance from all neighbours, in standard deviations of the noise
_SPREAD = 3.0  # and in units of the range of the neighbours
_HALO = (4.0, 0.04)  # height of the nearest neighbours of a small object: in standard deviations
# of the noise, and in its own height


def odd_pixels(
    stabilised: NDArray[np.float32],
    array: NDArray[Any] | None = None,
    noise: Noise | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which pixels are hot or dead, and the values with those replaced by a median.

    Such a pixel is above or below all of its neighbours by much more than these differ from each
    other. Real objects are blurred by the microscope, so that their nearest neighbours are
    brighter than those next to them; they stay, also where the noise is not well known.

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
    hot = stabilised - highest > least
    if hot.any():
        hot[hot] = ~has_halo(stabilised, np.argwhere(hot))
    odd = hot | dead
    if not odd.any():
        return odd, stabilised
    replaced = stabilised.copy()
    replaced[odd] = median_filter(stabilised, footprint=around, mode="mirror")[odd]
    return odd, replaced


def has_halo(values: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which bright pixels have neighbours in the plane that are brighter than theirs.

    The microscope blurs all that it images, so that a hot pixel has none.

    Parameters
    ----------
    values
        Values with noise of standard deviation 1, axes ZYX or YX.
    places
        The pixels, axes (pixel, Z, Y, X) or (pixel, Y, X).
    """
    padded = np.pad(values, [(0, 0)] * (values.ndim - 2) + [(2, 2)] * 2, mode="reflect")
    *planes, rows, columns = places.T

    def at(steps: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
        shifted = [padded[(*planes, rows + 2 + y, columns + 2 + x)] for y, x in steps]
        return np.asarray(np.median(shifted, axis=0), np.float32)

    ring = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2]
    around = at(ring)
    least, part = _HALO
    raised = at([(-1, 0), (1, 0), (0, -1), (0, 1)]) - around
    return np.asarray(raised > np.maximum(least, part * (at([(0, 0)]) - around)))


def saturated_part(array: NDArray[Any]) -> float:
    """Return the fraction of saturated pixels: those with the largest value of the data type.

    The largest values of 8, 10, 12, 14 and 16 bits are recognised in larger types, also where the
    bits are stored at the top of the type, so that all values are multiples of a power of 2; 0 for
    floats.
    """
    if array.dtype.kind not in "ui" or array.size == 0:
        return 0.0
    highest = int(array.max())
    limits = {2**bits - 1 for bits in (8, 10, 12, 14, 16)} | {int(np.iinfo(array.dtype).max)}
    if highest not in limits and highest & 1 == 0 and array.min() >= 0:
        used = int(np.bitwise_or.reduce(array, axis=None))
        unit = used & -used
        limits = {unit * (2**bits - 1) for bits in (10, 12, 14) if unit * 2**bits == 2**16}
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
    return held, without_held(values, held)


def held_places(
    shape: Sequence[int], part: float, seed: Sequence[int], corner: Sequence[int]
) -> NDArray[np.bool_]:
    """Return which voxels of a part of an image are held out, whatever part it is; bool.

    The image is divided into blocks of `HELD_BLOCK` voxels along each axis, each with random
    numbers of its own, so that a voxel is held out in all parts that contain it or in none.

    Parameters
    ----------
    shape
        Voxels of the part along each axis.
    part
        Fraction of the voxels to hold out.
    seed
        Whole numbers from 0 that determine the choice.
    corner
        First voxel of the part along each axis of the image.
    """
    held = np.zeros(tuple(shape), bool)
    blocks = [
        range(first // HELD_BLOCK, -(-(first + size) // HELD_BLOCK))
        for first, size in zip(corner, shape, strict=True)
    ]
    for block in itertools.product(*blocks):
        generator = np.random.default_rng((*seed, *block))
        found = generator.random((HELD_BLOCK,) * held.ndim) < part
        there, here = [], []
        for number, first, size in zip(block, corner, shape, strict=True):
            start = max(first, number * HELD_BLOCK)
            stop = min(first + size, (number + 1) * HELD_BLOCK)
            there.append(slice(start - number * HELD_BLOCK, stop - number * HELD_BLOCK))
            here.append(slice(start - first, stop - first))
        held[tuple(here)] = found[tuple(there)]
    if not held.any():
        held.flat[0] = True
    return held


def without_held(values: NDArray[np.float32], held: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return values with the held-out ones replaced as in `hold_out`, float32.

    Parameters
    ----------
    values
        Axes ZYX or YX, float32.
    held
        Held-out voxels, bool, same shape.
    """
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
    return replaced
