"""Smooth trajectories between frames: polynomial in time, interpolated between control points."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "at_time",
    "control_size",
    "displacement",
    "linear",
    "mirrored",
    "node_weights",
    "on_lattice",
    "positions",
    "spline_values",
    "values_at",
]


def control_size(shape: Sequence[int], spacing: float) -> tuple[int, ...]:
    """Return the number of control points along each axis.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    spacing
        Largest distance of control points, in voxels.
    """
    return tuple(max(2, int(-(-(n - 1) // spacing)) + 1) if n > 1 else 1 for n in shape)


def positions(shape: Sequence[int], device: torch.device | None = None) -> torch.Tensor:
    """Return the voxel coordinates of an array, (voxels, axes), float32.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    device
        Device of the result; the CPU if not given.
    """
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape))


def displacement(
    control: torch.Tensor, places: torch.Tensor, time: torch.Tensor, shape: Sequence[float]
) -> torch.Tensor:
    """Return the displacement of each trajectory at each time: Σ c_k(x) t^k, k from 1.

    Parameters
    ----------
    control
        Coefficients at the control points, (terms, axes, *points), in voxels per frame^k.
    places
        Positions of the trajectories at time 0, (places, axes), voxels.
    time
        Times in frames from the reference time, (times,).
    shape
        Number of voxels of a frame along each axis.

    Returns
    -------
    torch.Tensor
        (times, places, axes), voxels.
    """
    n_terms, n_axes = control.shape[:2]
    flat = control.reshape(1, n_terms * n_axes, *control.shape[2:])
    found = linear(flat, places, shape)[0].reshape(n_terms, n_axes, -1)
    powers = time[:, None] ** torch.arange(1, n_terms + 1, device=time.device)
    return torch.einsum("jk,kan->jna", powers.to(found.dtype), found)


def at_time(
    control: torch.Tensor, places: torch.Tensor, time: float, shape: Sequence[float]
) -> torch.Tensor:
    """Return the positions at time 0 of the trajectories through `places` at another time.

    Three fixed-point iterations of p = place − displacement(p).

    Parameters
    ----------
    control, shape
        As for `displacement`.
    places
        Positions at `time`, (places, axes), voxels.
    time
        Time in frames from the reference time.

    Returns
    -------
    torch.Tensor
        (places, axes), voxels.
    """
    when = torch.tensor([time], device=places.device)
    origins = places
    for _ in range(3):
        origins = places - displacement(control, origins, when, shape)[0]
    return origins


def node_weights(places: NDArray[np.floating], size: float, nodes: int) -> torch.Tensor:
    """Return the weights of nodes along one axis in the linear interpolation between them.

    Parameters
    ----------
    places
        Positions in voxels, (places,); outside of the axis, the value at its end is meant.
    size
        Number of voxels along the axis, which the nodes span: their distance and 1 more.
    nodes
        Their number.

    Returns
    -------
    torch.Tensor
        (places, nodes), float32; each row adds up to 1.
    """
    last = nodes - 1
    at = np.minimum(np.maximum(places * (last / max(size - 1, 1)), 0), last)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(nodes)), 0)
    return torch.from_numpy(weights.astype(np.float32))


def on_lattice(values: torch.Tensor, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return values at nodes, linearly interpolated at all places of a lattice.

    As `linear` does it for any places, but several times faster: one axis after the other.

    Parameters
    ----------
    values
        (channels, *nodes), two or three axes.
    weights
        As `node_weights`, for each axis.

    Returns
    -------
    torch.Tensor
        (channels, places), the last axis of the lattice varying fastest.
    """
    first, *others, last = weights
    found = values @ last.T
    for middle in others:
        found = middle @ found
    return (first @ found.reshape(len(values), first.shape[1], -1)).flatten(1)


def values_at(images: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Return each image at its own positions, linearly interpolated, (images, places).

    Outside of the image, the value at its border is returned.

    Parameters
    ----------
    images
        (images, *shape), float32, two or three spatial axes.
    grid
        Positions, (images, axes, places), the last axis first, from -1 at the first voxel to 1
        at the last one.
    """
    flat = grid.transpose(1, 2)[(slice(None), *[None] * (images.ndim - 2))]
    found = functional.grid_sample(
        images[:, None], flat, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.flatten(1)


def mirrored(coefficients: torch.Tensor) -> torch.Tensor:
    """Return B-spline coefficients with those beyond the borders, for `spline_values`.

    Parameters
    ----------
    coefficients
        From `scipy.ndimage.spline_filter` with mode `mirror`, two or three axes.

    Returns
    -------
    torch.Tensor
        One more before the first and two more after the last along each axis.
    """
    for axis, size in enumerate(coefficients.shape):
        columns = _mirrored(torch.arange(-1, size + 2, device=coefficients.device), size)
        coefficients = coefficients.index_select(axis, columns)
    return coefficients


def spline_values(coefficients: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return an image at any positions from its cubic B-spline coefficients, (places,), float32.

    Parameters
    ----------
    coefficients
        From `mirrored`.
    places
        Positions in voxels, (places, axes); outside, the value at the border is returned.
    """
    flat, steps = coefficients.reshape(-1), coefficients.stride()
    first = torch.zeros(len(places), dtype=torch.long, device=places.device)
    weights = []
    for axis, size in enumerate(coefficients.shape):
        place = places[:, axis].clamp(0, size - 4)
        left = place.floor()
        weights.append(_basis(place - left))
        first = first + left.long() * steps[axis]
    total = torch.zeros(len(places), device=places.device)
    for outer in product(range(4), repeat=len(steps) - 1):
        start = sum(k * step for k, step in zip(outer, steps, strict=False))
        inner = torch.zeros_like(total)
        for k in range(4):
            inner.addcmul_(weights[-1][k], flat[start + k :].index_select(0, first))
        for axis, k in enumerate(outer):
            inner *= weights[axis][k]
        total += inner
    return total


def _basis(t: torch.Tensor) -> list[torch.Tensor]:
    """Return the weights of the four neighbouring coefficients of a cubic B-spline."""
    rest = 1 - t
    return [
        rest**3 / 6,
        2 / 3 - t * t * (1 - t / 2),
        2 / 3 - rest * rest * (1 - rest / 2),
        t**3 / 6,
    ]


def _mirrored(columns: torch.Tensor, size: int) -> torch.Tensor:
    if size == 1:
        return torch.zeros_like(columns)
    turn = 2 * (size - 1)
    folded = columns.abs() % turn
    return torch.where(folded >= size, turn - folded, folded)


def linear(images: torch.Tensor, places: torch.Tensor, shape: Sequence[float]) -> torch.Tensor:
    """Return values between nodes, linearly interpolated, (images, channels, places).

    Outside of the nodes, the value at their border is returned.

    Parameters
    ----------
    images
        Values at nodes that span the voxels of `shape`, (images, channels, *nodes).
    places
        Positions in voxels, (places, axes) for one image or (images, places, axes).
    shape
        Number of voxels along each axis.
    """
    n_axes = len(shape)
    last = torch.tensor([max(n - 1, 1) for n in shape], dtype=torch.float32, device=places.device)
    scaled = (2 * places / last - 1).flip(-1)
    grid = scaled.reshape(images.shape[0], *(1,) * (n_axes - 1), -1, n_axes)
    found = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.reshape(*images.shape[:2], -1)
