"""Patches of images of any number of axes, on any device: positions, sums, values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["distances", "flat_places", "flat_steps", "values_at"]


_AT_ONCE = 9  # shifts whose sums stay in the cache


def flat_steps(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the distance of neighbours along each axis in a flat array of this shape."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def flat_places(places: Sequence[Sequence[int]], shape: Sequence[int]) -> torch.Tensor:
    """Return the flat positions of all crossings of positions along each axis, int32, on the CPU.

    Parameters
    ----------
    places
        Positions along each axis, in voxels.
    shape
        Voxels of the array along each axis.
    """
    flat = torch.zeros(1, dtype=torch.int32)
    for part, step in zip(places, flat_steps(shape), strict=True):
        along = step * torch.tensor(list(part), dtype=torch.int32)
        flat = (flat[:, None] + along).reshape(-1)
    return flat


def values_at(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return the values of a flat array at some places, in the shape of these.

    Parameters
    ----------
    values
        Shape (n,).
    places
        Indices, any shape, int32 or int64.
    """
    return values.index_select(0, places.reshape(-1)).reshape(places.shape)


def distances(
    image: torch.Tensor,
    reach: Sequence[int],
    shifts: Sequence[Sequence[int]],
    corners: Sequence[Sequence[int]],
    patch: Sequence[int],
) -> Iterator[torch.Tensor]:
    """Yield the summed squared differences of patches from shifted ones, (shifts, patches).

    Several shifts come at a time, in their order, since the sums along all axes but the first are
    short, and then done for all of them at once.

    Parameters
    ----------
    image
        With a margin of `reach` on each side.
    reach
        Largest shift along each axis, in voxels.
    shifts
        Shifts along each axis.
    corners
        First voxels of the patches along each axis, rising from 0, without the margin.
    patch
        Width of a patch along each axis, in voxels.
    """
    sizes = [corner[-1] + wide for corner, wide in zip(corners, patch, strict=True)]
    slices = [
        {step: slice(far + step, far + step + size) for step in range(-far, far + 1)}
        for far, size in zip(reach, sizes, strict=True)
    ]
    middle = image[tuple(along[0] for along in slices)].contiguous()
    difference = torch.empty_like(middle)
    values = middle.new_zeros((min(_AT_ONCE, len(shifts)), len(corners[0]), *middle.shape[1:]))
    squares = [_summands(difference, sums, 0, corners[0], patch[0]) for sums in values]
    stages = []
    for axis, (corner, wide) in enumerate(zip(corners[1:], patch[1:], strict=True), start=2):
        sums = values.new_empty((*values.shape[:axis], len(corner), *values.shape[axis + 1 :]))
        stages += _summands(values, sums, axis, corner, wide)
        values = sums
    for start in range(0, len(shifts), len(squares)):
        some = shifts[start : start + len(squares)]
        for shift, parts in zip(some, squares, strict=False):
            torch.sub(middle, image[tuple(map(dict.__getitem__, slices, shift))], out=difference)
            for sums, (first, *others) in parts:
                torch.mul(first, first, out=sums)
                for part in others:
                    sums.addcmul_(part, part)
        for sums, (first, *others) in stages:
            sums.copy_(first)
            for part in others:
                sums.add_(part)
        yield values[: len(some)].flatten(1).clone()


def _summands(
    values: torch.Tensor, sums: torch.Tensor, axis: int, corners: Sequence[int], wide: int
) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
    """Return parts of the sums over `wide` values from the corners on, and what they are sums of.

    All are parts of the given arrays, which are not copied: that is 4 times as fast as products
    with matrices of 0 and 1.
    """
    found = []
    for part in _evenly_spaced(corners):
        own = corners[part]
        spacing = own[1] - own[0] if len(own) > 1 else 1
        steps = [slice(own[0] + step, own[-1] + step + 1, spacing) for step in range(wide)]
        before = (slice(None),) * axis
        found.append((sums[(*before, part)], [values[(*before, step)] for step in steps]))
    return found


def _evenly_spaced(corners: Sequence[int]) -> list[slice]:
    """Return the parts of rising positions that are evenly spaced: all, or all and the last."""
    n = len(corners)
    if n > 2 and corners[-1] - corners[-2] != corners[1] - corners[0]:
        return [slice(0, n - 1), slice(n - 1, n)]
    return [slice(0, n)]
