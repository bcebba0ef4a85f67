"""Large, evenly bright objects with sharp edges, which an opening takes for background."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, gaussian_filter, grey_opening, label

from napari_cellinr.classic.background import opening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["large_objects"]

_LARGE = 5.0  # least contrast of a large object, in standard deviations of the noise around it
_LEAST = 0.01  # part of the image; less is rather a structure near an uneven background
_SMALLEST = 64  # pixels of a plane along each axis; in smaller ones, soft spots fill too much of it
_SHARP = 0.75  # part of the contrast at the edge: 0.87 or more for simulated objects; 0.61 or less
# for out-of-focus light, embryos with walls around them, and granules that touch
_EDGE = 1.5, 4.0  # distance on both sides of an edge where its jump is, in voxels along X
_AROUND = 5  # distance of what is around an object, in the larger one of those
_FLOOR, _TOP = 0.05, 0.999  # quantiles of the opening: around objects, and inside the brightest
_ROUNDS = 3  # times that objects are looked for, each time without the brighter ones
_COARSER = 2  # pixels of a plane along each axis, of which one is looked at
_SMOOTHNESS = 0.4  # standard deviation of the mean that fills objects, as a part of the width


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
        half = floor + above / 2
        parts = label(left > half)[0]
        new = np.zeros_like(found)
        boxes = find_objects(parts)
        for number in np.unique(parts[(opened > half) & (parts > 0)]).tolist():
            near = _with_margin(boxes[number - 1], sampling)
            own = parts[near] == number
            new[near] |= own & (_sharpness(left[near], own, sampling) > _SHARP)
        found |= new
        if not new.any() or found.all():
            break
        left = _filled(even, found, sampling, box)
    if found.mean() < _LEAST or found.all():
        return None
    for axis, (n, size) in enumerate(zip(step, values.shape, strict=True)):
        found = found.repeat(n, axis).take(range(size), axis)
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
    inside = distance_transform_edt(~objects, sampling) <= _EDGE[1]
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
    margins = [int(_AROUND * _EDGE[1] / step) + 1 for step in sampling]
    return tuple(
        slice(max(0, own.start - margin), own.stop + margin)
        for own, margin in zip(place, margins, strict=True)
    )


def _sharpness(
    values: NDArray[np.float32], own: NDArray[np.bool_], sampling: Sequence[float]
) -> float:
    """Return the jump at the edge of an object, in its contrast; 0 without edge or inside."""
    near, far = _EDGE
    depth, distance = (distance_transform_edt(mask, sampling) for mask in (own, ~own))
    next_to_it = [values[(part > near) & (part <= far)] for part in (depth, distance)]
    inner = values[depth > max(far, float(depth.max()) / 2)]
    outer = values[(distance > 3 * far) & (distance < _AROUND * far)]
    outer = outer if outer.size else next_to_it[1]
    if not all(part.size for part in (*next_to_it, inner)):
        return 0.0
    jump, whole = (
        float(np.median(high)) - float(np.median(low)) for high, low in (next_to_it, (inner, outer))
    )
    return jump / whole if whole > 0 else 0.0
