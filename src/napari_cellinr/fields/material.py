"""Where material goes: backward displacement fields turned into forward ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["at_points", "follow"]

PASSES = 40
"""Largest number of fixed-point passes."""

CLOSE = 1e-3
"""Change of a pass, in voxels, below which all points have arrived."""


def follow(
    start: torch.Tensor, end: torch.Tensor, points: torch.Tensor, shape: Sequence[int]
) -> torch.Tensor:
    """Return where the material at `points` at one time is at another, voxels, shape of `points`.

    A point p and the place q that its material moves to have the same canonical position,
    p + start(p) = q + end(q), which is solved by damped fixed-point iteration. Only relative
    motion is determined by data: any map of the canonical scene cancels here.

    Parameters
    ----------
    start, end
        Displacements into the canonical scene at both times, in voxels, shape (axes, *lattice);
        the lattices span the scene.
    points
        In voxels of the scene, shape (axes, *any).
    shape
        Voxels of the scene along each axis.
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
    """Return a field at points, linearly interpolated; the border's value outside.

    Parameters
    ----------
    field
        Shape (channels, *lattice); the lattice spans the scene.
    points
        In voxels of the scene, shape (axes, *any).
    shape
        Voxels of the scene along each axis.
    """
    scaled = [2 * part / max(size - 1, 1) - 1 for part, size in zip(points, shape, strict=True)]
    flat = torch.stack(scaled[::-1], dim=-1).reshape(1, *[1] * (len(shape) - 1), -1, len(shape))
    found = functional.grid_sample(
        field[None], flat, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.reshape(len(field), *points.shape[1:])
