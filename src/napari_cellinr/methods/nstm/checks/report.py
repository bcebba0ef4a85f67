"""The report of a reconstruction: whether its motion can be trusted, and what to do if not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.fitting.report import environment
from napari_cellinr.methods.nstm.checks.halves import CLOSE
from napari_cellinr.methods.nstm.checks.texture import lost_part, motion_error, shown
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.fitting.problem import Outcome, Stopped
    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.checks.halves import Halves
    from napari_cellinr.methods.nstm.problem import NSTMProblem

__all__ = [
    "AT_THE_FLOOR",
    "PARTLY",
    "UNSEEN",
    "ended_early",
    "explained_part",
    "report_of",
]

AT_THE_FLOOR = 1.25
"""Misfit in standard deviations of the noise (σ) up to which the motion explains the frames."""

UNSEEN = 1.8
"""Held-out error in σ up to which the motion explains the frames."""

MOST = 0.95
"""Fraction of the changes that motion has to explain to count as converged although the frames
differ by more than noise: fine detail that the scene cannot represent does not bias motion."""

UNDETERMINED = 0.8
"""Median error of the motion in pixels above which it is not determined: half a pixel is then the
usual error."""

CLEARLY = 1.05
"""Held-out error of a static scene over that of a moving one above which something moves."""

SEEN = 0.5
"""Part of the largest expected displacement that parts at rest have to exclude."""

PALE = 0.6
"""Darkest parts relative to the brightest, from which an offset may be why the fit failed."""

_DARKEST = 0.01  # fraction of the pixels that are darker
_SOME = 1_000_000  # pixels that are looked at

PARTLY = 0.1
"""Part of the texture whose material may be lost without a warning."""


def ended_early(tried: list[dict[str, Any]]) -> Stopped | None:
    """Return `user` or `time` if the user or the time limit ended an attempt, else None."""
    early = (attempt["stopped"] for attempt in tried if attempt["stopped"] in {"user", "time"})
    return next(early, None)


def report_of(
    problem: NSTMProblem,
    outcome: Outcome,
    tried: list[dict[str, Any]],
    images: Sequence[Image],
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the report of a job, ready for JSON.

    Parameters
    ----------
    problem, outcome
        The result.
    tried
        All attempts.
    images
        Scene, motion, speed, confidence and, where the motion was checked, its error.
    more
        Warnings of the job.
    """
    facts = problem.facts()
    misfit, ended = float(facts["misfit"]), outcome.stopped == "steps"
    worst = max(misfit, outcome.held_out)
    explained = misfit <= AT_THE_FLOOR and outcome.held_out <= UNSEEN
    moves, part = problem.config.moving, _part(problem, outcome)
    followed = part is not None and part >= MOST
    early = ended_early(tried) if ended else None
    reference = problem.config.reference
    there = shown(problem) if problem.halves else None
    error = motion_error(images, reference, there) if problem.halves else None
    determined = error is None or error <= UNDETERMINED
    lost, place = 0.0, tuple[int, ...]()
    if problem.usual_error is not None:
        lost, place = lost_part(images, problem.usual_error, reference, there)
    known = determined and not (moves and lost > PARTLY)
    warnings = [*facts.pop("warnings"), *more]
    if early:
        warnings.append(
            f"The reconstruction {_why(early)} during another attempt to explain the frames; the "
            "result is the best one so far."
        )
    if not ended:
        warnings.append(
            f"The fit {_why(outcome.stopped)} after {outcome.steps} of "
            f"{n_of(problem.config.steps, 'step')}: fine detail and motion are missing. Do not "
            "measure motion on this result."
        )
    elif problem.other_error is not None and not moves:
        errors = outcome.held_out, problem.other_error
        reach = min(problem.plan.shape.displacement[-2:]) / max(problem.optics.zoom[-2:])
        warnings.append(_no_motion(*errors, problem.rejected, reach=reach, explained=explained))
    elif error is not None and not determined:
        warnings.append(_undetermined(error))
    elif moves and lost > PARTLY:
        warnings.append(_partly(lost, place))
    elif not explained:
        warnings.append(_unexplained(worst, part if followed else None, moves=moves))
    if ended and not (explained and known):
        warnings += _offset_warnings(problem)
    return {
        "steps": outcome.steps,
        "device": str(problem.device),
        **environment(),
        "held_out": outcome.held_out,
        "converged": ended and not early and (explained or followed) and known,
        "moves": moves,
        "explained_by_motion": part,
        "motion_error": error,
        "lost_part": lost,
        "attempts": tried,
        "config": problem.config.as_dict(),
        **facts,
        "warnings": warnings,
    }


def _part(problem: NSTMProblem, outcome: Outcome) -> float | None:
    """Return which part of the changes motion explains; None if it is not known, or at rest."""
    if not problem.config.moving:
        return None
    if problem.halves is not None:
        return explained_part(problem.halves.moving, problem.halves.resting)
    other = problem.other_error
    return None if other is None else explained_part(outcome.held_out, other)


def explained_part(moving: float, static: float) -> float:
    """Return the fraction of the variance left by a static scene that motion explains, 0 to 1.

    Parameters
    ----------
    moving, static
        Held-out errors of both, in standard deviations of the noise.
    """
    left = max(static**2 - 1, 1e-9)
    return min(max(1 - max(moving**2 - 1, 0) / left, 0.0), 1.0)


def _why(stopped: Stopped) -> str:
    return "was stopped" if stopped == "user" else "reached its time limit"


