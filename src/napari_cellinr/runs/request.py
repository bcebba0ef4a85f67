"""`RunRequest`, the record of one run of a method, and `start`, which makes its job."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.fitting.checkpoint import JOB_FILE, Checkpoint
from napari_cellinr.fitting.comparable import with_comparable_steps
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.report import standard, with_warnings
from napari_cellinr.fitting.resources.guard import explained_failures
from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.fitting.saved.stored import digest, geometry, plain, stored_of
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.checkpoint_folder import CheckpointFolder
from napari_cellinr.io.safety.lock import check_free
from napari_cellinr.methods import method_of_fit
from napari_cellinr.runs.starts import Continued, New, Resumed, Start, WarmStart, saved_steps
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted, Job, Message, Progress
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method

__all__ = ["OTHER_FIT", "CheckpointPlace", "Finish", "RunRequest", "check_new", "start"]

Finish: TypeAlias = "Callable[[Fitted, Monitor], Generator[Progress, Message, None]]"
"""Processes the result of a run, for example writes it, before its checkpoint is deleted."""

OTHER_FIT = "other."
"""Prefix of the tensors of the fit that a run starts from, in its checkpoint."""


@dataclass(frozen=True)
class CheckpointPlace:
    """Where and how often a run stores its state.

    Parameters
    ----------
    folder
        The folder of the checkpoint, as from `checkpoint_in`; created after `every` seconds.
    every
        Seconds between two checkpoints.
    origin
        File of the image; empty if there is none.
    """

    folder: Path
    every: float = CHECKPOINT_SECONDS
    origin: str = ""


@dataclass(frozen=True)
class RunRequest:
    """One run of a method: everything that determines its result.

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
        Where the run stores its state; no checkpoint if not given.
    lazily
        Whether the result is rendered only when parts of it are read; super-resolution only.
    started
        `time.monotonic()` from which the time limit counts; the start of the job if not given.
    finish
        Processes the result before the checkpoint is deleted, for example writes it.
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

    The checkpoint is deleted when the job has finished. It stays if the job was stopped or
    closed, or if the program crashed; `resume` continues it, `discard` deletes it. Only files that
    the checkpoint wrote are deleted, and its folder only if it is then empty.

    Raises
    ------
    ConfigError
        If the run cannot start from the other fit.
    FileError
        If the folder holds the checkpoint of a running or interrupted run, or other files.
    FitError
        Raised by the job instead of a `RuntimeError` if the fit fails; says what to do.
    """
    checkpoint = _checkpoint(request)
    how, config = request.start, request.config
    if isinstance(how, Resumed):
        how = how.start
    if isinstance(how, Continued):
        checkpoint.saved_steps = saved_steps(how.fit)
        config = _continued(how, request.source)
    elif isinstance(how, WarmStart):
        _check_method(how.fit, config)
        before = _stored_config(stored_of(how.fit))
        config = config.following(before)
        if config.can_start_from(before):
            checkpoint.initial = saved_steps(how.fit)
    job = _run(replace(request, start=how, config=config), checkpoint)
    return job if isinstance(request.start, New) else _checked(job)


def _checked(job: Job) -> Job:
    """Return a job that takes values from a file, and names the file if they are wrong."""
    with explained_damage(
        "the fit cannot start from what is stored",
        "the checkpoint or the saved fit is damaged, or of another version. Start from scratch.",
    ):
        return (yield from job)


def _run(request: RunRequest, checkpoint: Checkpoint) -> Job:
    """Return the job of a run that is not resumed; it locks its checkpoint while it runs."""
    monitor = Monitor(request.started, checkpoint)
    options: dict[str, Any] = {"lazily": True} if request.lazily else {}
    with checkpoint.held():
        with explained_failures():
            image = request.source.canonical()
            fitted = yield from with_comparable_steps(
                image, lambda one: request.method.job(one, request.config, monitor, **options)
            )
            fitted = _complete(request, fitted, checkpoint)
            if request.finish is not None:
                yield from request.finish(fitted, monitor)
        if fitted.stopped != "user":
            checkpoint.delete()
    return fitted


def _complete(request: RunRequest, fitted: Fitted, checkpoint: Checkpoint) -> Fitted:
    """Return a fit with the warnings of its start and its checkpoint."""
    fitted = _with_warning(fitted, checkpoint.warning)
    fitted = standard(with_warnings(fitted, warnings_of(request.source)))
    if isinstance(request.start, Continued):
        _check_continued(fitted, request.start.fit)
    if isinstance(request.start, WarmStart) and not checkpoint.initial_requested:
        return _with_warning(fitted, _NOT_USED)
    return fitted


def _continued(how: Continued, image: Image) -> Config:
    """Return the settings of a fit with more steps."""
    saved = stored_of(how.fit)
    if saved.source.get("digest") != digest(image.canonical()):
        raise ConfigError(
            f"the fit is that of another image ({saved.source['name']}); only the same one can be "
            "continued. A fit of the next image can start from it (warm start)."
        )
    return _stored_config(saved).continued(how.steps)


def _stored_config(saved: Stored) -> Config:
    """Return the settings of a saved fit, also of one of an older version."""
    return method_of_fit(saved).config.of_stored(saved.config)


def _check_method(fit: Stored | Fitted, config: Config) -> None:
    """Raise `ConfigError` if the fit and the settings are of different methods."""
    method = method_of_fit(fit)
    if not isinstance(config, method.config):
        raise ConfigError(
            f"a fit of {method.action} was given to start from; a fit of the same method is needed."
        )


def _check_continued(fitted: Fitted, before: Stored | Fitted) -> None:
    """Raise `FitError` if a continued fit was stopped before its first additional step."""
    least = int(stored_of(before).config["steps"])
    if fitted.stopped == "user" and fitted.config.steps < least:
        raise FitError(
            "the fit was stopped before it could be continued; the saved fit of "
            f"{n_of(least, 'step')} is unchanged."
        )


_NOT_USED = (
    "the warm start was not used: frames that are denoised together, fits with a network "
    "(rounds) from one without, and super-resolution with the presets fast and preview cannot "
    "start from another fit."
)


def _with_warning(fitted: Fitted, warning: str) -> Fitted:
    """Return a fit whose report has one more warning, unless that is empty."""
    if not warning:
        return fitted
    warnings = [*fitted.report.get("warnings", ()), warning]
    return replace(fitted, report={**fitted.report, "warnings": warnings})


def _checkpoint(request: RunRequest) -> Checkpoint:
    """Return the checkpoint of a run."""
    place = request.checkpoint
    if place is None:
        return Checkpoint(None)
    folder = place_of(place.folder)
    if not isinstance(request.start, Resumed):
        check_new(folder)
        files = CheckpointFolder(folder)
        files.check_usable(new=True)
        files.discard()  # rest of a checkpoint that was interrupted before it was complete
    return Checkpoint(folder, lambda: _described(request, place), every=place.every)


def check_new(place: Path) -> None:
    """Check that a folder holds no checkpoint that is still needed.

    Raises
    ------
    FileError
        If it holds that of a running or interrupted fit.
    """
    check_free(place)
    if (place / JOB_FILE).exists():
        raise FileError(
            f"{place} holds an interrupted fit; resume it (--resume {place}), or delete the folder."
        )


def _described(
    request: RunRequest, place: CheckpointPlace
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays from which `resume` restores the request."""
    about: dict[str, Any] = {
        "action": request.method.action,
        "config": request.config.as_dict(),
        "source": {**geometry(request.source), "digest": digest(request.source)},
        "origin": place.origin,
    }
    arrays = {"input": request.source.array()}
    how = request.start.start if isinstance(request.start, Resumed) else request.start
    if isinstance(how, New):
        return plain(about), arrays
    if isinstance(how, Continued):
        about["config"]["steps"] = how.steps
    fit = stored_of(how.fit)
    about["other"] = [how.beginning, fit.header, how.note]
    return plain(about), arrays | {f"{OTHER_FIT}{name}": one for name, one in fit.tensors.items()}
