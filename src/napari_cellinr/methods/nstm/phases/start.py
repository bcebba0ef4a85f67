"""Fits of a phase that begin with the motion of its parts, or keep it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.fitting.adam import Adam
from napari_cellinr.methods.nstm.model import ALL_LEVELS
from napari_cellinr.methods.nstm.phases.errors import AVERAGED_OVER, FAR_WEIGHT
from napari_cellinr.methods.nstm.phases.likelihood import PART_WIDTH, LocalMotion
from napari_cellinr.methods.nstm.phases.seen import FEW_FRAMES, motion_of_seen
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.optics.dpc import DPCModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.fitting.checkpoint import Checkpoint
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "LEAST_GAIN",
    "LOOKING",
    "PART_ATTEMPTS",
    "GuidedProblem",
    "can_be_local",
    "continues_guided",
    "motion_of_parts",
    "resting_limit",
    "take_local_motion",
]

_GIVEN = "given"
"""Name under which a saved fit stores `GuidedProblem.given`."""

LOOKING = "looking at the motion of parts"
"""Caption for users."""

PART_ATTEMPTS = {"motion of parts first": 0.5, "motion of parts": 1.0}
"""Name of each attempt, and the part of its steps in which the motion of parts is kept: which one
is better depends on the recording, see the table in docs/decisions/motion-layers.md."""

LEAST_GAIN = 12.0
"""`LocalMotion.gain` from which a part moves: at most 2.3 in 23 recordings at rest, 27 or more in
25 where something moved (docs/decisions/motion-layers.md, "Rest")."""

MANY_FRAMES = 8
"""Largest number of frames whose parts are looked at: time grows with the number of pairs."""

STEPS, RATE = 150, 0.02
"""Steps in which the model learns the motion, and their learning rate, which falls to a tenth. The
target is smooth, so that few are enough."""

PART_WIDTHS = {0: PART_WIDTH, 1: 6.0, 2: 12.0}
"""Width of the parts for the whole fit and for the two that check it: wrong motion that comes from
the width differs between them. Chosen in docs/decisions/motion-layers.md, below "Measured"."""

ADDED_NOISE = 3**-0.5
"""Standard deviation of noise, relative to that of the frames, that leaves three quarters of their
information: that is inverse to the variance, which grows by a third. The fits see as much."""

ERROR_FACTOR = 2.0
"""Error of the motion of parts relative to what the fits that check it differ, for versions that do
not read how well the parts are known (docs/decisions/motion-layers.md)."""


class GuidedProblem(NSTMProblem):
    """A fit whose motion is given at first, so that the scene is found before it changes.

    Attributes
    ----------
    given : float
        Part of the steps in which it is; 1 to keep it.
    parts : LocalMotion or None
        What it was given; None if this fit continues another one.
    """

    given: float = 0.5
    parts: LocalMotion | None = None

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the usual loss; the motion takes no part in the first steps."""
        changes = step >= self.given * self.config.steps
        for parameter in self.param_groups()[1]["params"]:
            parameter.requires_grad_(changes)
        return super().loss(step, generator)

    def model_settings(self) -> dict[str, Any]:
        """Return the usual settings, and how much larger errors are than differences of fits."""
        return super().model_settings() | {"error_factor": ERROR_FACTOR}

    def memory(self) -> dict[str, torch.Tensor]:
        """Return the usual values, and how long the motion is given, for a fit that continues."""
        return super().memory() | {_GIVEN: torch.tensor(self.given, dtype=torch.float64)}

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:
        """Take what `memory` returned."""
        super().remember(memory)
        self.given = float(memory.get(_GIVEN, self.given))


def continues_guided(checkpoint: Checkpoint) -> bool:
    """Return whether the next optimisation continues that of a `GuidedProblem`.

    Parameters
    ----------
    checkpoint
        Of the job. Fits of earlier versions do not tell, and continue as an `NSTMProblem`.
    """
    return f"problem.{_GIVEN}" in (checkpoint.continued or {})


def can_be_local(optics: ForwardModel) -> bool:
    """Return whether the motion of parts can be found: that of a phase in a few frames.

    Parameters
    ----------
    optics
        The forward model.
    """
    return isinstance(optics, DPCModel) and FEW_FRAMES <= optics.n_shots <= MANY_FRAMES


def motion_of_parts(problem: NSTMProblem, monitor: Monitor, number: int = 0) -> LocalMotion | None:
    """Return the most likely motion of parts of the frames.

    It is found from all pixels with data, also those that the fit holds out, and for a fit that
    checks the motion also from those that this one does not see: filled from beside, a quarter of
    the pixels cost more than the width of the parts (docs/decisions/motion-layers.md). So what such
    a fit has not seen is unseen by its scene only, and the added noise, not the pixels, makes the
    motions of both fits differ.

    Parameters
    ----------
    problem
        A fit to these frames.
    monitor
        Of the job, which may be stopped or late.
    number
        0, or that of a fit that checks the motion: noise is added, which leaves three quarters of
        the information, and the parts are narrower or wider.

    Returns
    -------
    LocalMotion or None
        None if the job was stopped or its time limit reached.
    """
    optics, noise = problem.optics, problem.plan.noise
    assert isinstance(optics, DPCModel)
    seen = ~problem.plan.bad
    frames = problem.frames.cpu().numpy()
    if number:
        generator = np.random.default_rng(problem.config.seed + number)
        frames = frames + ADDED_NOISE * noise * generator.standard_normal(frames.shape)
        noise *= (1 + ADDED_NOISE**2) ** 0.5
    patterns = np.arange(optics.n_shots) % len(optics.absorption)
    rows, columns = optics.grid(optics.data_shape[1:], optics.padding[0])
    return motion_of_seen(
        frames,
        (optics.absorption.cpu().numpy()[patterns], optics.phase.cpu().numpy()[patterns]),
        (rows, columns),
        problem.moments.cpu().numpy(),
        noise,
        seen,
        is_stopped=lambda: monitor.stopped or monitor.is_late,
        reach=2 * float(max(problem.plan.shape.displacement)),
        width=PART_WIDTHS[number],
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
    if found.gain >= LEAST_GAIN:
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
        problem.given, problem.parts = found.given, found
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
        near = torch.exp(-apart / (2 * AVERAGED_OVER**2)) + FAR_WEIGHT / (1 + apart)
        near = near * weights[:, None, None]
        targets.append(-torch.einsum("nyx,nc->cyx", near, moved) / near.sum(0))
    target = torch.stack(targets)
    scale = model.displacement.clamp(min=1.0).reshape(1, -1, 1, 1)
    parameters = [*model.motion_grids.parameters(), *model.motion_net.parameters()]
    adam = Adam([{"params": parameters, "lr": RATE, "betas": (0.9, 0.99), "eps": 1e-15}])
    with torch.enable_grad():
        for step in range(STEPS):
            if monitor.stopped:
                return
            adam.forget_gradients()
            apart = (model.motion(problem.times, ALL_LEVELS) - target) / scale
            apart.square().mean().backward()  # type: ignore[no-untyped-call]
            adam.step(0.1 ** (step / STEPS))
