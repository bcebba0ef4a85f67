"""How wrong the motion may be: fits to two halves of the pixels, and one of a specimen at rest.

Two fits that share no pixel agree on motion that the frames determine, and differ where it is
decided by chance or by the penalties. The half that a fit has not seen tells whether motion is
needed at all. How the error was calibrated is in docs/decisions/motion-reliability.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import Schedule
from napari_cellinr.fitting.resources.memory import give_back
from napari_cellinr.image import Image
from napari_cellinr.methods.nstm.checks.exposures import delays_of
from napari_cellinr.methods.nstm.checks.parts import HALF, parts_of
from napari_cellinr.methods.nstm.checks.residual import contradiction
from napari_cellinr.methods.nstm.costs import SHORTER, lasting
from napari_cellinr.methods.nstm.layers.start import CROSSING, start_layers
from napari_cellinr.methods.nstm.phases.errors import KnownParts
from napari_cellinr.methods.nstm.phases.start import (
    LOOKING,
    GuidedProblem,
    motion_of_parts,
    take_local_motion,
)
from napari_cellinr.methods.nstm.plan import BLOCK
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.methods.nstm.rendering.render import Rendering
from napari_cellinr.methods.nstm.rendering.saved import COVARIANCES, DELAYS, MOMENTS, PLACES, SHIFT
from napari_cellinr.motion import textured

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.methods.nstm.model import SpaceTimeModel

__all__ = ["CLOSE", "Halves", "fit_halves", "is_significant", "of_blocks", "predicts_better"]

CLOSE = 0.5
"""Median difference of the motions in pixels above which the halves are fitted with all steps, and
motion up to which none is shown if it is smaller than its error."""

FASTEST = 0.9
"""Quantile of the motion of what moves fastest; the rest of the specimen may be at rest."""

UNEXPLAINED = 1.3
"""Held-out error of the fit of a part, relative to that of the whole, above which it has failed."""

CHANCE = 3.0
"""Number of standard errors by which motion has to lower the squared error of held-out pixels."""


@dataclass(frozen=True)
class Halves:
    """What the fits to halves of the pixels say about the motion.

    Parameters
    ----------
    models
        The moving models of both halves, whose motion is compared with that of the whole fit.
    moves
        Whether motion predicts the pixels of the other half better than a specimen at rest, and is
        not both small and smaller than its error.
    moving, resting
        Root mean square error of both on these pixels, in standard deviations of the noise.
    shift
        What `contradiction` says of both, (shots, [Z,] Y, X) in pixels, if anything.
    error, moved
        Median error and size of the motion where there is texture, in pixels of the frames.
    delays
        What `delays_of` says of the microscope, if anything.
    smallest
        Of parts of a phase at rest, motion in pixels that is excluded; infinite if a part moves.
        None if none is excluded, or it was not looked at.
    parts
        Of a phase whose motion is that of parts, how well it is known.
    """

    models: tuple[SpaceTimeModel, SpaceTimeModel]
    moves: bool
    moving: float
    resting: float
    shift: NDArray[np.float32] | None = None
    error: float = 0.0
    moved: float = 0.0
    delays: NDArray[np.float32] | None = None
    smallest: float | None = None
    parts: KnownParts | None = None

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all but the numbers by the names under which a fit saves them.

        Of the models, the motion; with layers, their light, too, which tells what is of which.
        """
        named: dict[str, NDArray[Any] | None] = {SHIFT: self.shift, DELAYS: self.delays}
        if self.parts is not None:
            found = self.parts
            named |= {PLACES: found.places, COVARIANCES: found.covariances, MOMENTS: found.moments}
        arrays = {name: torch.from_numpy(v) for name, v in named.items() if v is not None}
        return arrays | {
            f"half.{number}.{name}": value
            for number, model in enumerate(self.models)
            for name, value in model.tensors().items()
            if name.startswith("motion") or model.shape.layers > 1
        }


class _HalfProblem(NSTMProblem):
    """A part of the job that is neither stored nor evaluated while it runs."""

    def schedule(self) -> Schedule:
        """Return the usual falling rate."""
        return Schedule(decay=0.1, every=0, is_stored=False)


class _GuidedProblem(_HalfProblem, GuidedProblem):
    """A part whose motion is given at first, so that the scene is found before it changes."""


