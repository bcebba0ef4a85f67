"""Whether the motion of parts explains a phase better than that which a fit has found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.resources.memory import FAILURES, free_after
from napari_cellinr.methods.nstm.checks.halves import fit_halves
from napari_cellinr.methods.nstm.layers.choice import WORTH_IT, is_known
from napari_cellinr.methods.nstm.phases.start import (
    LEAST_GAIN,
    LOOKING,
    PART_ATTEMPTS,
    motion_of_parts,
    resting_limit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Outcome, Progress
    from napari_cellinr.methods.nstm.phases.likelihood import LocalMotion
    from napari_cellinr.methods.nstm.problem import NSTMProblem

    Found = tuple[NSTMProblem, Outcome]
    Steps = Generator[Progress, Message, Found]
    Attempt = Callable[[str, NSTMConfig, dict[str, bool], LocalMotion], Steps]

__all__ = ["better_by_parts"]


def better_by_parts(best: Found, attempt: Attempt, monitor: Monitor) -> Steps:
    """Return a fit that begins with the motion of parts, if it predicts unseen pixels better.

    It is tried where the motion of the best fit is not known, or none was found. Its error on
    held-out pixels has to be smaller, and that of the fits that check it, too. Only the scene has
    not seen these pixels: the motion of parts, which is kept or begun with, was found from all
    pixels with data. What parts at rest exclude is noted with the check of the best fit.

    Parameters
    ----------
    best
        The best fit so far, checked, and its outcome.
    attempt
        Makes a fit of a name, settings, optional parts and a beginning.
    monitor
        Of the job.

    Returns
    -------
    tuple
        The better fit and its outcome; `best` if the job was stopped or its time limit reached.
    """
    problem, outcome = best
    assert problem.halves is not None
    if monitor.stopped or monitor.is_late:
        return best
    known = partial(is_known, best)
    if problem.halves.moves and (yield from in_background(LOOKING, known, monitor, needed=True)):
        return best
    look = partial(motion_of_parts, problem, monitor)
    found = yield from in_background(LOOKING, look, monitor, needed=True)
    if found is None:  # stopped, or late
        return best
    problem.halves = replace(problem.halves, smallest=resting_limit(found))
    if found.gain < LEAST_GAIN:
        return best
    extras = problem.extras.chosen
    settings = problem.config.replace(coarse_to_fine=False)
    tried: list[Found] = []
    for name, given in PART_ATTEMPTS.items():
        one = yield from attempt(name, settings, extras, replace(found, given=given))
        if one[1].stopped != "steps":
            return best
        tried.append(one)
    more = min(tried, key=lambda one: one[1].held_out)
    if more[1].held_out >= WORTH_IT * outcome.held_out:
        return best
    try:
        more[0].halves = yield from fit_halves(more[0], monitor)
    except FAILURES as error:
        free_after(error)
    checked = more[0].halves
    if checked is None or not checked.moves:
        return best
    return best if problem.halves.moves and checked.moving >= problem.halves.moving else more
