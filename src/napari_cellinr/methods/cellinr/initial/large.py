"""Large, evenly bright objects with sharp edges, which an opening takes for background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import (
    binary_erosion,
    distance_transform_edt,
    find_objects,
    gaussian_filter,
    grey_opening,
    label,
    maximum_filter,
    minimum_filter,
)

from napari_cellinr.classic.background import opening, physical_widths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["large_objects", "width_beyond"]

_LARGE = 5.0  # least contrast of a large object, in standard deviations of the noise around it
_LEAST = 0.01  # part of the image; less is rather a structure near an uneven background
_SMALLEST = 64  # pixels of a plane along each axis; in smaller ones, soft spots fill too much of it
_LEVELS = 0.5, 0.25  # of the contrast, at which edges are looked for: those of an object of uneven
# brightness are not all at half of it
_SHARP = (
    0.7  # part of the contrast at the edge: 0.99 for even objects, 0.74 or more for uneven ones
)
# whose edge is soft in part; 0.66 or less for out-of-focus light, haze, and granules that touch
_EDGE, _AROUND = 4.0, 12.0  # distances from an edge, in voxels along X, within which it rises, and
# within which its contrast is measured
_FLOOR, _TOP = 0.05, 0.999  # quantiles of the opening: around objects, and inside the brightest
_ROUNDS = 3  # times that objects are looked for, each time without the brighter ones
_COARSER = 2  # pixels of a plane along each axis, of which one is looked at
_SMOOTHNESS = 0.4  # standard deviation of the mean that fills objects, as a part of the width
_WIDER = (
    1.25  # width of an opening that removes an object, in the diameter of the largest ball in it
)
_COVERED = 0.35  # largest part of the image; where there is more, no background is seen beside it
_STAYS = 0.2  # largest part of the contrast of objects that an opening may leave in them


def large_objects(
    values: NDArray[np.float32], scale: Sequence[float], widths: Sequence[int], noise: float
) -> NDArray[np.bool_] | None:
    """Return where objects with sharp edges are that an opening takes for background, if anywhere.

    Out-of-focus light is as wide, but has no edges: it rises by less than half within a few
    voxels. What is narrower than half of the opening is left out first: the walls around an embryo
    are sharp, and the haze inside is not.

    Parameters
    ----------
    values
        Denoised grey levels, axes ZYX or YX; structures are brighter than what is around them.
    scale
        Voxel size along each axis.
    widths
        Of the opening that is to leave the background alone, in voxels.
    noise
        Standard deviation of the noise around the objects, in grey levels.
    """
    if min(values.shape[-2:]) < _SMALLEST:
        return None
    step = (1,) * (values.ndim - 2) + (_COARSER, _COARSER)
    sampling = [n * size / scale[-1] for n, size in zip(step, scale, strict=True)]
    smooth = gaussian_filter(values, [scale[-1] / size for size in scale])
    some = smooth[tuple(slice(None, None, n) for n in step)]
    box = [max(1, wide // n) for wide, n in zip(widths, step, strict=True)]
    left = even = grey_opening(some, [wide // 4 * 2 + 1 for wide in box], mode="nearest")
    found = np.zeros(even.shape, bool)
    for _ in range(_ROUNDS):
        opened = opening(left, box)
        floor, top = np.quantile(opened, (_FLOOR, _TOP))
        above = float(top - floor)
        if above < _LARGE * noise:
            break
        new = np.zeros_like(found)
        for part in _LEVELS:
            new |= _with_edges(left, opened, floor + part * above, sampling)
        found |= new
        if not new.any() or found.all():
            break
        left = _filled(even, found, sampling, box)
    if found.mean() < _LEAST or found.all():
        return None
    for axis, (n, size) in enumerate(zip(step, values.shape, strict=True)):
        found = found.repeat(n, axis).take(range(size), axis)
    return found


def width_beyond(
    values: NDArray[np.float32], objects: NDArray[np.bool_], scale: Sequence[float]
) -> float | None:
    """Return the width of an opening that removes large objects, in voxels of the last axis.

    Parameters
    ----------
    values
        Denoised grey levels, axes ZYX or YX; structures are brighter than what is around them.
    objects
        Where the objects are, from `large_objects`.
    scale
        Voxel size along each axis.

    Returns
    -------
    float or None
        None if there is no such width: the objects fill a third of the image, or the opening would
        leave them as background.
    """
    if objects.mean() > _COVERED:
        return None
    sampling = [size / scale[-1] for size in scale]
    width = _WIDER * 2 * (float(distance_transform_edt(objects, sampling).max()) + _EDGE)
    opened = opening(values, physical_widths(width, scale))
    around = float(np.quantile(opened, _FLOOR))
    inside = float(np.median(opened[objects])) - around
    return width if inside < _STAYS * (float(np.median(values[objects])) - around) else None


def _with_edges(
    values: NDArray[np.float32],
    opened: NDArray[np.float32],
    level: float,
    sampling: Sequence[float],
) -> NDArray[np.bool_]:
    """Return which pixels above a level are in an object of the opening with sharp edges."""
    parts = label(values > level)[0]
    found = np.zeros(values.shape, bool)
    boxes = find_objects(parts)
    for number in np.unique(parts[(opened > level) & (parts > 0)]).tolist():
        near = _with_margin(boxes[number - 1], sampling)
        own = parts[near] == number
        found[near] |= own & (_sharpness(values[near], own, sampling) > _SHARP)
    return found


def _filled(
    values: NDArray[np.float32],
    objects: NDArray[np.bool_],
    sampling: Sequence[float],
    widths: Sequence[int],
) -> NDArray[np.float32]:
    """Return an image in which objects have the brightness of what is around them.

    Parameters
    ----------
    values
        Grey levels, axes ZYX or YX.
    objects
        Where the objects are.
    sampling
        Distance of the voxels along each axis, in voxels along X of the image.
    widths
        Of the opening that is made of the result, in voxels.
    """
    inside = distance_transform_edt(~objects, sampling) <= _EDGE
    if inside.all():
        inside = objects
    around = (~inside).astype(np.float32)
    sigma = [_SMOOTHNESS * wide for wide in widths]
    weight = np.maximum(gaussian_filter(around, sigma), np.float32(1e-6))
    mean = gaussian_filter(values * around, sigma) / weight
    nearest = distance_transform_edt(inside, sampling, return_distances=False, return_indices=True)
    changed: NDArray[np.float32] = values.copy()
    changed[inside] = mean[tuple(places[inside] for places in nearest)]
    return changed


def _with_margin(place: tuple[slice, ...], sampling: Sequence[float]) -> tuple[slice, ...]:
    """Return the place of an object with all around it that tells how sharp its edge is."""
    margins = [int(_AROUND / step) + 1 for step in sampling]
    return tuple(
        slice(max(0, own.start - margin), own.stop + margin)
        for own, margin in zip(place, margins, strict=True)
    )


def _sharpness(
    values: NDArray[np.float32], own: NDArray[np.bool_], sampling: Sequence[float]
) -> float:
    """Return the rise at the edge of an object, in the contrast around it; 0 without an edge.

    Both are local, since one side of an object may be much brighter than the other.
    """
    edge = own & ~binary_erosion(own, border_value=1)
    if not edge.any():
        return 0.0
    rise, contrast = (_range_within(values, far, sampling)[edge] for far in (_EDGE, _AROUND))
    return float(rise.sum() / max(float(contrast.sum()), 1e-12))


def _range_within(
    values: NDArray[np.float32], distance: float, sampling: Sequence[float]
) -> NDArray[np.float32]:
    """Return the highest minus the lowest value within a distance along each axis."""
    box = [2 * round(distance / step) + 1 for step in sampling]
    return np.asarray(maximum_filter(values, box) - minimum_filter(values, box))