def fit_halves(whole: NSTMProblem, monitor: Monitor) -> Generator[Progress, Message, Halves | None]:
    """Fit two halves of the pixels, and the first one at rest, with the settings of a whole fit.

    Half of its steps are enough if the motions then agree. If not, each half is fitted again from
    the motion of the whole, and keeps that fit if it predicts the unseen pixels significantly
    better: then the first one had only missed the motion that its pixels support. If that explains
    nothing, the motion is given until the scene is found, and a lower error is enough. Where both
    predict them equally well, the pixels do not tell the motion, and the difference stays. Whether
    there is motion at all is decided by the fit that predicts them better. Layers that began with
    objects from optical flow are not fitted again: without the light of each, chance decides which
    motion it belongs to. Nor is what began with the motion of parts: each fit has its own.

    Parameters
    ----------
    whole
        What was fitted to all pixels.
    monitor
        Of the job.

    Returns
    -------
    Halves or None
        None if the user or the time limit ended the fits.
    """
    known: KnownParts | None = None
    if isinstance(whole, GuidedProblem):
        given = whole.parts
        if given is None:  # it continues another fit
            look = partial(motion_of_parts, whole, monitor)
            given = yield from in_background(LOOKING, look, monitor, needed=True)
        if given is None:
            return None
        known = KnownParts.of(given, whole.moments.cpu().numpy())
    parts = parts_of(whole)
    # Halves leave enough unseen pixels to the first fit; a quarter needs the test of both.
    resting = parts[:1] if whole.part_seen == HALF else parts
    jobs = [(seen, number, False) for number, seen in enumerate(resting, start=1)]
    jobs += [(seen, number, True) for number, seen in enumerate(parts, start=1)]
    fits: list[NSTMProblem] = []
    for done, (seen, number, moving) in enumerate(jobs, start=1):
        later = len(jobs) - done
        one = yield from _fit(whole, seen, number, monitor, moving=moving, later=later)
        if one is None:
            return None
        fits.append(one)
    rests, found = fits[: len(resting)], fits[len(resting) :]
    compared = _compared(whole, found, known)
    best = list(found)
    if compared.error >= CLOSE and not (whole.by_flow or isinstance(whole, GuidedProblem)):
        for number, seen in enumerate(parts, start=1):
            later = len(parts) - number
            failed = found[number - 1].held_out() > UNEXPLAINED * whole.held_out()
            again = yield from _fit(
                whole, seen, number, monitor, start=whole.model, guided=failed, later=later
            )
            if again is None:
                return None
            lower = again.held_out() < found[number - 1].held_out()
            if lower:
                best[number - 1] = again
            if (failed and lower) or predicts_better([again], [found[number - 1]]):
                found[number - 1] = again
        compared = _compared(whole, found, known)
    moves = predicts_better(best[: len(rests)], rests) and not compared.is_small
    return Halves(
        (found[0].model, found[1].model),
        moves,
        found[0].held_out(),
        rests[0].held_out(),
        contradiction(found),
        compared.error,
        compared.moved,
        delays_of(whole.optics),
        parts=known,
    )


def _fit(
    whole: NSTMProblem,
    seen: torch.Tensor,
    number: int,
    monitor: Monitor,
    *,
    moving: bool = True,
    start: SpaceTimeModel | None = None,
    guided: bool = False,
    later: int = 0,
) -> Generator[Progress, Message, NSTMProblem | None]:
    """Fit the pixels that are `seen`, in half of the usual steps; None if it was stopped.

    Parameters
    ----------
    whole
        What was fitted to all pixels.
    seen
        The pixels, shape of the frames, bool.
    number
        Of the half, from 1.
    monitor
        Of the job.
    moving
        Whether there is motion.
    start
        What the motion begins with, if not with rest. The scene is fitted anew: it would know the
        pixels of the other half.
    guided
        Whether it keeps that motion in the first half of the steps, at full resolution.
    later
        Fits that follow.
    """
    steps = max(1, round(SHORTER * whole.config.steps))
    seed = whole.config.seed + number
    config = whole.config.replace(steps=steps, seed=seed, moving=moving)
    if guided:
        config = config.replace(coarse_to_fine=False)
    give_back()
    given = whole.given if moving and isinstance(whole, GuidedProblem) else 0.0
    problem = _problem(whole, seen, config, _GuidedProblem if guided or given else _HalfProblem)
    if start is not None:
        problem.model.take_motion(start)
    elif given:
        began = partial(_begin_with_parts, problem, number, given, monitor)
        yield from in_background(LOOKING, began, monitor, needed=True)
    elif problem.plan.shape.layers > 1:
        started = partial(start_layers, problem, monitor)
        yield from in_background(CROSSING, started, monitor, needed=True)
    what = f"half {number} of the pixels" if moving else "half of the pixels at rest"
    named = partial(lasting, later=later * steps)
    with monitor.part(f"checking the motion: {what}", previews=False, named=named):
        outcome = yield from optimise(problem, config, monitor)
    give_back()
    return problem if outcome.stopped == "steps" else None


