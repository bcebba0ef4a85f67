"""The job of NSTM: from raw frames of any microscope to a scene and its motion."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_cellinr.fit import Fitted, Progress
from napari_cellinr.instrument import prepare
from napari_cellinr.jobs.report import environment
from napari_cellinr.kept import geometry
from napari_cellinr.methods.devices import choose_device
from napari_cellinr.methods.nstm import NSTMProblem
from napari_cellinr.methods.nstm_plan import check_reference, check_times, plan
from napari_cellinr.optimise import optimise
from napari_cellinr.stages import in_background

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fit import Message, Outcome
    from napari_cellinr.image import Image
    from napari_cellinr.instrument import Measurement

__all__ = ["reconstruct_job"]

RESERVE = 0.85
"""Part of the time limit after which no step begins: the rest renders and writes."""

AT_THE_FLOOR = 1.25
"""Misfit, in standard deviations of the noise, up to which the motion explains the frames."""

FASTER = 3.0
"""Factor for the rate of the motion in a restart."""

WORTH_IT = 0.98
"""Held-out error of another attempt, as a part of the best one, below which it is kept."""

UNSEEN = 1.8
"""Held-out error, in the same unit, up to which pixels that no step saw are predicted."""

UNEVEN = 0.02
"""Change of the mean brightness of a frame above which gains are tried."""

ROLES = ("result", "motion", "speed", "confidence")


def reconstruct_job(
    source: Image, config: NSTMConfig, started: float
) -> Generator[Progress, Message, Fitted]:
    """Fit the scene and its motion, again if the motion has not converged, and render both.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings.
    started
        `time.monotonic()` when the job began.
    """
    device = choose_device(config.device)
    measurement = yield from in_background(
        "preparing the frames", lambda: prepare(source, config.optics), started=started, needed=True
    )
    assert measurement is not None
    check_reference(config.reference, measurement.model.n_shots)
    check_times(config.chosen_times(), measurement.model.shot_times())
    deadline = None
    if config.max_seconds is not None:
        deadline = started + RESERVE * config.max_seconds
    best: tuple[NSTMProblem, Outcome] | None = None
    tried: list[dict[str, Any]] = []
    for name, settings, extras in _attempts(measurement, config):
        if best is not None and (
            best[1].stopped in {"user", "time"} or best[0].misfit() <= AT_THE_FLOOR
        ):
            break
        problem = NSTMProblem(
            measurement, plan(measurement, settings), settings, source, device, **extras
        )
        outcome = yield from optimise(problem, settings, started=started, deadline=deadline)
        tried.append({"attempt": name, "held_out": outcome.held_out, "misfit": problem.misfit()})
        if best is None or outcome.held_out < WORTH_IT * best[1].held_out:
            best = problem, outcome
    assert best is not None
    yield Progress("following the motion", seconds=time.monotonic() - started)
    problem, outcome = best
    images = yield from in_background(
        "following the motion", problem.render, started=started, needed=True
    )
    assert images is not None
    report = _report(problem, outcome, tried, started, str(device))
    return Fitted(
        images,
        problem.config.replace(steps=max(1, outcome.steps)),
        problem.state_dict(),
        outcome.history,
        outcome.stopped,
        report,
        method="nstm",
        roles=ROLES,
        source=geometry(source),
    )


def _attempts(
    measurement: Measurement, config: NSTMConfig
) -> list[tuple[str, NSTMConfig, dict[str, bool]]]:
    """Return the fits to try; the next one only if those before explain too little."""
    given = {"brightness": config.brightness == "on", "unexplained": config.unexplained == "on"}
    attempts = [("as given", config, given)]
    if config.moving and config.restart:
        faster = config.replace(motion_rate=min(100.0, config.motion_rate * FASTER))
        attempts.append(("faster motion", faster, given))
    means = measurement.frames.mean(axis=tuple(range(1, measurement.frames.ndim)))
    level = abs(float(means.mean()))
    uneven = float(means.std()) > UNEVEN * level > 0
    more = {
        "brightness": given["brightness"] or (config.brightness == "auto" and uneven),
        "unexplained": given["unexplained"] or config.unexplained == "auto",
    }
    if more != given:
        attempts.append(("with what motion does not explain", config, more))
    return attempts


def _report(
    problem: NSTMProblem,
    outcome: Outcome,
    tried: list[dict[str, Any]],
    started: float,
    device: str,
) -> dict[str, Any]:
    """Return the report of the whole job, ready for JSON."""
    facts = problem.facts()
    misfit = float(facts["misfit"])
    warnings = list(facts.pop("warnings"))
    explained = misfit <= AT_THE_FLOOR and outcome.held_out <= UNSEEN
    converged = explained and outcome.stopped == "steps"
    if outcome.stopped in {"user", "time"}:
        why = "it was stopped" if outcome.stopped == "user" else "the time was up"
        warnings.append(
            f"the fit had not ended when {why}, after {outcome.steps} of {problem.config.steps} "
            "steps: fine detail and motion are missing; do not measure motion on this result."
        )
    elif not explained:
        warnings.append(
            "the motion has not converged, or is not all that changes: the frames are explained "
            f"only to {max(misfit, outcome.held_out):.1f} times their noise. Give "
            "fastest_movement and smallest_structure nearer to what moves, more steps, or check "
            "the optics; do not trust displacements before."
        )
    return {
        "seconds": time.monotonic() - started,
        "steps": outcome.steps,
        "device": device,
        **environment(),
        "held_out": outcome.held_out,
        "converged": converged,
        "attempts": tried,
        "config": problem.config.as_dict(),
        **facts,
        "warnings": warnings,
    }
