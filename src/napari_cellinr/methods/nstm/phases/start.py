"""Fits of a phase that begin with the motion of its parts, or keep it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.methods.nstm.model import ALL_LEVELS
from napari_cellinr.methods.nstm.phases.likelihood import WIDTH, LocalMotion, filled, local_motion
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.optics.dpc import DPCModel

if TYPE_CHECKING:
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "LOOKING",
    "MOVES",
    "WAYS",
    "GuidedProblem",
    "can_be_local",
    "motion_of_parts",
    "resting_limit",
    "take_local_motion",
]

LOOKING = "looking at the motion of parts"
"""Caption for users."""

WAYS = {"motion of parts first": 0.5, "motion of parts": 1.0}
"""Name of each attempt, and the part of its steps in which the motion of parts is kept."""

MOVES = 12.0
"""`LocalMotion.gain` from which a part moves: at most 2.3 in 23 recordings at rest, 27 or more in
25 where something moved."""

FEW_FRAMES, MANY_FRAMES = 3, 8
"""Frames of a recording whose parts are looked at."""

NEAR = 2.5
"""Standard deviation in pixels of the neighbourhood in which motion of parts is averaged."""

ELSEWHERE = 1e-9
"""Weight of parts far away, relative to those near."""

STEPS, RATE = 150, 0.02
"""Steps in which the model learns the motion, and their learning rate, which falls to a tenth."""

WIDTHS = {0: WIDTH, 1: 6.0, 2: 12.0}
"""Width of the parts for the whole fit and for the two that check it: wrong motion that comes from
the width differs between them."""

LESS = 3**-0.5
"""Standard deviation of noise, relative to that of the frames, that leaves three quarters of their
information."""


SHARED = 2.0
"""Error of the motion of parts relative to what the fits that check it differ: they share half of
it, such as what comes from the approximation of the optics."""


class GuidedProblem(NSTMProblem):
    """A fit whose motion is given at first, so that the scene is found before it changes.

    Attributes
    ----------
    given : float
        Part of the steps in which it is; 1 to keep it.
    """

    given: float = 0.5

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the usual loss; the motion takes no part in the first steps."""
        changes = step >= self.given * self.config.steps
        for parameter in self.param_groups()[1]["params"]:
            parameter.requires_grad_(changes)
        return super().loss(step, generator)

    def model_settings(self) -> dict[str, Any]:
        """Return the usual settings, and how much larger errors are than differences of fits."""
        return super().model_settings() | {"shared": SHARED}


def can_be_local(optics: ForwardModel) -> bool:
    """Return whether the motion of parts can be found: that of a phase in a few frames.

    Parameters
    ----------
    optics
        The forward model.
    """
    return isinstance(optics, DPCModel) and FEW_FRAMES <= optics.n_shots <= MANY_FRAMES


def motion_of_parts(problem: NSTMProblem, number: int = 0) -> LocalMotion:
    """Return the most likely motion of parts of the frames.

    Parameters
    ----------
    problem
        A fit to these frames.
    number
        0, or that of a fit that checks the motion: noise is added, which leaves three quarters of
        the information, and the parts are narrower or wider.
    """
    optics, noise = problem.optics, problem.plan.noise
    assert isinstance(optics, DPCModel)
    frames = filled(problem.frames.cpu().numpy(), ~problem.plan.bad)
    if number:
        generator = np.random.default_rng(problem.config.seed + number)
        frames = frames + LESS * noise * generator.standard_normal(frames.shape)
        noise *= (1 + LESS**2) ** 0.5
    patterns = np.arange(optics.n_shots) % len(optics.absorption)
    rows, columns = optics.grid(optics.data_shape[1:], optics.padding[0])
    return local_motion(
        frames,
        (optics.absorption.cpu().numpy()[patterns], optics.phase.cpu().numpy()[patterns]),
        (rows, columns),
        problem.moments.cpu().numpy(),
        noise,
        reach=2 * float(max(problem.plan.shape.displacement)),
        width=WIDTHS[number],
    )


def resting_limit(found: LocalMotion) -> float | None:
    """Return the motion in pixels that parts at rest exclude; infinite if a part moves.

    Parameters
    ----------
    found
        Motion of parts.

    Returns
    -------
    float or None
        None if nothing is excluded.
    """
    if found.gain >= MOVES:
        return math.inf
    return found.smallest if math.isfinite(found.smallest) else None


def take_local_motion(problem: NSTMProblem, found: LocalMotion, monitor: Monitor) -> None:
    """Set the motion of the model to that of the parts, weighted by their likelihood.

    Parameters
    ----------
    problem
        The fit, which is changed.
    found
        Motion of its parts.
    monitor
        Of the job; nothing more is learnt once it is stopped.
    """
    if isinstance(problem, GuidedProblem):
        problem.given = found.given
    model, shape, device = problem.model, problem.plan.shape, problem.device
    axes = [
        torch.linspace(0, n - 1, count, device=device)
        for n, count in zip(shape.scene, shape.motion_lattice, strict=True)
    ]
    lattice = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    places, shifts, weights = (
        torch.from_numpy(part).float().to(device)
        for part in (found.places + problem.optics.padding, found.shifts, found.weights)
    )
    targets = []
    for moved in shifts.unbind(1):
        apart = (lattice - (places + moved)[..., None, None]).square().sum(1)
        near = torch.exp(-apart / (2 * NEAR**2)) + ELSEWHERE / (1 + apart)
        near = near * weights[:, None, None]
        targets.append(-torch.einsum("nyx,nc->cyx", near, moved) / near.sum(0))
    target = torch.stack(targets)
    scale = model.displacement.clamp(min=1.0).reshape(1, -1, 1, 1)
    parameters = [*model.motion_grids.parameters(), *model.motion_net.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.99), eps=1e-15)
    with torch.enable_grad():
        for step in range(STEPS):
            if monitor.stopped:
                return
            optimizer.param_groups[0]["lr"] = RATE * 0.1 ** (step / STEPS)
            optimizer.zero_grad()
            apart = (model.motion(problem.times, ALL_LEVELS) - target) / scale
            apart.square().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
