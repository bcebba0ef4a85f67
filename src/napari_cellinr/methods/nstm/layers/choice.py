"""Whether several layers that add up explain a recording better than one motion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.resources.memory import FAILURES, free_after
from napari_cellinr.methods.nstm.checks.report import PARTLY, UNSEEN
from napari_cellinr.methods.nstm.checks.texture import doubted_texture
from napari_cellinr.methods.nstm.layers.start import (
    CROSSING,
    layers_needed,
    light_of,
    objects_of,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.methods.nstm.layers.decomposition import MovingLight
    from napari_cellinr.methods.nstm.layers.objects import MovingObjects
    from napari_cellinr.methods.nstm.problem import NSTMProblem

    Proposal = tuple[str, NSTMConfig, dict[str, bool], MovingLight | MovingObjects]

__all__ = [
    "WORTH_IT",
    "better_of",
    "is_better_known",
    "is_known",
    "proposed_layers",
    "with_layers_of",
]

WORTH_IT = 0.98
"""Held-out error relative to the best attempt below which another attempt is better."""

NOT_WORSE = 1.05
"""The same up to which objects from optical flow are checked: the few held-out pixels hardly tell
in noise which model is better, and several layers fit some of it."""

HALF = 0.5
"""Squared held-out error beyond the noise, relative to that with one motion, below which several
layers are better: a little less may come from their additional freedom."""


def proposed_layers(
    problem: NSTMProblem, monitor: Monitor
) -> Generator[Progress, Message, Proposal | None]:
    """Return name, settings, optional parts and beginning of a fit with several layers.

    It begins with objects whose affine motions follow the optical flow, or, if there are none, with
    the light of objects that cross. None if there is neither, or not enough memory to find out.

    Parameters
    ----------
    problem
        The best fit with one motion.
    monitor
        Of the job.
    """
    found: MovingObjects | MovingLight | None
    try:
        found = yield from in_background(CROSSING, partial(objects_of, problem), monitor)
        n_layers = 1 if found is None else len(found)
        if found is None and not monitor.stopped:
            found = yield from in_background(CROSSING, partial(light_of, problem), monitor)
            n_layers = 1 if found is None else layers_needed(found)
    except FAILURES as error:
        free_after(error)
        return None
    if found is None or n_layers == 1:
        return None
    extras = problem.extras.chosen
    return f"{n_layers} layers", problem.config.replace(motion_layers=n_layers), extras, found


def better_of(
    one: tuple[NSTMProblem, Outcome],
    layers: tuple[NSTMProblem, Outcome],
    *,
    checked_later: bool = False,
) -> tuple[NSTMProblem, Outcome]:
    """Return the fit with layers if it halves the error of held-out pixels beyond their noise.

    Most of that error is in the few blocks in which objects meet: a test of the mean would not see
    it. In noise, it is hardly seen at all, so that it is enough that objects from optical flow do
    not raise it clearly, if fits to parts of the pixels then tell which motion is known better.

    Parameters
    ----------
    one, layers
        The best fit with one motion, and one with several layers, each with its outcome.
    checked_later
        Whether such fits follow.
    """
    before, after = (max(found.held_out**2 - 1, 0.0) for found in (one[1], layers[1]))
    better = after < HALF * before and layers[1].held_out < WORTH_IT * one[1].held_out
    if checked_later and layers[0].by_flow:
        better = layers[1].held_out <= NOT_WORSE * one[1].held_out
    return layers if better and layers[1].stopped == "steps" else one


def is_known(found: tuple[NSTMProblem, Outcome]) -> bool:
    """Return whether one motion explains unseen pixels, and is known in what moves.

    Parameters
    ----------
    found
        A fit, checked if that was possible, and its outcome.
    """
    problem, outcome = found
    if outcome.held_out > UNSEEN:
        return False
    moves = problem.halves is not None and problem.halves.moves
    return not moves or doubted_texture(problem) <= PARTLY


def is_better_known(layers: NSTMProblem, one: NSTMProblem) -> bool:
    """Return whether the motion of layers is known in more of the texture than one motion is.

    Parameters
    ----------
    layers, one
        Fits with several layers, checked if that was possible, and with one.
    """
    if layers.halves is None or not layers.halves.moves:
        return False
    if one.halves is None or not one.halves.moves:
        return True
    return doubted_texture(layers) < doubted_texture(one)


def with_layers_of(best: tuple[NSTMProblem, Outcome] | None, settings: NSTMConfig) -> NSTMConfig:
    """Return settings with as many layers as the best fit so far, if there are several.

    Parameters
    ----------
    best
        The best fit so far, and its outcome.
    settings
        Those of the next one.
    """
    n_layers = 1 if best is None else best[0].plan.shape.layers
    return settings.replace(motion_layers=n_layers) if n_layers > 1 else settings
