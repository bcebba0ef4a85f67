"""Voxels and the nodes of coarse grids: positions, interpolation weights and block means.

Node j lies in the middle of voxels j·stride … (j+1)·stride − 1.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch

from napari_cellinr.fields.grids.hats import Hats

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "block_lengths",
    "block_means",
    "blocks",
    "cubic_blocks",
    "interpolate",
    "n_nodes",
    "node_weights",
    "two_nodes",
]


def n_nodes(size: int, stride: int) -> int:
    """Return the number of nodes along an axis.

    Parameters
    ----------
    size
        Number of voxels along the axis.
    stride
        Voxels per node; the last node may have fewer.
    """
    return math.ceil(size / stride)


def node_weights(positions: torch.Tensor, size: int, stride: int) -> Hats:
    """Return the linear-interpolation weights of the nodes at each position.

    Beyond the outermost nodes, the nearest one has weight 1.

    Parameters
    ----------
    positions
        Voxel coordinates along one axis, shape (n,); 0 is the centre of the first voxel.
    size
        Number of voxels along the axis.
    stride
        Voxels per node.
    """
    return Hats(_in_nodes(positions, size, stride), n_nodes(size, stride))


def two_nodes(
    positions: torch.Tensor, size: int, stride: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Return the nodes on either side of each position, and their interpolation weights.

    The same interpolation as `node_weights`, for scattered positions.

    Parameters
    ----------
    positions, size, stride
        As for `node_weights`.

    Returns
    -------
    tuple
        Indices (left, right), int64, and weights (left, right), float32, shape (n,) each.
    """
    return node_weights(positions, size, stride).two()


def _in_nodes(positions: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """Return voxel coordinates in units of nodes, clamped to the outermost nodes."""
    place = (positions.to(torch.float32) + 0.5) / stride - 0.5
    return place.clamp(0, n_nodes(size, stride) - 1)


def interpolate(grid: torch.Tensor, weights: Sequence[Hats]) -> torch.Tensor:
    """Return values at nodes interpolated to a grid of positions.

    Parameters
    ----------
    grid
        Values at the nodes, shape (channels, nodes along axis 1, …), float32.
    weights
        Those of `node_weights` for each spatial axis.

    Returns
    -------
    torch.Tensor
        Shape (channels, n along axis 1, …), float32.
    """
    values = grid
    for axis, weight in enumerate(weights, start=1):
        values = weight.along(values, axis)
    return values


def block_means(values: torch.Tensor, stride: Sequence[int]) -> torch.Tensor:
    """Return the mean of `values` over the voxels of each node.

    Parameters
    ----------
    values
        Shape (channels, …), one further axis for each entry of `stride`.
    stride
        Voxels per node along each spatial axis; the last block may hold fewer.

    Returns
    -------
    torch.Tensor
        Shape (channels, nodes along axis 1, …).
    """
    means = values
    for axis, step in enumerate(stride, start=1):
        size = means.shape[axis]
        count = n_nodes(size, step)
        index = torch.arange(size, device=values.device) // step
        shape = (*means.shape[:axis], count, *means.shape[axis + 1 :])
        sums = means.new_zeros(shape).index_add_(axis, index, means)
        counts = torch.bincount(index, minlength=count).to(means.dtype)
        means = sums / counts.view((count,) + (1,) * (means.ndim - axis - 1))
    return means


def blocks(shape: Sequence[int], n_voxels: int) -> list[tuple[slice, ...]]:
    """Return slabs along the first axis that together cover an array.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    n_voxels
        Largest number of voxels of a slab, unless a single plane has more.
    """
    plane = math.prod(shape[1:])
    step = max(1, n_voxels // max(plane, 1))
    rest = tuple(slice(0, size) for size in shape[1:])
    return [
        (slice(start, min(start + step, shape[0])), *rest) for start in range(0, shape[0], step)
    ]


def cubic_blocks(shape: Sequence[int], n_voxels: float) -> list[tuple[slice, ...]]:
    """Return blocks as near to cubes as the array allows, which together cover it.

    Parameters
    ----------
    shape
        Number of voxels of the array along each axis.
    n_voxels
        Approximate number of voxels of a block.
    """
    lengths = block_lengths(shape, n_voxels)
    parts = [
        [slice(start, min(start + length, size)) for start in range(0, size, length)]
        for size, length in zip(shape, lengths, strict=True)
    ]
    return list(itertools.product(*parts))


def block_lengths(shape: Sequence[int], n_voxels: float) -> tuple[int, ...]:
    """Return the sides of a block, as near to a cube as the array allows.

    Where an axis is shorter than the side of the cube, the others get longer.

    Parameters
    ----------
    shape
        Number of voxels of the array along each axis.
    n_voxels
        Approximate number of voxels of the block.
    """
    lengths = [0] * len(shape)
    left = float(n_voxels)
    for rank, axis in enumerate(sorted(range(len(shape)), key=lambda axis: shape[axis])):
        side = left ** (1 / (len(shape) - rank))
        lengths[axis] = min(shape[axis], max(round(side), 1))
        left /= lengths[axis]
    return tuple(lengths)
