"""Impulse noise: single pixels at values that have nothing to do with what is around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.noise import counted_photons
from napari_cellinr.classic.camera.single_photons import single_photons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["impulses", "without_impulses"]

_FEWEST, _MOST = 1e-3, 0.08  # part of the pixels; fewer are found by `odd_pixels`
_OF_SOME = 5e-3  # the same of single planes, where most have none
_LEAST = 20  # pixels of all planes
_SMALLEST = 16  # pixels of a plane along each axis
_CLASSES = 12  # classes of brightness, each with noise of its own
_JUMP, _ABOVE = 7.0, 5.0  # least distance from the middle of the neighbours, and from the second
# farthest of them: in standard deviations of the noise
_HALO = (1.5, 0.04, 0.12)  # height of the nearest neighbours of a small object: in standard
# deviations of the noise, in its own height, and in that where there is impulse noise
_NORMAL, _REACH = 1.4826, 2.563  # median deviation, and the range of 80 %, of normal numbers
_PASSES = 3  # times that pixels are looked for, without those that were found before
_BLOCK = 10  # pixels with impulses that a block has on average
_EVEN = 1.5  # variance of their number in blocks, in the mean one, beyond which it is not chance
_ONE_SIDE, _BOTH = 0.05, 0.6  # dark pixels per bright one below which nearly all are bright, and
# above which both are as frequent
_SATURATED, _LEVELS = 0.9, 16  # part of the bright pixels with one value, and fewest other values
_FALLING = 0.85  # median of what is beyond the least height, in its mean: 0.69 of photons of an
# amplifier of random gain, about 1 of random or saturated values
_NEXT = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
_CROSS = [(-1, 0), (1, 0), (0, -1), (0, 1)]
_RING = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if max(abs(y), abs(x)) == 2]


def impulses(planes: Sequence[NDArray[Any]] | NDArray[Any]) -> list[NDArray[np.bool_]] | None:
    """Return the pixels of impulse noise of each plane; None if there are hardly any.

    Such a pixel is far above or below those around it, and none of these has a part of its
    height: the microscope blurs all that it images. Photons at low light are single bright pixels,
    too, but there are more of them where the specimen is bright, and most of them are just above
    the noise.

    Parameters
    ----------
    planes
        Planes of one camera, axes Y, X each, real and finite.
    """
    if not len(planes) or min(planes[0].shape) < _SMALLEST:
        return None
    heights = [_isolated(np.asarray(plane, np.float32)) for plane in planes]
    parts = np.array([float((height != 0).mean()) for height in heights])
    if parts.mean() < _FEWEST:  # some of the planes may have them
        few = parts < _OF_SOME
        heights = [h * 0 if none else h for h, none in zip(heights, few, strict=True)]
        n_planes = int((~few).sum())
    else:
        n_planes = len(planes)
    for of_photons in (False, True):
        found = [(height < 0) if of_photons else (height != 0) for height in heights]
        count = sum(int(mask.sum()) for mask in found)
        part = count / max(1, n_planes * found[0].size)
        if not _FEWEST <= part <= _MOST or count < _LEAST:
            return None
        if of_photons or not _may_be_photons(planes, heights):
            break
    return [
        _with_near_ones(np.asarray(plane, np.float32), mask, dark=of_photons)
        if mask.any()
        else mask
        for plane, mask in zip(planes, found, strict=True)
    ]


def _with_near_ones(
    plane: NDArray[np.float32], found: NDArray[np.bool_], *, dark: bool
) -> NDArray[np.bool_]:
    """Return impulse noise with what is on a structure, at an edge, or beside more of it.

    Parameters
    ----------
    plane
        Axes Y X.
    found
        The pixels that are certain.
    dark
        Whether only dark pixels are meant.
    """
    found = found.copy()
    for _ in range(_PASSES):
        places, heights = _candidates(without_impulses(plane, found), sure=False)
        places = places[heights < 0] if dark else places
        if not len(places):
            break
        found[tuple(places.T)] = True
    return found


def _may_be_photons(
    planes: Sequence[NDArray[Any]] | NDArray[Any], heights: Sequence[NDArray[np.float32]]
) -> bool:
    """Return whether the bright pixels may be single photons, which are never dark.

    Parameters
    ----------
    planes
        Axes Y, X each.
    heights
        What `_isolated` returns of each.
    """
    above = np.concatenate([height[height > 0] for height in heights])
    below = -np.concatenate([height[height < 0] for height in heights])
    if not len(above):
        return False
    bright = [height > 0 for height in heights]
    if _one_value(planes, bright):
        return False
    if len(below) > _BOTH * len(above):
        return False
    if _falls(above):
        return True
    if len(below) > _ONE_SIDE * len(above):
        return False
    values = np.asarray(planes)
    counted = counted_photons(values) is not None or single_photons(values) is not None
    return counted or _follow_brightness(planes, bright)


def _one_value(
    planes: Sequence[NDArray[Any]] | NDArray[Any], bright: Sequence[NDArray[np.bool_]]
) -> bool:
    """Return whether nearly all bright pixels have the largest value: photons have read noise."""
    values = np.concatenate([plane[mask] for plane, mask in zip(planes, bright, strict=True)])
    return (
        float((values == values.max()).mean()) > _SATURATED and len(np.unique(planes[0])) > _LEVELS
    )


def without_impulses(plane: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a plane in which pixels of impulse noise are the median of those around them.

    Parameters
    ----------
    plane
        Axes Y X.
    missing
        These pixels.
    """
    values = np.asarray(plane, np.float32).copy()
    holes = np.pad(np.where(missing, np.nan, values), 2, mode="reflect")
    rows, columns = np.nonzero(missing)
    if not len(rows):
        return values
    near = _at(holes, rows, columns, _NEXT)
    empty = np.isnan(near).all(axis=0)
    near[:, empty] = np.median(values)
    values[rows, columns] = np.nanmedian(near, axis=0)
    return values