def _undetermined(error: float) -> str:
    """Return the warning that the frames do not determine the motion."""
    return (
        f"The motion is not determined by the frames: it may be wrong by {error:.1f} pixels "
        "(median where there is texture), since fits to two halves of the pixels differ, or "
        "material speeds up where it was not recorded. Do not measure displacements on this "
        "result. Set fastest_movement and smallest_structure closer to what moves, or record more "
        "light or more frames."
    )


def _partly(part: float, place: tuple[int, ...]) -> str:
    """Return the warning that the motion is not known in a part of the specimen.

    Parameters
    ----------
    part
        Of the positions with texture.
    place
        Where most of it is, in voxels.
    """
    where = ", ".join(f"{axis} {n}" for axis, n in zip("zyx"[-len(place) :], place, strict=True))
    return (
        f"In {part:.0%} of the texture, most of it around {where} (in the reference frame), the "
        "motion is wrong or unknown by more than a pixel: the frames contradict it, fits to two "
        "halves of the pixels differ, or material speeds up where it was not recorded. Things "
        "that cross, or move against each other, cannot be followed by one motion. Do not measure "
        "displacements there; tracks end, and arrows are left out."
    )


def _unexplained(worst: float, part: float | None, *, moves: bool) -> str:
    """Return the warning that the frames differ from the result by more than their noise.

    Parameters
    ----------
    worst
        By how much, in standard deviations of the noise.
    part
        Which part of the changes motion explains, if it explains nearly all of them.
    moves
        Whether the scene moves.
    """
    if not moves:
        return (
            "A static image does not explain the frames: they differ from it by "
            f"{worst:.1f} σ of their noise. Fit with motion, or check the optics, or what else "
            "changes."
        )
    if part is not None:
        return (
            f"Motion explains {part:.0%} of the changes, but the frames still differ by "
            f"{worst:.1f} σ of their noise: fine detail is missing, or something else changes, "
            "too. Trust displacements where the confidence is high."
        )
    return (
        "The motion has not converged, or is not all that changes: the frames differ from the "
        f"result by {worst:.1f} σ of their noise. Set fastest_movement and smallest_structure "
        "closer to what moves, do more steps, or check the optics. Do not trust these "
        "displacements."
    )


def _offset_warnings(problem: NSTMProblem) -> list[str]:
    """Return a sentence if the contrast of the frames is small beside their darkest parts."""
    background = getattr(problem.config.optics, "background", None)
    frames = problem.measurement.frames[~problem.plan.bad]
    darkest = float(np.quantile(frames[:: frames.size // _SOME + 1], _DARKEST))
    if background is None or darkest < PALE:
        return []
    level = darkest * problem.measurement.unit + background
    return [
        f"Even the darkest parts of the frames are at {level:.7g} grey levels, {darkest:.0%} of "
        f"the brightest above the background of {background:g} in the settings. If the camera has "
        "such an offset without light, give it as background of the optics, and fit again."
    ]


def _no_motion(
    static: float,
    moved: float,
    rejected: Halves | None,
    *,
    explained: bool,
    reach: float = 0.0,
) -> str:
    """Return the warning that the result is static although motion was looked for.

    Parameters
    ----------
    static, moved
        Held-out errors, in standard deviations of the noise.
    rejected
        What fits to halves of the pixels say about the motion, if they were made.
    explained
        Whether the static image explains the frames.
    reach
        Largest expected displacement from the middle in pixels.
    """
    if static > CLEARLY * moved:
        return (
            "The motion could not be determined. A moving image fits the held-out pixels better "
            f"than a static one ({moved:.2f} against {static:.2f} σ), but the same motion is not "
            "found in two halves of the pixels, or the difference may be chance, so the result is "
            "static. Do not measure displacements on it: record more light or more frames, or set "
            "fastest_movement and smallest_structure closer to what moves."
        )
    sentence = (
        "No motion was found. A static image fits the held-out pixels as well as a moving one "
        f"({static:.2f} against {moved:.2f} σ), so the result is static."
    )
    smallest = None if rejected is None else rejected.smallest
    parts_move = smallest is not None and np.isinf(smallest)
    if not explained:
        text = f"{sentence} It does not explain the frames: check the optics, or what else changes."
        doubt = (
            " With these optics, parts of the frames are much more likely if they move. Do not "
            "take the specimen to be at rest."
        )
        return text + doubt if parts_move else text
    if parts_move:
        return (
            f"{sentence} But parts of the frames are much more likely if they move. Do not take "
            "the specimen to be at rest: record more light or more frames."
        )
    if smallest is not None and smallest <= SEEN * reach:
        return (
            f"{sentence} Parts of the frames exclude motion of {n_of(round(smallest), 'pixel')} "
            "or more, by their likelihood; smaller motion may be missed."
        )
    if rejected is not None and rejected.error > UNDETERMINED:
        return (
            f"{sentence} But the frames hardly tell motion: fits to two halves of the pixels found "
            f"motions that differ by {rejected.error:.1f} pixels (median where there is texture), "
            "so that motion of this size may be missed. Do not take the specimen to be at rest: "
            "record more light or more frames."
        )
    if rejected is not None and rejected.moved > max(rejected.error, CLOSE):
        return (
            f"{sentence} But fits to two halves of the pixels found similar motion of "
            f"{rejected.moved:.1f} pixels. Do not take the specimen to be at rest: record more "
            "light or more frames."
        )
    return sentence
