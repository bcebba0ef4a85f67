"""Penalties of the space-time model: rough or negative scenes, bending and folding motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.fields.warp import bending, folding

if TYPE_CHECKING:
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = ["motion_penalty", "scene_penalty"]

BENDING = 0.15
"""Weight of the bending of the motion across the smallest structure, in pixels, against the data in
noise variances. Affine motion costs nothing."""

KNEE = 0.04
"""Bending in the same unit that is no more than noise."""

MOVING = 0.01
"""Weight of each pixel of displacement, against the same: where the frames say nothing, there is no
motion."""

STILL = 0.05
"""Movement in pixels that is no more than noise."""

ROUGHNESS = 200.0
"""Weight of the squared gradient of the scene, which decides where the frames say nothing."""

SIZE = 1.0
"""Weight of the squared scene where it may have both signs (Tikhonov regularisation)."""

NEGATIVE = 10.0
"""Weight of negative values where the scene cannot be negative."""


def scene_penalty(
    canonical: torch.Tensor, stride: tuple[int, ...], *, nonnegative: bool
) -> torch.Tensor:
    """Return the penalty on the scene, in noise variances, a scalar.

    Parameters
    ----------
    canonical
        The canonical scene, shape (channels, *points), in units of the frames.
    stride
        Voxels between its points along each axis.
    nonnegative
        Whether the scene cannot be negative; if it can, its square is penalised.
    """
    slopes = [
        torch.diff(canonical, dim=axis).square().mean() / step**2
        for axis, step in enumerate(stride, start=1)
        if canonical.shape[axis] > 1
    ]
    penalty = ROUGHNESS * torch.stack(slopes).sum()
    if nonnegative:
        return penalty + NEGATIVE * torch.relu(-canonical).mean()
    return penalty + SIZE * canonical.square().mean()


def motion_penalty(displacement: torch.Tensor, plan: Plan, folded_weight: float) -> torch.Tensor:
    """Return the penalty on bending, on moving at all and on folds, in noise variances, a scalar.

    Parameters
    ----------
    displacement
        In voxels of the scene, shape (times, axes, *points).
    plan
        Sizes of the scene and of the smallest moving structure.
    folded_weight
        Weight of folds; 0 for none.
    """
    steps = [
        (n - 1) / max(m - 1, 1)
        for n, m in zip(plan.shape.scene, displacement.shape[2:], strict=True)
    ]
    relative = [step / size for step, size in zip(steps, plan.structure, strict=True)]
    penalty = BENDING * bending(displacement, relative, KNEE)
    moved = (displacement - displacement.mean(0, keepdim=True)).square().sum(1)
    penalty = penalty + MOVING * ((moved + STILL**2).sqrt() - STILL).mean()
    if folded_weight > 0:
        folded = torch.relu(0.1 - folding(displacement, steps))
        penalty = penalty + 100 * folded_weight * folded.mean()
    return penalty
