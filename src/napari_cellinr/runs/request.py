"""One run of a method, as a record; and `start`, which turns the record into a job."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.fitting.checkpoint import EVERY, JOB_FILE, Checkpoint
from napari_cellinr.fitting.guard import explained_failures
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.stored import digest, geometry, plain, stored_of
from napari_cellinr.io.safety.checkpoint_folder import CheckpointFolder
from napari_cellinr.io.safety.lock import check_free
from napari_cellinr.methods import method_of_fit
from napari_cellinr.runs.starts import Continued, New, Resumed, Start, WarmStart, saved_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from numpy.typing import NDArray

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted, Job, Message, Progress
    from napari_cellinr.fitting.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method

__all__ = ["OTHER_FIT", "CheckpointPlace", "Finish", "RunRequest", "check_new", "start"]

Finish: TypeAlias = "Callable[[Fitted, Monitor], Generator[Progress, Message, None]]"
"""What is done with the result of a run before its checkpoint is deleted."""

OTHER_FIT = "other."
"""Begins the names of the tensors of a fit that a run starts from, in its checkpoint."""


@dataclass(frozen=True)
class CheckpointPlace:
    """Where a run stores what it has reached, and how often.

    Parameters
    ----------
    folder
        A folder of the checkpoint's own, as from `checkpoint_in`; made after `every` seconds.
    every
        Seconds between two checkpoints.
    origin
        File that the image came from; empty if none.
    """

    folder: Path
    every: float = EVERY
    origin: str = ""


@dataclass(frozen=True)
class RunRequest:
    """One run of a method: everything that decides its result.

    Parameters
    ----------
    method
        One of `methods.METHODS`.
    source
        The image.
    config
        The settings; a fit that is continued keeps its own.
    start
        How the run starts.
    checkpoint
        Where it stores what it has reached; nowhere if not given.
    lazily
        Whether the result is rendered only when parts of it are read; super-resolution only.
    started
        `time.monotonic()` from which a time limit counts; when the job is begun if not given.
    finish
        What else is done before the checkpoint is deleted, such as writing the result.
    """

    method: Method
    source: Image
    config: Config
    start: Start = field(default_factory=New)
    checkpoint: CheckpointPlace | None = None
    lazily: bool = False
    started: float | None = None
    finish: Finish | None = None


def start(request: RunRequest) -> Job:
    """Return the job of a run, which yields `Progress` and returns `Fitted`.

    The checkpoint is deleted when the job ends. It stays if the job was stopped or given up, or
    if the program crashed; `resume` goes on with it, `discard` deletes it. Only files that the
    checkpoint wrote are deleted, and its folder only if nothing else is in it.

    Parameters
    ----------
    request
        What to run.

    Raises
    ------
    ConfigError
        If the run cannot start from the fit that was given.
    FileError
        If there is a checkpoint in the folder already, of a run that goes on or was interrupted,
        or the folder holds anything else.
    FitError
        From the job: if the fit fails, with the remedy; never a `RuntimeError`.
    """
    checkpoint = _checkpoint(request)
    begun, config = request.start, request.config
    if isinstance(begun, Resumed):
        begun = begun.begun
    if isinstance(begun, Continued):
        checkpoint.saved_steps = saved_steps(begun.fit)
        config = _continued(begun, request.source)
    elif isinstance(begun, WarmStart):
        _check_method(begun.fit, config)
        checkpoint.initial = saved_steps(begun.fit)
    return _run(replace(request, start=begun, config=config), checkpoint)


def _run(request: RunRequest, checkpoint: Checkpoint) -> Job:
    """Do a run whose start is decided; while the job runs, its checkpoint is held."""
    monitor = Monitor(request.started, checkpoint)
    options: dict[str, Any] = {"lazily": True} if request.lazily else {}
    with checkpoint.held():
        with explained_failures():
            image = request.source.canonical()
            fitted = yield from request.method.job(image, request.config, monitor, **options)
        if request.finish is not None:
            yield from request.finish(fitted, monitor)
        if fitted.stopped != "user":
            checkpoint.delete()
    if isinstance(request.start, Continued):
        _check_has_gone_on(fitted, request.start.fit)
    if isinstance(request.start, WarmStart) and not checkpoint.initial_requested:
        return _with_warning(fitted)
    return fitted


def _continued(begun: Continued, image: Image) -> Config:
    """Return the settings of a fit with more steps.

    Raises
    ------
    ConfigError
        If the fit is that of another image.
    """
    saved = stored_of(begun.fit)
    if saved.source.get("digest") != digest(image.canonical()):
        raise ConfigError(
            f"the fit is that of another image ({saved.source['name']}); only the same one can be "
            "continued. A fit of the next image can start from it (warm start)."
        )
    return method_of_fit(saved).config(**saved.config).continued(begun.steps)


def _check_method(fit: Stored | Fitted, config: Config) -> None:
    """Raise `ConfigError` if settings are those of another method than that of the fit."""
    method = method_of_fit(fit)
    if not isinstance(config, method.config):
        raise ConfigError(
            f"a fit of {method.action} was given to begin with; one of the same method is needed."
        )


def _check_has_gone_on(fitted: Fitted, before: Stored | Fitted) -> None:
    """Raise `FitError` if a continued fit was stopped before it came to where it was."""
    least = int(stored_of(before).config["steps"])
    if fitted.stopped == "user" and fitted.config.steps < least:
        raise FitError(
            "the fit was stopped while its image was prepared, before it could go on; the one "
            f"that was kept, of {least} steps, is as it was."
        )


def _with_warning(fitted: Fitted) -> Fitted:
    """Return a fit with a warning that nothing in it could start from the other fit."""
    warning = (
        "the fit to begin with was not used: frames that are denoised together, and "
        "super-resolution with the presets fast and preview, do not begin with another fit."
    )
    warnings = [*fitted.report.get("warnings", ()), warning]
    return replace(fitted, report={**fitted.report, "warnings": warnings})


def _checkpoint(request: RunRequest) -> Checkpoint:
    """Return where a run stores what it has reached, and finds what it had reached before.

    Raises
    ------
    FileError
        If a run that is not resumed has a folder that holds anything.
    """
    place = request.checkpoint
    if place is None:
        return Checkpoint(None)
    folder = Path(place.folder).expanduser()
    if not isinstance(request.start, Resumed):
        check_new(folder)
        files = CheckpointFolder(folder)
        files.check_usable(new=True)
        files.discard()  # what is left of a checkpoint that ended before it could be resumed
    return Checkpoint(folder, lambda: _described(request, place), every=place.every)


def check_new(place: Path) -> None:
    """Check that a folder is no checkpoint that somebody needs.

    Raises
    ------
    FileError
        If it is that of a fit that runs or was interrupted.
    """
    check_free(place)
    if (place / JOB_FILE).exists():
        raise FileError(
            f"{place} holds a fit that was interrupted; go on with it (--resume {place}), or "
            "delete the folder."
        )


def _described(
    request: RunRequest, place: CheckpointPlace
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays from which `resume` makes the request again."""
    about: dict[str, Any] = {
        "action": request.method.action,
        "config": request.config.as_dict(),
        "source": {**geometry(request.source), "digest": digest(request.source)},
        "origin": place.origin,
    }
    arrays = {"input": request.source.array()}
    begun = request.start.begun if isinstance(request.start, Resumed) else request.start
    if isinstance(begun, New):
        return plain(about), arrays
    if isinstance(begun, Continued):
        about["config"]["steps"] = begun.steps
    fit = stored_of(begun.fit)
    about["other"] = [begun.beginning, fit.header, begun.note]
    return plain(about), arrays | {f"{OTHER_FIT}{name}": one for name, one in fit.tensors.items()}