def _isolated(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return by how much single pixels are farther from all around than they have to be.

    Parameters
    ----------
    plane
        Axes Y X.

    Returns
    -------
    NDArray
        Grey levels, axes Y X: negative for dark pixels, 0 for all others.
    """
    height = np.zeros(plane.shape, np.float32)
    values = plane
    for _ in range(_PASSES):
        places, far = _candidates(values)
        if not len(places):
            break
        height[tuple(places.T)] = far
        found = height != 0
        if found.mean() > _MOST:
            break
        values = without_impulses(plane, found)
    return height


def _candidates(
    values: NDArray[np.float32], *, sure: bool = True
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return pixels far from all but one neighbour, and by how much more than they have to be.

    Parameters
    ----------
    values
        Axes Y X.
    sure
        If not, two neighbours may be alike, and the others may have a larger part of the height.
    """
    padded = np.pad(values, 2, mode="reflect")
    n_rows, n_columns = values.shape
    cross = [padded[2 + y : 2 + y + n_rows, 2 + x : 2 + x + n_columns] for y, x in _CROSS]
    low = np.minimum(np.minimum(cross[0], cross[1]), np.minimum(cross[2], cross[3]))
    high = np.maximum(np.maximum(cross[0], cross[1]), np.maximum(cross[2], cross[3]))
    middle = np.asarray((cross[0] + cross[1] + cross[2] + cross[3] - low - high) / 2, np.float32)
    away = np.asarray(values - middle, np.float32)
    noise = _noise_of(middle, away)
    nothing = np.empty((0, 2), np.intp), np.empty(0, np.float32)
    if noise is None:
        return nothing
    rows, columns = np.nonzero(np.abs(away) > _JUMP * noise)
    if not len(rows):
        return nothing
    sd = noise[rows, columns]
    sign = np.sign(away[rows, columns])
    own = sign * values[rows, columns]
    near = np.sort(sign * _at(padded, rows, columns, _NEXT), axis=0)
    around = sign * np.median(_at(padded, rows, columns, _RING), axis=0)
    raised = sign * np.median(_at(padded, rows, columns, _CROSS), axis=0) - around
    good = (own - near[-2 if sure else -3] > _ABOVE * sd) & (own - around > _JUMP * sd)
    good &= raised < np.maximum(_HALO[0] * sd, _HALO[1 if sure else 2] * (own - around))
    far = (sign * (own - around - _JUMP * sd))[good]
    return np.stack([rows, columns], axis=1)[good], np.asarray(far, np.float32)


def _noise_of(middle: NDArray[np.float32], away: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return the standard deviation of the noise at each pixel; None if most have no noise.

    Parameters
    ----------
    middle
        Brightness of the neighbours, axes Y X.
    away
        How far each pixel is from it.
    """
    order = np.argsort(middle, axis=None)
    size, longer = divmod(order.size, _CLASSES)  # the first classes have one pixel more
    border = longer * (size + 1)
    means: list[float] = []
    spreads: list[float] = []
    for own in (order[:border].reshape(longer, size + 1), order[border:].reshape(-1, size)):
        if not own.size:
            continue
        deviation = away.ravel()[own]
        low, half, high = np.quantile(deviation, (0.1, 0.5, 0.9), axis=1)
        usual = _NORMAL * np.median(np.abs(deviation - half[:, None]), axis=1).astype(np.float64)
        means += np.median(middle.ravel()[own], axis=1).tolist()
        spreads += np.maximum(usual, (high - low).astype(np.float64) / _REACH).tolist()
    typical = float(np.median(spreads))
    if typical <= 0:
        return None
    # pixels of one value, as of a background that was cut off, have noise beside them
    least = np.maximum.accumulate(np.maximum(spreads, typical / 2))
    return np.asarray(np.interp(middle, means, least), np.float32)


def _at(
    padded: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    steps: Sequence[tuple[int, int]],
) -> NDArray[np.float32]:
    """Return the values at steps from pixels of a plane that is padded by two, (step, pixel)."""
    return np.stack([padded[rows + 2 + y, columns + 2 + x] for y, x in steps])


def _falls(heights: NDArray[np.float32]) -> bool:
    """Return whether there are more pixels the nearer to the noise."""
    return len(heights) > 0 and float(np.median(heights)) < _FALLING * float(heights.mean())


def _follow_brightness(
    planes: Sequence[NDArray[Any]] | NDArray[Any], found: Sequence[NDArray[np.bool_]]
) -> bool:
    """Return whether there are more pixels than chance makes where the specimen is bright."""
    part = float(np.mean([mask.mean() for mask in found]))
    size = int(np.clip((_BLOCK / part) ** 0.5, 4, min(found[0].shape) // 4))
    numbers, levels = [], []
    for plane, mask in zip(planes, found, strict=True):
        blocks = _blocks(mask, size)
        numbers.append(blocks.sum(axis=1) - blocks.sum(axis=1).mean())
        levels.append(np.median(_blocks(np.asarray(plane, np.float32), size), axis=1))
    number, level = np.concatenate(numbers), np.concatenate(levels)
    mean = part * size**2
    if float(number.var()) < _EVEN * mean:
        return False
    rank = level.argsort().argsort()
    return float(np.corrcoef(number, rank)[0, 1]) > 0


def _blocks(plane: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the squares of a plane, axes (square, pixel)."""
    rows, columns = (n // size for n in plane.shape)
    cut = plane[: rows * size, : columns * size].reshape(rows, size, columns, size)
    return cut.swapaxes(1, 2).reshape(rows * columns, size * size)
