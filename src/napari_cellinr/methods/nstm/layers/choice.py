"""Whether several layers that add up explain a recording better than one motion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_cellinr.config.nstm import EXTRAS
from napari_cellinr.fitting.background import in_background
from napari_cellinr.methods.nstm.checks.report import PARTLY, UNSEEN, lost_texture
from napari_cellinr.methods.nstm.layers.start import CROSSING, layers_needed, light_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.methods.nstm.problem import NSTMProblem

    Attempt = Callable[..., Generator[Progress, Message, tuple[NSTMProblem, Outcome]]]

__all__ = ["fit_layers", "is_better_known", "is_known", "with_layers_of"]

BETTER = 0.98
"""Held-out error relative to that with one motion below which layers are better."""

HALF = 0.5
"""Squared held-out error beyond the noise, relative to that with one motion, below which several
layers are better: a little less may come from their additional freedom."""


def fit_layers(
    best: tuple[NSTMProblem, Outcome], attempt: Attempt, monitor: Monitor
) -> Generator[Progress, Message, tuple[NSTMProblem, Outcome]]:
    """Fit several layers if objects cross; return the better fit.

    That is the one with layers if it halves the error of held-out pixels beyond their noise. Most
    of that error is in the few blocks in which objects meet: a test of the mean would not see it.

    Parameters
    ----------
    best
        The best fit with one motion, and its outcome.
    attempt
        Fits with a name, settings, optional parts of the model, and moving light.
    monitor
        Of the job.
    """
    problem = best[0]
    light = yield from in_background(CROSSING, partial(light_of, problem), monitor)
    n_layers = 1 if light is None else layers_needed(light)
    if n_layers == 1:
        return best
    extras = {name: getattr(problem, name) for name in EXTRAS}
    settings = problem.config.replace(motion_layers=n_layers)
    more = yield from attempt(f"{n_layers} layers", settings, extras, light)
    before, after = (max(found.held_out**2 - 1, 0.0) for found in (best[1], more[1]))
    better = after < HALF * before and more[1].held_out < BETTER * best[1].held_out
    return more if better and more[1].stopped == "steps" else best


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
    return not moves or lost_texture(problem) <= PARTLY


def is_better_known(layers: NSTMProblem, one: NSTMProblem) -> bool:
    """Return whether the motion of layers is known in more of the texture than one motion is.

    Parameters
    ----------
    layers, one
        Fits with several layers, whose motion was checked, and with one.
    """
    assert layers.halves is not None
    if not layers.halves.moves or one.halves is None or not one.halves.moves:
        return layers.halves.moves
    return lost_texture(layers) < lost_texture(one)


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
