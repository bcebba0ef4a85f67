"""The job of NSTM: from raw frames to a scene and its motion."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition import prepare
from napari_cellinr.classic.defects import blank_frames
from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.devices import choose_device
from napari_cellinr.fitting.memory import FAILURES, free_after
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import REACHED, Fitted
from napari_cellinr.fitting.report import environment
from napari_cellinr.fitting.stored import digest, geometry
from napari_cellinr.methods.nstm.plan import check_reference, check_times, frame_times, plan
from napari_cellinr.methods.nstm.problem import NSTMProblem

if TYPE_CHECKING:
    from collections.abc import Generator

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress, Stopped
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = ["reconstruct_job"]

RESERVE = 0.85
"""Fraction of the time limit for optimisation; the rest is for rendering and writing."""

AT_THE_FLOOR = 1.25
"""Misfit in standard deviations of the noise (σ) up to which the motion explains the frames."""

FASTER = 3.0
"""Factor for the learning rate of the motion in a restart."""

WORTH_IT = 0.98
"""Held-out error relative to the best attempt below which another attempt is better."""

UNSEEN = 1.8
"""Held-out error in σ up to which the motion explains the frames."""

UNEVEN = 0.02
"""Relative variation of the mean brightness of frames above which gains are fitted."""

LARGE = 3.0
"""Displacement in voxels of the scene above which motion is not compared with a static image."""

MOST = 0.95
"""Fraction of the changes that motion has to explain to count as converged although the frames
differ by more than noise: fine detail that the scene cannot represent does not bias motion."""

CHANCE = 3.0
"""Number of standard errors by which motion has to lower the squared error of held-out pixels."""

FEW, STRAIGHT = 4, 0.8
"""Smallest number of frames, and smallest R² of an exponential curve, to fit bleaching."""


@dataclass(frozen=True)
class _Means:
    """Device of a fit, whether it trades time for memory, and warnings about both.

    Attempts with other means than the first have scopes of their own in the checkpoint, so that
    each finds its own state whatever memory is free when the job resumes.
    """

    device: torch.device
    frugal: bool = False
    name: str = ""
    warnings: tuple[str, ...] = ()

    def scarcer(self) -> _Means:
        """Return means that need less memory; raise `FitError` if there are none."""
        if not self.frugal:
            text = "Memory was short: moved scenes were computed twice, so each step took longer."
            return replace(self, frugal=True, name="frugal", warnings=(text,))
        if self.device.type != "cpu":
            text = "GPU memory was short: the fit continued on the CPU."
            return replace(self, device=choose_device("cpu"), name="cpu", warnings=(text,))
        raise FitError(
            "there is not enough memory; close other programs, or fit a crop or fewer frames."
        )


ROLES = ("result", "motion", "speed", "confidence")


def reconstruct_job(
    source: Image, config: NSTMConfig, monitor: Monitor
) -> Generator[Progress, Message, Fitted]:
    """Fit the scene and its motion, again if the motion has not converged, and render both.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings.
    monitor
        Of the job.
    """
    means = _Means(choose_device(config.device))
    measurement = yield from in_background(
        "preparing the frames", lambda: prepare(source, config.optics), monitor, needed=True
    )
    assert measurement is not None
    check_reference(config.reference, len(frame_times(measurement.model)))
    check_times(config.chosen_times(), measurement.model.shot_times())
    if config.max_seconds is not None:
        monitor.deadline = monitor.end_after(RESERVE * config.max_seconds)
    best: tuple[NSTMProblem, Outcome] | None = None
    tried: list[dict[str, Any]] = []

    def attempt(
        name: str, settings: NSTMConfig, extras: dict[str, bool]
    ) -> Generator[Progress, Message, tuple[NSTMProblem, Outcome]]:
        nonlocal means
        planned = plan(measurement, settings)
        found: tuple[NSTMProblem, Outcome] | None = None
        while found is None:
            if means.name:
                monitor.checkpoint.enter(f"attempt-{len(tried)}.{means.name}")
            try:
                found = yield from _fit(
                    measurement, planned, settings, source, means, extras, monitor
                )
            except FAILURES as error:
                free_after(error)
                means = means.scarcer()
        problem, outcome = found
        tried.append(
            {
                "attempt": name,
                "held_out": outcome.held_out,
                "misfit": problem.misfit(),
                "stopped": outcome.stopped,
            }
        )
        return found

    for name, settings, extras in _attempts(measurement, config):
        if best is not None and (_ended_early(tried) or best[0].misfit() <= AT_THE_FLOOR):
            break
        found = yield from attempt(name, settings, extras)
        if best is None or found[1].held_out < WORTH_IT * best[1].held_out:
            best = found
    assert best is not None
    if _may_be_still(best, config) and not _ended_early(tried):
        extras = {name: getattr(best[0], name) for name in EXTRAS}
        still = yield from attempt("static", config.replace(moving=False), extras)
        if still[1].stopped == "steps":
            best = _compared(best, still)
    yield from monitor.report("following the motion")
    problem, outcome = best
    images = yield from in_background("following the motion", problem.render, monitor, needed=True)
    assert images is not None
    report = _report(problem, outcome, tried, monitor.seconds, means)
    chosen: dict[str, Any] = {name: "on" if getattr(problem, name) else "off" for name in EXTRAS}
    early = _ended_early(tried)
    if early:
        chosen["restart"] = False  # so that the settings repeat the best attempt only
    memory = {f"{REACHED}problem.{name}": value for name, value in problem.memory().items()}
    return Fitted(
        images,
        problem.config.replace(steps=max(1, outcome.steps), **chosen),
        {**problem.state_dict(), **outcome.saved_state(), **memory},
        outcome.history,
        early or outcome.stopped,
        report,
        method="nstm",
        roles=ROLES,
        source={**geometry(source), "digest": digest(source)},
        model=problem.model_settings(),
    )


def _fit(
    measurement: Measurement,
    planned: Plan,
    config: NSTMConfig,
    source: Image,
    means: _Means,
    extras: dict[str, bool],
    monitor: Monitor,
) -> Generator[Progress, Message, tuple[NSTMProblem, Outcome]]:
    """Fit once: yield `Progress`, return the problem and its outcome."""
    problem = NSTMProblem(
        measurement, planned, config, source, means.device, **extras, frugal=means.frugal
    )
    outcome = yield from optimise(problem, config, monitor)
    return problem, outcome


def _ended_early(tried: list[dict[str, Any]]) -> Stopped | None:
    """Return `user` or `time` if the user or the time limit ended an attempt, else None."""
    early = (attempt["stopped"] for attempt in tried if attempt["stopped"] in {"user", "time"})
    return next(early, None)


def _compared(
    moving: tuple[NSTMProblem, Outcome], still: tuple[NSTMProblem, Outcome]
) -> tuple[NSTMProblem, Outcome]:
    """Return the better of a moving and a static scene; it stores the error of the other."""
    best, other = (moving, still) if _is_better(moving[0], still[0]) else (still, moving)
    best[0].other_error = other[1].held_out
    return best


def _attempts(
    measurement: Measurement, config: NSTMConfig
) -> list[tuple[str, NSTMConfig, dict[str, bool]]]:
    """Return the fits to try in turn, until one explains the frames."""
    given = {name: getattr(config, name) == "on" for name in EXTRAS}
    attempts = [("as given", config, given)]
    if config.moving and config.restart:
        faster = config.replace(motion_rate=min(100.0, config.motion_rate * FASTER))
        attempts.append(("faster motion", faster, given))
    frames = measurement.frames
    good = np.delete(frames, blank_frames(list(frames)), axis=0)
    means = good.mean(axis=tuple(range(1, frames.ndim)))
    fades = given["bleaching"] or (config.bleaching == "auto" and _fades(means))
    if fades and not given["bleaching"]:
        attempts.append(("with bleaching", config, {**given, "bleaching": True}))
    uneven = float(means.std()) > UNEVEN * abs(float(means.mean())) > 0
    more = {
        "brightness": given["brightness"] or (config.brightness == "auto" and uneven),
        "bleaching": given["bleaching"],
        "unexplained": given["unexplained"] or config.unexplained == "auto",
    }
    if more != given:
        attempts.append(("with what motion does not explain", config, more))
    return attempts


def _fades(means: NDArray[np.floating]) -> bool:
    """Return whether frames get darker along an exponential curve, by their mean brightness."""
    if len(means) < FEW or means.min() <= 0:
        return False
    logarithm, time = np.log(means), np.linspace(0, 1, len(means))
    slope, _ = np.polyfit(time, logarithm, 1)
    return bool(slope < -UNEVEN and np.corrcoef(time, logarithm)[0, 1] ** 2 > STRAIGHT)


def _may_be_still(best: tuple[NSTMProblem, Outcome], config: NSTMConfig) -> bool:
    """Return whether the result has to be compared with a static scene.

    Not if large motion explains the frames: a static scene would not.
    """
    problem, outcome = best
    if not (config.moving and config.restart) or outcome.stopped != "steps":
        return False
    if problem.misfit() > AT_THE_FLOOR or outcome.held_out > UNSEEN:
        return True
    return problem.largest_motion() < LARGE


def _is_better(moving: NSTMProblem, still: NSTMProblem) -> bool:
    """Return whether motion predicts held-out pixels significantly better than a static scene."""
    gain = (still.held_errors() - moving.held_errors()).double()
    if len(gain) < 2:
        return bool(gain.mean() > 0)
    return float(gain.mean()) > CHANCE * float(gain.std()) / math.sqrt(len(gain))


def _report(
    problem: NSTMProblem,
    outcome: Outcome,
    tried: list[dict[str, Any]],
    seconds: float,
    means: _Means,
) -> dict[str, Any]:
    """Return the report of the whole job, ready for JSON."""
    facts = problem.facts()
    misfit, ended = float(facts["misfit"]), outcome.stopped == "steps"
    warnings = [*facts.pop("warnings"), *means.warnings]
    explained = misfit <= AT_THE_FLOOR and outcome.held_out <= UNSEEN
    moves, other = problem.config.moving, problem.other_error
    part = None if other is None or not moves else _explained_part(outcome.held_out, other)
    followed = part is not None and part >= MOST
    early = _ended_early(tried) if ended else None
    if early:
        why = "was stopped" if early == "user" else "reached its time limit"
        warnings.append(
            f"The reconstruction {why} during another attempt to explain the frames; the result is "
            "the best one so far."
        )
    if not ended:
        why = "was stopped" if outcome.stopped == "user" else "reached its time limit"
        warnings.append(
            f"The fit {why} after {outcome.steps} of {problem.config.steps} "
            "steps: fine detail and motion are missing. Do not measure motion on this result."
        )
    elif other is not None and not moves:
        warnings.append(_no_motion(outcome.held_out, other, explained=explained))
    elif not moves and not explained:
        warnings.append(
            "A static image does not explain the frames: they differ from it by "
            f"{max(misfit, outcome.held_out):.1f} σ of their noise. Fit with motion, or check the "
            "optics, or what else changes."
        )
    elif not explained and followed:
        warnings.append(
            f"Motion explains {part:.0%} of the changes, but the frames still differ by "
            f"{max(misfit, outcome.held_out):.1f} σ of their noise: fine detail is missing, or "
            "something else changes, too. Trust displacements where the confidence is high."
        )
    elif not explained:
        warnings.append(
            "The motion has not converged, or is not all that changes: the frames differ from the "
            f"result by {max(misfit, outcome.held_out):.1f} σ of their noise. Set "
            "fastest_movement and smallest_structure closer to what moves, do more steps, or "
            "check the optics. Do not trust these displacements."
        )
    return {
        "seconds": seconds,
        "steps": outcome.steps,
        "device": str(means.device),
        **environment(),
        "held_out": outcome.held_out,
        "converged": ended and not early and (explained or followed),
        "moves": moves,
        "explained_by_motion": part,
        "attempts": tried,
        "config": problem.config.as_dict(),
        **facts,
        "warnings": warnings,
    }


def _explained_part(moving: float, still: float) -> float:
    """Return the fraction of the variance left by a static scene that motion explains, 0 to 1.

    Parameters
    ----------
    moving, still
        Held-out errors of both, in standard deviations of the noise.
    """
    left = max(still**2 - 1, 1e-9)
    return min(max(1 - max(moving**2 - 1, 0) / left, 0.0), 1.0)


def _no_motion(still: float, moved: float, *, explained: bool) -> str:
    """Return the warning that a static scene predicts held-out pixels as well as a moving one."""
    sentence = (
        "No motion was found. A static image fits the held-out pixels as well as a moving one "
        f"({still:.2f} against {moved:.2f} σ), so the result is static."
    )
    if explained:
        return sentence
    return f"{sentence} It does not explain the frames: check the optics, or what else changes."
