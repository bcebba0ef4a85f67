"""Patches of images of any number of axes, on any device: positions, sums, values."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["distances", "flat_places", "flat_steps", "values_at", "windows"]


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


def windows(
    shape: Sequence[int],
    corners: Sequence[Sequence[int]],
    patch: Sequence[int],
    device: torch.device,
) -> list[torch.Tensor]:
    """Return which voxels patches hold along each axis, 0 or 1, (patches, size) each, float32.

    Parameters
    ----------
    shape
        Voxels of the array along each axis.
    corners
        First voxels of the patches along each axis.
    patch
        Width of a patch along each axis, in voxels.
    device
        Where they are to be.
    """
    found = []
    for size, corner, wide in zip(shape, corners, patch, strict=True):
        first, at = torch.tensor(list(corner))[:, None], torch.arange(size)[None]
        found.append(((at >= first) & (at < first + wide)).to(device, torch.float32))
    return found


def distances(
    image: torch.Tensor,
    reach: Sequence[int],
    shifts: Sequence[Sequence[int]],
    within: Sequence[torch.Tensor],
) -> Iterator[torch.Tensor]:
    """Yield the summed squared differences of patches from shifted ones, shift by shift, flat.

    Parameters
    ----------
    image
        With a margin of `reach` on each side, contiguous.
    reach
        Largest shift along each axis, in voxels.
    shifts
        Shifts along each axis.
    within
        What `windows` returns for corners that do not count the margin.
    """
    steps = flat_steps(image.shape)
    flat, first = image.reshape(-1), _dot(reach, steps)
    middle = flat[first : len(flat) - first]
    squares = torch.zeros_like(flat)
    part = squares[: len(middle)]
    for shift in shifts:
        start = first + _dot(shift, steps)
        torch.sub(middle, flat[start : start + len(middle)], out=part).square_()
        yield _sums(squares.reshape(image.shape), within)


def _dot(shift: Sequence[int], steps: Sequence[int]) -> int:
    return sum(itertools.starmap(int.__mul__, zip(shift, steps, strict=True)))


def _sums(values: torch.Tensor, within: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sums of values over patches, flat."""
    sums = values.reshape(-1, values.shape[-1]) @ within[-1].T
    n_after = len(within[-1])
    for window in reversed(within[:-1]):
        sums = window @ sums.reshape(-1, window.shape[1], n_after)
        n_after *= len(window)
    return sums.reshape(-1)
