"""Forward displacement of material points from backward displacement fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.fields.trajectory import linear

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["at_points", "follow"]

PASSES = 40
"""Largest number of fixed-point iterations."""

CLOSE = 1e-3
"""Largest change of an iteration, in voxels, at which it has converged."""


def follow(
    start: torch.Tensor, end: torch.Tensor, points: torch.Tensor, shape: Sequence[int]
) -> torch.Tensor:
    """Return the positions at one time of the material that is at `points` at another time.

    A point p and the position q that its material moves to have the same canonical position,
    p + start(p) = q + end(q), which is solved for q by damped fixed-point iteration. Only the
    relative motion is determined by data: a deformation of the canonical scene cancels here.

    Parameters
    ----------
    start, end
        Displacements into the canonical scene at the time of `points` and at the other time, in
        voxels, shape (axes, *nodes); the nodes span the scene.
    points
        Positions in voxels of the scene, shape (axes, *any).
    shape
        Number of voxels of the scene along each axis.

    Returns
    -------
    torch.Tensor
        Positions in voxels, shape of `points`.
    """
    goal = points + at_points(start, points, shape)
    places = points.clone()
    before = torch.full((), float("inf"), device=points.device)
    damping = 1.0
    for _ in range(PASSES):
        change = goal - places - at_points(end, places, shape)
        size = change.abs().max()
        if size < CLOSE:
            break
        damping = damping if size < before else damping * 0.7
        before = size
        places = places + damping * change
    return places


def at_points(field: torch.Tensor, points: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return a field at points, linearly interpolated, shape (channels, *any).

    Outside of the scene, the value at its border is returned.

    Parameters
    ----------
    field
        Values at nodes that span the scene, shape (channels, *nodes).
    points
        Positions in voxels of the scene, shape (axes, *any).
    shape
        Number of voxels of the scene along each axis.
    """
    found = linear(field[None], points.flatten(1).T, shape)
    return found.reshape(len(field), *points.shape[1:])