def _begin_with_parts(problem: NSTMProblem, number: int, given: float, monitor: Monitor) -> None:
    """Give a fit that checks a motion that of parts, found with a noise of its own."""
    found = motion_of_parts(problem, monitor, number)
    if found is not None:  # else the fit that follows ends at once
        take_local_motion(problem, replace(found, given=given), monitor)


class _Compared(NamedTuple):
    """Error and size of the motion in pixels, and whether it is as small as detail may explain."""

    error: float
    moved: float
    is_small: bool


def _compared(
    whole: NSTMProblem, halves: Sequence[NSTMProblem], parts: KnownParts | None
) -> _Compared:
    """Return how large the motion and its error are, in pixels of the frames.

    Of the first, the middle and the last frame, the largest; then the median over the texture.
    Motion that is smaller than its error may stand for detail that the scene cannot represent;
    what moves fastest decides, since the rest of the specimen may stand still.
    """
    rendering = Rendering(
        whole.model,
        whole.model_settings(),
        whole.device,
        [half.model for half in halves],
        parts=parts,
    )
    frames = rendering.settings["frames"]
    times, reference = [frames[0], frames[len(frames) // 2], frames[-1]], whole.config.reference
    error = rendering.errors(times, frames[reference]).max(0)
    zoom = np.reshape(rendering.settings["zoom"], (1, -1, *[1] * error.ndim))
    moved = rendering.displacement(times, frames[reference]) / zoom
    far = np.linalg.norm(moved, axis=1).max(0)
    part = 0.5 if whole.plan.shape.layers == 1 else FASTEST  # one layer may be at rest
    scene = rendering.scene([frames[reference]])[:, -1]
    there = textured(Image(scene, "T" + "ZYX"[-error.ndim :]), 0)
    chosen = there if there.any() else ...
    error, far = error[chosen], far[chosen]
    fastest = float(np.quantile(far, FASTEST))
    is_small = fastest < min(float(np.quantile(error, FASTEST)), CLOSE)
    return _Compared(float(np.median(error)), float(np.quantile(far, part)), is_small)


def _problem(
    whole: NSTMProblem, seen: torch.Tensor, config: NSTMConfig, kind: type[_HalfProblem]
) -> NSTMProblem:
    """Return the fit to the pixels that are `seen`; the others are held out."""
    counted = ((whole.seen > 0) | whole.held).cpu().numpy()
    held = ~seen.cpu().numpy() & counted
    rate = whole.plan.motion_rate * whole.config.steps / config.steps if config.moving else 0.0
    shape = whole.plan.shape if config.moving else replace(whole.plan.shape, layers=1)
    planned = replace(whole.plan, shape=shape, held=held, motion_rate=rate)
    made = kind(
        whole.measurement,
        planned,
        config,
        whole.source,
        whole.device,
        whole.extras.chosen,
        recompute=whole.recompute,
    )
    made.objective, made.by_flow = whole.objective, whole.by_flow
    made.optics.load_state_dict(whole.optics.state_dict())  # the pattern of light that was found
    return made


def predicts_better(some: Sequence[NSTMProblem], others: Sequence[NSTMProblem]) -> bool:
    """Return whether fits predict held-out blocks significantly better than others.

    A paired test of the mean squared error of each block, since the errors of neighbouring pixels
    depend on each other.

    Parameters
    ----------
    some, others
        Fits with the same held-out pixels, each with that at its place in the other list.
    """
    gains = torch.cat(
        [
            of_blocks(other.squared_errors() - one.squared_errors(), one.held)
            for one, other in zip(some, others, strict=True)
        ]
    )
    return is_significant(gains)


def is_significant(gains: torch.Tensor) -> bool:
    """Return whether the mean of independent differences is significantly above 0.

    Parameters
    ----------
    gains
        One difference of squared errors for each block or pixel, shape (n,).
    """
    if len(gains) < 2:
        return bool(gains.mean() > 0)
    return float(gains.mean()) > CHANCE * float(gains.std()) / math.sqrt(len(gains))


def of_blocks(values: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Return the mean of values over the held-out pixels of each block that has any, (blocks,).

    Parameters
    ----------
    values
        One for each pixel, shape of the frames.
    held
        Which pixels are held out, bool.
    """
    planes, weights = (
        part.cpu().double().flatten(0, -3)[:, None] for part in (values * held, held.float())
    )
    means, parts = (
        functional.avg_pool2d(part, BLOCK, ceil_mode=True, divisor_override=1)
        for part in (planes, weights)
    )
    return means[parts > 0] / parts[parts > 0]
