"""Penalties of the space-time model: rough or negative scenes, bending and folding motion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from napari_cellinr.fields.warp import bending, folding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.methods.nstm.plan import Plan
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "OBJECTIVE_0_1",
    "SMOOTHER",
    "Objective",
    "is_faint",
    "motion_penalty",
    "objective_for",
    "scene_penalty",
]

KNEE = 0.04
"""Bending in the same unit that is no more than noise."""

STILL = 0.05
"""Movement in pixels that is no more than noise."""

SIZE = 1.0
"""Weight of the squared scene where it may have both signs (Tikhonov regularisation)."""

NEGATIVE = 10.0
"""Weight of negative values where the scene cannot be negative, and the frames leave it open."""


@dataclass(frozen=True)
class Objective:
    """Weights of the penalties against the data, whose misfit is in variances of the noise.

    Parameters
    ----------
    roughness
        Of the squared gradient of the scene, which decides where the frames say nothing.
    bending
        Of the bending of the motion across the smallest structure, in pixels. Affine motion costs
        nothing.
    moving
        Of each pixel of displacement: where the frames say nothing, there is no motion.
    negative
        Of negative values of the scene. Where every frame is the scene itself, they are noise as
        the positive ones are, and without them the dark would be too bright.
    is_even
        Whether all pixels count the same. If not, each counts by its own noise, so that dark pixels
        count more, and the roughness flattens bright structures.
    """

    roughness: float = 10.0
    bending: float = 0.15
    moving: float = 0.01
    negative: float = NEGATIVE
    is_even: bool = True


OBJECTIVE_0_1 = Objective(roughness=200.0, is_even=False)
"""That of version 0.1, with which fits of that version are continued."""


PATTERNED, SMOOTHER = 50.0, 200.0
"""Roughness of light that moves under a pattern, and where the first fit does not explain it."""

LOW = 2.0
"""Contrast of frames in standard deviations of their noise, below which it is low."""


def objective_for(
    model: ForwardModel, frames: torch.Tensor, noise: float, config: NSTMConfig
) -> Objective:
    """Return the weights for a recording.

    Images of light are hardly smoothed, since that would flatten their peaks. A phase is, since its
    coarse parts are hardly transmitted; but where its contrast is low, roughness and a penalty on
    displacements would keep the specimen at rest, and noise would bend the motion. If the specimen
    moves under a pattern of light, detail of the scene explains a part of what is left of its
    motion: `SMOOTHER` is for fits that do not follow it.

    Parameters
    ----------
    model
        The forward model.
    frames
        The raw frames.
    noise
        Standard deviation of their noise, in their unit.
    config
        Smoothness and stiffness, and whether the specimen may move.
    """
    usual = Objective(roughness=200.0)
    if model.nonnegative:
        patterned = model.patterned and config.moving
        usual = Objective(roughness=PATTERNED) if patterned else Objective()
    elif is_faint(model, frames.cpu().double().std().item(), noise):
        usual = Objective(roughness=20.0, bending=0.75, moving=0.0)
    if model.is_direct:
        usual = replace(usual, negative=0.0)
    roughness = usual.roughness if config.smoothness is None else config.smoothness
    return replace(usual, roughness=roughness, bending=config.stiffness * usual.bending)


def is_faint(model: ForwardModel, deviation: float, noise: float) -> bool:
    """Return whether a phase has a low contrast in its frames.

    Parameters
    ----------
    model
        The forward model.
    deviation, noise
        Standard deviations of the frames, and of their noise.
    """
    return not model.nonnegative and math.sqrt(max((deviation / noise) ** 2 - 1, 0.0)) < LOW


def scene_penalty(
    canonical: torch.Tensor, stride: tuple[int, ...], roughness: float, negative: float | None
) -> torch.Tensor:
    """Return the penalty on the scene, in noise variances, a scalar.

    Parameters
    ----------
    canonical
        The canonical scene, shape (channels, *points), in units of the frames.
    stride
        Voxels between its points along each axis.
    roughness
        Weight of its squared gradient.
    negative
        Weight of its negative values; None if it may be negative, so that its square is penalised.
    """
    slopes = [
        torch.diff(canonical, dim=axis).square().mean() / step**2
        for axis, step in enumerate(stride, start=1)
        if canonical.shape[axis] > 1
    ]
    penalty = roughness * torch.stack(slopes).sum()
    if negative is not None:
        return penalty + negative * torch.relu(-canonical).mean()
    return penalty + SIZE * canonical.square().mean()


def motion_penalty(
    displacement: torch.Tensor, plan: Plan, objective: Objective, folded_weight: float
) -> torch.Tensor:
    """Return the penalty on bending, on moving at all and on folds, in noise variances, a scalar.

    Parameters
    ----------
    displacement
        In voxels of the scene, shape (times, axes, *points); axes of several layers follow each
        other.
    plan
        Sizes of the scene and of the smallest moving structure.
    objective
        The weights.
    folded_weight
        Weight of folds; 0 for none.
    """
    steps = [
        (n - 1) / max(m - 1, 1)
        for n, m in zip(plan.shape.scene, displacement.shape[2:], strict=True)
    ]
    relative = [step / size for step, size in zip(steps, plan.structure, strict=True)]
    penalties = [
        _of_layer(layer, steps, relative, objective, folded_weight)
        for layer in torch.split(displacement, len(steps), dim=1)
    ]
    return sum(penalties[1:], penalties[0])


def _of_layer(
    displacement: torch.Tensor,
    steps: Sequence[float],
    relative: Sequence[float],
    objective: Objective,
    folded_weight: float,
) -> torch.Tensor:
    """Return the penalty on the motion of one layer."""
    penalty = objective.bending * bending(displacement, relative, KNEE)
    moved = (displacement - displacement.mean(0, keepdim=True)).square().sum(1)
    penalty = penalty + objective.moving * ((moved + STILL**2).sqrt() - STILL).mean()
    if folded_weight > 0:
        folded = torch.relu(0.1 - folding(displacement, steps))
        penalty = penalty + 100 * folded_weight * folded.mean()
    return penalty
