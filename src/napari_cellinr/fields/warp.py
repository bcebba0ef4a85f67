"""Displacement fields on coarse grids: upsampling, warping of images, smoothness measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bending", "folding", "grid_points", "sample", "upsample", "warp"]


def grid_points(
    low: float, high: float, count: int, device: torch.device | None = None
) -> torch.Tensor:
    """Return equally spaced positions, shape (count,), float32.

    Parameters
    ----------
    low, high
        First and last position.
    count
        Number of positions; a single one is in the middle.
    device
        Device of the result; the CPU if not given.
    """
    if count == 1:
        return torch.full((1,), (low + high) / 2, device=device)
    return torch.linspace(low, high, count, device=device)


def upsample(values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return values on a finer grid with the same outermost points, linearly interpolated.

    Parameters
    ----------
    values
        Shape (n, channels, *coarse), 2 or 3 spatial axes.
    shape
        Points of the result along each spatial axis.
    """
    if values.shape[2:] == tuple(shape):
        return values
    mode = {2: "bilinear", 3: "trilinear"}[len(shape)]
    return functional.interpolate(values, size=tuple(shape), mode=mode, align_corners=True)


def warp(
    canonical: torch.Tensor,
    displacement: torch.Tensor,
    points: Sequence[torch.Tensor],
    low: Sequence[float],
    high: Sequence[float],
) -> torch.Tensor:
    """Return `canonical` at `points` + `displacement`, shape (n, channels, *points).

    The interpolation is cubic in 2-D and linear in 3-D, where torch has no cubic one.

    Parameters
    ----------
    canonical
        Values on a regular grid that spans the box, shape (channels, *grid).
    displacement
        Displacement in voxels, shape (n, axes, *points).
    points
        Positions along each spatial axis in voxels, each of shape (n,).
    low, high
        Ends of the box along each axis, in voxels. Outside, the value at the border is
        returned: nothing is extrapolated.
    """
    parts = []
    for axis, (places, start, end) in enumerate(zip(points, low, high, strict=True)):
        shape = [1] * len(points)
        shape[axis] = -1
        moved = places.view(shape) + displacement[:, axis]
        span = max(end - start, 1e-6)
        parts.append((moved - start) * (2 / span) - 1)
    return sample(canonical, torch.stack(parts[::-1], dim=-1))


def sample(values: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return `values` at `places`, shape (n, channels, *places); cubic in 2-D, linear in 3-D.

    Parameters
    ----------
    values
        Values on a regular grid, shape (channels, *grid).
    places
        Shape (n, *places, axes), −1 to 1 between the outermost grid points, x first as in torch.
    """
    mode = "bicubic" if values.ndim == 3 else "bilinear"
    many = values[None].expand(len(places), *([-1] * values.ndim))
    found: torch.Tensor = functional.grid_sample(
        many, places, mode=mode, padding_mode="border", align_corners=True
    )
    return found


def bending(displacement: torch.Tensor, steps: Sequence[float], knee: float) -> torch.Tensor:
    """Return the mean bending of a displacement field, per voxel; 0 for affine motion.

    The bending c of a point is the norm of all second derivatives. It is penalised by
    √(c² + knee²) − knee: quadratic below `knee`, linear above, so that motion may bend in a few
    places and stays affine elsewhere.

    Parameters
    ----------
    displacement
        Displacement in voxels, shape (n, axes, *grid).
    steps
        Grid spacing along each axis, in voxels.
    knee
        Bending at which the penalty turns from quadratic to linear, per voxel; above 0.
    """
    n_axes = displacement.ndim - 2
    squared = displacement.new_zeros(())
    for one in range(n_axes):
        for other in range(one, n_axes):
            needed = 3 if one == other else 2
            if displacement.shape[2 + one] < needed or displacement.shape[2 + other] < needed:
                continue
            slope = torch.diff(displacement, dim=2 + one) / steps[one]
            curve = torch.diff(slope, dim=2 + other) / steps[other]
            inner = tuple(slice(0, max(n - 2, 1)) for n in displacement.shape[2:])
            part = curve[(slice(None), slice(None), *inner)].square().sum(1)
            squared = squared + (1 if one == other else 2) * part
    return ((squared + knee**2).sqrt() - knee).mean()


def folding(displacement: torch.Tensor, steps: Sequence[float]) -> torch.Tensor:
    """Return the determinant of the Jacobian of position + displacement, shape (n, *inner points).

    The motion folds space over itself where it is not positive.

    Parameters
    ----------
    displacement
        Displacement in voxels, shape (n, axes, *grid), 2 or 3 spatial axes.
    steps
        Grid spacing along each axis, in voxels.
    """
    n_axes = displacement.shape[1]
    inner = (slice(None), slice(None)) + (slice(None, -1),) * n_axes
    columns = []
    for axis, step in enumerate(steps):
        if displacement.shape[2 + axis] == 1:
            slope = torch.zeros_like(displacement)
        else:
            slope = torch.diff(displacement, dim=2 + axis, append=_last(displacement, axis)) / step
        columns.append(slope[inner] if min(displacement.shape[2:]) > 1 else slope)
    jacobian = torch.stack(columns, dim=2).movedim((1, 2), (-2, -1))
    eye = torch.eye(n_axes, dtype=jacobian.dtype, device=jacobian.device)
    return _determinant(jacobian + eye)


def _determinant(matrix: torch.Tensor) -> torch.Tensor:
    """Return the determinant of matrices of two or three rows, shape (…); faster than by LU."""
    if matrix.shape[-1] == 2:
        first, second = matrix.unbind(-2)
        return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    first, second, third = matrix.unbind(-2)
    determinant: torch.Tensor = (first * torch.linalg.cross(second, third)).sum(-1)
    return determinant


def _last(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the last slice along a spatial axis, so that differences keep the size."""
    return values.narrow(2 + axis, values.shape[2 + axis] - 1, 1)
