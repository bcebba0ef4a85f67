"""The job of NSTM: from raw frames to a scene and its motion."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.acquisition import prepare
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import REACHED, Fitted
from napari_cellinr.fitting.resources.devices import choose_device
from napari_cellinr.fitting.resources.memory import FAILURES, free_after, give_back
from napari_cellinr.fitting.saved.stored import digest, geometry
from napari_cellinr.methods.nstm.attempts import (
    LAYERS,
    STIFFER,
    attempts_for,
    layers_left,
    with_light_of,
)
from napari_cellinr.methods.nstm.checks.conventional import conventional_warnings
from napari_cellinr.methods.nstm.checks.halves import fit_halves, is_significant
from napari_cellinr.methods.nstm.checks.report import (
    AT_THE_FLOOR,
    UNSEEN,
    ended_early,
    report_of,
)
from napari_cellinr.methods.nstm.costs import (
    attempts_of,
    check_memory,
    lasting,
    later_steps,
    steps_of_others,
)
from napari_cellinr.methods.nstm.extras import check_out_of_focus
from napari_cellinr.methods.nstm.layers.choice import (
    WORTH_IT,
    better_of,
    is_better_known,
    is_known,
    proposed_layers,
    with_layers_of,
)
from napari_cellinr.methods.nstm.layers.start import CROSSING, check_layers, start_layers
from napari_cellinr.methods.nstm.other_channels import (
    Scenes,
    fit_other_channels,
    has_other_channels,
)
from napari_cellinr.methods.nstm.phases.choice import better_by_parts
from napari_cellinr.methods.nstm.phases.likelihood import LocalMotion
from napari_cellinr.methods.nstm.phases.start import (
    LOOKING,
    PART_ATTEMPTS,
    GuidedProblem,
    can_be_local,
    continues_guided,
    take_local_motion,
)
from napari_cellinr.methods.nstm.plan import check_reference, check_times, frame_times, plan
from napari_cellinr.methods.nstm.problem import NSTMProblem
from napari_cellinr.methods.nstm.recording.channels import motion_source
from napari_cellinr.methods.nstm.rendering.aligned import aligned, can_align
from napari_cellinr.methods.nstm.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.checkpoint import Checkpoint
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.layers.decomposition import MovingLight
    from napari_cellinr.methods.nstm.layers.objects import MovingObjects
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = ["reconstruct_job"]

RESERVE = 0.85
"""Fraction of the time limit for optimisation; the rest is for rendering and writing."""

UNCHECKED = "The motion was not checked by fits to halves of the pixels, since {}."

ONE_CHANNEL = (
    "Only the channel of the motion was reconstructed, since the fit was stopped or the time limit "
    "was reached before the others."
)
"""Shown where the scenes of other channels are missing."""

FOLLOWING = "following the motion"
"""Caption for users."""

LARGE = 3.0
"""Displacement in voxels of the scene above which motion is not compared with a static image."""


ROLES = ("result", "motion", "speed", "confidence", "motion-error")
"""Role of each image; without a check of the motion, there is no last one."""

ALIGNED = "aligned"
"""Role of the raw frames, moved to where their material was in the reference frame."""


def reconstruct_job(
    source: Image, config: NSTMConfig, monitor: Monitor
) -> Generator[Progress, Message, Fitted]:
    """Fit the scene and its motion, again if the motion has not converged, and render both.

    Parameters
    ----------
    source
        Axes in canonical order; one channel, or several if `motion_channel` says which of them the
        motion is found from. Where frames show the scene where it is, the result then has all.
    config
        The settings.
    monitor
        Of the job.
    """
    resources = Resources(choose_device(config.device))
    recording, source = source, motion_source(source, config)
    if resources.device.type == "cpu":
        check_memory(source, config)
    measurement = yield from in_background(
        "preparing the frames", lambda: prepare(source, config.optics), monitor, needed=True
    )
    assert measurement is not None
    check_reference(config.reference, len(frame_times(measurement.model)))
    check_times(config.chosen_times(), measurement.model.shot_times())
    if config.max_seconds is not None:
        monitor.deadline = monitor.end_after(RESERVE * config.max_seconds)
    check_layers(config, measurement.model)
    check_out_of_focus(config, measurement.model)
    attempts = attempts_for(measurement, config, plan(measurement, config))
    layered = any(name == LAYERS for name, _, _ in attempts)
    ways = len(PART_ATTEMPTS) * (config.check_motion and can_be_local(measurement.model))
    most = len(attempts) + (config.moving and config.restart) * (1 + ways)
    others = steps_of_others(recording, config)
    best: tuple[NSTMProblem, Outcome] | None = None
    spare: tuple[NSTMProblem, Outcome] | None = None  # with layers, to be checked as well
    tried: list[dict[str, Any]] = []
    left: list[bool] = []

    def attempt(
        name: str,
        settings: NSTMConfig,
        extras: dict[str, bool],
        layers: MovingLight | MovingObjects | LocalMotion | None = None,
    ) -> Generator[Progress, Message, tuple[NSTMProblem, Outcome]]:
        nonlocal resources
        planned = plan(measurement, settings)
        found: tuple[NSTMProblem, Outcome] | None = None
        named = partial(lasting, later=later_steps(settings, left) + others)
        while found is None:
            try:
                with (
                    _scope(monitor.checkpoint, tried, layers, resources),
                    monitor.part(_caption(len(tried) + 1, most), named=named),
                ):
                    found = yield from _fit(
                        measurement, planned, settings, source, resources, extras, layers, monitor
                    )
            except FAILURES as error:
                free_after(error)
                resources = resources.with_less_memory()
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

    for number, (name, settings, extras) in enumerate(attempts):
        left = layers_left(attempts, number, attempts_of(source, config))
        stiffer = name == STIFFER
        if best is not None and (ended_early(tried) or (_explains(best) and not stiffer)):
            break
        if name == LAYERS:
            assert best is not None
            proposed = yield from proposed_layers(best[0], monitor)
            if proposed is not None:
                spare = yield from attempt(*proposed)
                best = better_of(best, spare)
            continue
        found = yield from attempt(
            name, with_layers_of(best, settings), with_light_of(best, extras)
        )
        worth_it = 1.0 if stiffer else WORTH_IT  # a simpler motion needs no margin
        if best is None or found[1].held_out < worth_it * best[1].held_out:
            best = found
    assert best is not None
    left = []
    unchecked: list[str] = []
    if _can_be_checked(best, config) and not ended_early(tried):
        why = ""
        try:
            best[0].halves = yield from fit_halves(best[0], monitor)
        except FAILURES as error:
            free_after(error)
            why = "there was not enough memory"
        if best[0].halves is None:
            why = why or ("this was stopped" if monitor.stopped else "the time limit was reached")
            unchecked = [UNCHECKED.format(why)]
        elif config.restart and ways:
            best = yield from better_by_parts(best, attempt, monitor)
        elif layered and best[0].plan.shape.layers == 1:
            known = partial(is_known, best)
            if not (yield from in_background(FOLLOWING, known, monitor, needed=True)):
                if len(tried) == 1:
                    proposed = yield from proposed_layers(best[0], monitor)
                    spare = (yield from attempt(*proposed)) if proposed is not None else None
                more = best if spare is None else better_of(best, spare, checked_later=True)
                if more is not best:
                    try:
                        more[0].halves = yield from fit_halves(more[0], monitor)
                    except FAILURES as error:
                        free_after(error)
                    better = partial(is_better_known, more[0], best[0])
                    if (yield from in_background(FOLLOWING, better, monitor, needed=True)):
                        best = more
    if _may_rest(best, config) and not ended_early(tried):
        extras = best[0].extras.chosen
        static = yield from attempt("static", config.replace(moving=False), extras)
        if static[1].stopped == "steps":
            best = _compared(best, static)
    scenes: Scenes | None = None
    missing: list[str] = []
    if has_other_channels(recording, config, best[0]) and not ended_early(tried):
        scenes = yield from fit_other_channels(best[0], recording, config, resources, monitor)
        missing = [ONE_CHANNEL] if scenes is None else []
    yield from monitor.report(FOLLOWING)
    problem, outcome = best
    give_back()
    images = yield from in_background(FOLLOWING, problem.render, monitor, needed=True)
    assert images is not None
    roles = ROLES[: len(images)]
    report = report_of(problem, outcome, tried, images, [*resources.warnings, *unchecked, *missing])
    if outcome.stopped == "steps" and not ended_early(tried):
        report["warnings"] += yield from conventional_warnings(problem, monitor)
    if scenes is not None:
        images = (scenes.image(recording, problem.config), *images[1:])
        report["channels"] = scenes.facts(recording)
        report["warnings"] += scenes.warnings(recording)
    report["seconds"] = monitor.seconds
    chosen: dict[str, Any] = {
        name: "on" if used else "off" for name, used in problem.extras.chosen.items()
    }
    if config.moving:
        chosen["motion_layers"] = problem.plan.shape.layers
    if config.align and can_align(problem, recording):
        moved = yield from in_background(
            "aligning the frames", lambda: aligned(problem, recording), monitor, needed=True
        )
        assert moved is not None
        images, roles = (*images, moved), (*roles, ALIGNED)
    early = ended_early(tried)
    if early:
        chosen["restart"] = False  # so that the settings repeat the best attempt only
    if early or unchecked:
        chosen["check_motion"] = False
    model, tensors = problem.model_settings(), problem.state_dict()
    if scenes is not None:
        model["scenes"] = scenes.settings()
        tensors |= scenes.tensors()
    memory = {f"{REACHED}problem.{name}": value for name, value in problem.memory().items()}
    return Fitted(
        images,
        problem.config.replace(steps=max(1, outcome.steps), **chosen),
        {**tensors, **outcome.saved_state(), **memory},
        outcome.history,
        early or outcome.stopped,
        report,
        method="nstm",
        roles=roles,
        source={**geometry(recording), "digest": digest(recording)},
        model=model,
    )


def _fit(
    measurement: Measurement,
    planned: Plan,
    config: NSTMConfig,
    source: Image,
    resources: Resources,
    extras: dict[str, bool],
    layers: MovingLight | MovingObjects | LocalMotion | None,
    monitor: Monitor,
) -> Generator[Progress, Message, tuple[NSTMProblem, Outcome]]:
    """Fit once: yield `Progress`, return the problem and its outcome.

    With several layers, the fit starts with what was found for them; it is computed if not given.
    """
    give_back()
    guided = isinstance(layers, LocalMotion) or continues_guided(monitor.checkpoint)
    kind = GuidedProblem if guided else NSTMProblem
    problem = kind(
        measurement,
        planned,
        config,
        source,
        resources.device,
        extras,
        recompute=resources.recompute,
    )
    if isinstance(layers, LocalMotion):
        learnt = partial(take_local_motion, problem, layers, monitor)
        yield from in_background(LOOKING, learnt, monitor, needed=True)
    elif planned.shape.layers > 1:
        started = partial(start_layers, problem, monitor, layers)
        yield from in_background(CROSSING, started, monitor, needed=True)
    outcome = yield from optimise(problem, config, monitor)
    give_back()
    return problem, outcome


def _scope(
    checkpoint: Checkpoint,
    tried: Sequence[Mapping[str, Any]],
    layers: MovingLight | MovingObjects | LocalMotion | None,
    resources: Resources,
) -> AbstractContextManager[None]:
    """Return the scope of the next attempt in the checkpoint.

    Those with the motion of parts have their own, so that all others are numbered as without them,
    as in checkpoints of versions that did not look at parts.
    """
    parts = sum(one["attempt"] in PART_ATTEMPTS for one in tried)
    if isinstance(layers, LocalMotion):
        names = (f"parts-{parts + 1}", resources.name)
        return checkpoint.within(".".join(name for name in names if name))
    if resources.name:
        checkpoint.enter(f"attempt-{len(tried) - parts}.{resources.name}")
    return nullcontext()


def _explains(found: tuple[NSTMProblem, Outcome]) -> bool:
    """Return whether a fit explains the frames up to their noise."""
    return found[0].misfit() <= AT_THE_FLOOR


def _caption(number: int, most: int) -> str:
    """Return what an attempt is called; nothing if there is only one."""
    return f"attempt {number} of up to {most}" if most > 1 else ""


def _can_be_checked(best: tuple[NSTMProblem, Outcome], config: NSTMConfig) -> bool:
    """Return whether the motion of the result is to be compared with that of halves."""
    return config.moving and config.check_motion and best[1].stopped == "steps"


def _compared(
    moving: tuple[NSTMProblem, Outcome], static: tuple[NSTMProblem, Outcome]
) -> tuple[NSTMProblem, Outcome]:
    """Return the better of a moving and a static scene; it stores what is known of the other."""
    moves = moving[0].halves is None and _is_better(moving[0], static[0])
    best, other = (moving, static) if moves else (static, moving)
    best[0].other_error = other[1].held_out
    if not moves:
        best[0].rejected = moving[0].halves
    return best


def _may_rest(best: tuple[NSTMProblem, Outcome], config: NSTMConfig) -> bool:
    """Return whether a static scene has to be fitted.

    If the motion was checked, it is the result where halves of the pixels do not need motion. Else
    it is compared with, unless large motion explains the frames: a static scene would not.
    """
    problem, outcome = best
    if problem.halves is not None:
        return not problem.halves.moves
    if not (config.moving and config.restart) or outcome.stopped != "steps":
        return False
    if problem.misfit() > AT_THE_FLOOR or outcome.held_out > UNSEEN:
        return True
    return problem.model.largest_motion(problem.times) < LARGE


def _is_better(moving: NSTMProblem, static: NSTMProblem) -> bool:
    """Return whether motion predicts held-out pixels significantly better than a static scene."""
    return is_significant((static.held_errors() - moving.held_errors()).cpu().double())
