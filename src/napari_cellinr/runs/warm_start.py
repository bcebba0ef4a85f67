"""Fits that begin with a kept one: more steps on the same image, or a fit of the next image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from napari_cellinr.api import iter_fit
from napari_cellinr.errors import ConfigError, FitError
from napari_cellinr.fitting.checkpoint import Keeper, keeping
from napari_cellinr.fitting.problem import REACHED, Fitted, finish
from napari_cellinr.fitting.stored import Stored, digest, stored_of
from napari_cellinr.methods import method_of_action, method_of_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.image import Image

__all__ = [
    "Beginning",
    "MakeJob",
    "begun_with",
    "continue_fit",
    "iter_continued",
    "iter_warm_started",
    "job_of",
    "warm_start",
    "why_not",
]

Beginning: TypeAlias = Literal["continue_from", "warm_start"]
"""How a fit begins with another one: with its steps, or with its parameters."""

MakeJob: TypeAlias = "Callable[[Image, Config], Job]"
"""What makes the job of an image and settings, where it is not the usual one of the action."""


def continue_fit(fit: Stored | Fitted, image: Image, steps: int) -> Fitted:
    """Return a fit of the same image with more steps; parameters and errors: `iter_continued`."""
    return finish(iter_continued(fit, image, steps))


def warm_start(fit: Stored | Fitted, image: Image, **settings: Any) -> Fitted:
    """Return a fit of another image of the same size that begins with the parameters of a kept one.

    Parameters
    ----------
    fit
        What a job returned, or a kept fit.
    image
        The image.
    settings
        Those of the method of the fit, by name.

    Raises
    ------
    ConfigError
        If the fit does not hold what it takes, or a setting is not allowed.
    """
    config = method_of_fit(fit).config(**settings)
    return finish(iter_warm_started(fit, image, config))


def iter_continued(
    fit: Stored | Fitted,
    image: Image,
    steps: int,
    *,
    keeper: Keeper | None = None,
    started: float | None = None,
    make: MakeJob | None = None,
) -> Job:
    """Return a job that does more steps of a kept fit, on the same image.

    With a learning rate that stays, as that of the preset `fast`, the result is that of a fit
    with as many steps in all, bit for bit on the CPU. A fit that has converged stays as it is.

    Parameters
    ----------
    fit
        What a job returned, or a kept fit.
    image
        The image that was fitted.
    steps
        How many more.
    keeper
        Where to store what it reaches.
    started
        As for `api.iter_denoise`.
    make
        Makes the job, if it is not the usual one.

    Raises
    ------
    ConfigError
        If the fit is that of another image, or does not hold what it takes.
    FitError
        If the job is stopped before it has come to where the fit was.
    """
    kept = _stored(fit)
    reached = _reached(kept)
    if kept.source.get("digest") != digest(image.canonical()):
        raise ConfigError(
            f"the fit is that of another image ({kept.source['name']}); only the same one can be "
            "continued. A fit of the next image can start from it (warm start)."
        )
    method = method_of_fit(kept)
    config = method.config(**kept.config).continued(steps)
    owner = keeper or Keeper(None)
    owner.know(reached)
    least = int(kept.config["steps"])
    return _farther(keeping(job_of(make, method.action, image, config, started), owner), least)


def _farther(job: Job, least: int) -> Job:
    """Pass on a job, unless it was stopped before it came to `least` steps."""
    fitted = yield from job
    if fitted.stopped == "user" and fitted.config.steps < least:
        raise FitError(
            "the fit was stopped while its image was prepared, before it could go on; the one "
            f"that was kept, of {least} steps, is as it was."
        )
    return fitted


def iter_warm_started(
    fit: Stored | Fitted,
    image: Image,
    config: Config,
    *,
    keeper: Keeper | None = None,
    started: float | None = None,
    make: MakeJob | None = None,
) -> Job:
    """Return a fit of another image that begins with the parameters of a kept one.

    They are taken only where the held-out error is lower with them than with the usual start. The
    report warns if nothing in the job could begin with them.

    Parameters
    ----------
    fit, keeper, started, make
        As for `iter_continued`.
    image
        An image of the same size, such as the next one of a series.
    config
        The settings, of the method of the fit.

    Raises
    ------
    ConfigError
        If the fit does not hold what it takes, or the settings are those of another method.
    """
    kept = _stored(fit)
    method = method_of_fit(kept)
    if not isinstance(config, method.config):
        raise ConfigError(
            f"a fit of {method.action} was given to begin with; one of the same method is needed."
        )
    owner = keeper or Keeper(None)
    owner.know(others=_reached(kept))
    return _told(keeping(job_of(make, method.action, image, config, started), owner), owner)


def _told(job: Job, owner: Keeper) -> Job:
    """Pass on a job, with a warning if nothing in it could begin with the other fit."""
    fitted = yield from job
    if owner.asked_for_other:
        return fitted
    warning = (
        "the fit to begin with was not used: frames that are denoised together, and "
        "super-resolution with the presets fast and preview, do not begin with another fit."
    )
    warnings = [*fitted.report.get("warnings", ()), warning]
    return replace(fitted, report={**fitted.report, "warnings": warnings})


def begun_with(
    beginning: Beginning,
    fit: Stored | Fitted,
    image: Image,
    config: Config,
    *,
    keeper: Keeper | None = None,
    started: float | None = None,
    make: MakeJob | None = None,
) -> Job:
    """Return the job that begins with a kept fit, in the one way or the other.

    Parameters
    ----------
    beginning
        `continue_from` or `warm_start`.
    fit, image, keeper, started, make
        As for `iter_continued` and `iter_warm_started`.
    config
        The settings; of a fit that is continued, only `steps` counts: how many more.

    Raises
    ------
    ConfigError
        As for the two.
    """
    if beginning == "continue_from":
        return iter_continued(fit, image, config.steps, keeper=keeper, started=started, make=make)
    return iter_warm_started(fit, image, config, keeper=keeper, started=started, make=make)


def why_not(fit: Stored | Fitted) -> str:
    """Return why no fit can begin with this one; an empty text if one can."""
    try:
        _reached(_stored(fit))
    except ConfigError as error:
        return str(error)
    return ""


def job_of(
    make: MakeJob | None, action: str, image: Image, config: Config, started: float | None
) -> Job:
    """Return the job of an action, or that of `make` if it is given.

    Parameters
    ----------
    make
        As for `iter_continued`.
    action
        `denoise`, `superresolve` or `reconstruct`.
    image, config, started
        As for `api.iter_denoise`.
    """
    if make is not None:
        return make(image, config)
    return iter_fit(method_of_action(action), image, config, started=started)


def _stored(fit: Stored | Fitted) -> Stored:
    return stored_of(fit) if isinstance(fit, Fitted) else fit


def _reached(fit: Stored) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what each loop of a fit has reached, by the scope of its frame."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    method = method_of_fit(fit)
    for name, array in fit.tensors.items():
        part, mark, rest = name.partition(REACHED)
        if mark:
            scope = method.scope.format(part.rstrip(".") or "0")
            found.setdefault(scope, {})[rest] = array
    if not found:
        raise ConfigError(
            "the fit has no steps to go on with: it is that of a series denoised together, of "
            "super-resolution with the preset fast, of tiles, or of an older version; fit again."
        )
    return found
