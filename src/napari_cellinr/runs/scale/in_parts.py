"""A run in parts of an image that is open: planned or resumed, and watched while it is computed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr import __version__
from napari_cellinr.errors import FileError, FitError
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.completion import complete
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.fitting.saved.stored import geometry, plain
from napari_cellinr.io.names import ADDRESSES, place_of
from napari_cellinr.io.safety.inputs import input_at
from napari_cellinr.io.series.sequences import SERIES
from napari_cellinr.methods import method_of_action
from napari_cellinr.runs.scale.changes import first_changed, stamp_of
from napari_cellinr.runs.scale.make import check_space, make_plan
from napari_cellinr.runs.scale.methods.results import result_of
from napari_cellinr.runs.scale.opened import file_of, growing, lazy, levels_of, limits_of, reads
from napari_cellinr.runs.scale.plan import Plan, load_plan, notes_folder
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source, digest, is_same, with_time
from napari_cellinr.runs.scale.state import PLAN_FILE, State
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from os import PathLike
    from pathlib import Path

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.completion import Reporting
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.run import Finished

__all__ = [
    "GROWTH",
    "Growth",
    "PartsRequest",
    "PartsResult",
    "compute_in_parts",
    "explanation",
    "parts_job",
]

GROWTH: Final = "napari-cellinr growth"
"""Key in the metadata of a preview for its `Growth`."""


@dataclass(frozen=True)
class PartsRequest:
    """What is computed in parts.

    Parameters
    ----------
    action
        Such as `denoise`.
    image
        The recording; lazy if it is large.
    config
        The settings.
    path
        The OME-Zarr folder of the result. If it was begun with the same recording and settings,
        the parts that are not finished are computed.
    overwrite
        Whether another result there is replaced.
    """

    action: str
    image: Image
    config: Config
    path: Path
    overwrite: bool = False


@dataclass(frozen=True)
class Growth:
    """What a preview of a result in parts says besides its values.

    Parameters
    ----------
    done, total
        Number of finished parts, and of all.
    limits
        Contrast limits of the recording: percentiles of a sample.
    """

    done: int
    total: int
    limits: tuple[float, float]


@dataclass(frozen=True)
class PartsResult:
    """How a run in parts ended.

    Parameters
    ----------
    plan
        Its plan.
    finished
        How its parts ended.
    levels
        The result, lazy: all levels if it is complete, otherwise the full resolution.
    limits
        Contrast limits of the result: percentiles of a sample.
    seconds
        How long the run took.
    """

    plan: Plan
    finished: Finished
    levels: tuple[Image, ...]
    limits: tuple[float, float]
    seconds: float

    @property
    def report(self) -> dict[str, Any]:
        """What users should know: its warnings, and how long it took."""
        return {"warnings": self.finished.warnings, "seconds": self.seconds}


def compute_in_parts(
    action: str,
    image: Image,
    path: str | PathLike[str],
    *,
    progress: Reporting = None,
    overwrite: bool = False,
    **settings: Any,
) -> Image:
    """Return the result of a method, computed in parts and lazy; it need not fit into memory.

    If the result was begun before with the same image and settings, only the parts that are not
    finished are computed.

    Parameters
    ----------
    action
        `denoise`, `superresolve` or `reconstruct`.
    image
        The recording, such as `read` returns it; only what a part needs is read.
    path
        The OME-Zarr folder of the result, such as `denoised.zarr`.
    progress
        As for `denoise`.
    overwrite
        Whether another result there is replaced.
    settings
        Any setting of the method by name, for example `preset="preview"`.

    Raises
    ------
    CellINRError
        If it cannot be computed in parts, or not be written there.
    FitError
        If parts have failed; finished parts are kept.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image, compute_in_parts
    >>> movie = Image(np.random.default_rng(0).poisson(50, (3, 32, 32)), axes="TYX")
    >>> denoised = compute_in_parts("denoise", movie, "denoised.zarr", gain=1.0, read_noise=1.0)
    >>> denoised.axes, denoised.shape
    ('TYX', (3, 32, 32))
    """
    config = method_of_action(action).config(**settings)
    job: Any = parts_job(PartsRequest(action, image, config, place_of(path), overwrite))
    made: Any = complete(job, progress)
    result: PartsResult | None = made
    if result is None or not result.finished.is_complete:
        raise FitError(explanation(result, place_of(path)))
    return result.levels[0]


def explanation(result: PartsResult | None, path: Path) -> str:
    """Return why a result is not complete.

    Parameters
    ----------
    result
        How the run ended; None if it was stopped while it was planned.
    path
        Where the result is.
    """
    if result is None:
        return "the run was stopped while it was planned; nothing was written."
    found = result.finished
    failed = " ".join(f"{text.rstrip('.')}." for text in found.failed.values())
    limit = result.plan.config.max_seconds
    late = f"the run was stopped by its time limit of {limit:g} s." if found.is_late else ""
    why = failed or late or ("the run was stopped." if found.stopped else "")
    are = n_of(found.done, f"of {found.total} parts is", f"of {found.total} parts are")
    return (
        f"{why} {are} finished and kept in {path}; the same run with this result computes the "
        "others."
    )


def parts_job(request: PartsRequest) -> Generator[Progress, Message, PartsResult | None]:
    """Compute an image in parts as a job: yield `Progress`, return how it ended.

    It returns None if it was stopped while it was planned.

    Whenever a part is finished, the progress has the whole result so far as its preview: lazy, so
    that nothing is read.

    Parameters
    ----------
    request
        What is computed.

    Raises
    ------
    CellINRError
        If it cannot be computed in parts, or the result not be written there.
    """
    started, monitor = time.monotonic(), Monitor()
    made = yield from in_background("planning", lambda: _planned(request), monitor)
    if made is None or monitor.stopped:
        return None
    plan, held, limits = made
    began = started + monitor.paused_seconds  # pauses do not count towards the time limit
    found = yield from _watched(request, plan, held, limits, began)
    place = plan.places[0]
    levels = levels_of(place, plan.image) if found.is_complete else (growing(place, plan.image),)
    seconds = time.monotonic() - started
    return PartsResult(plan, found, levels, limits_of(levels[-1]), seconds)


def _watched(
    request: PartsRequest,
    plan: Plan,
    held: Image | None,
    limits: tuple[float, float],
    started: float,
) -> Generator[Progress, Message, Finished]:
    """Run a plan; whenever a part is finished, the progress shows the result so far."""
    job = run_plan(plan, overwrite=request.overwrite, image=held, started=started)
    result, shown, message = growing(plan.places[0], plan.image), -1, None
    advice = check_space(plan)
    try:
        while True:
            progress = job.send(message)
            if progress.step != shown:
                shown = progress.step
                growth = Growth(shown, progress.steps, limits)
                now = result.like(result.data, meta={**result.meta, GROWTH: growth})
                progress = replace(progress, preview=now, warning=progress.warning or advice)
            message = yield progress
    except StopIteration as end:
        finished: Finished = end.value
        return finished
    finally:
        job.close()


def _planned(request: PartsRequest) -> tuple[Plan, Image | None, tuple[float, float]]:
    """Return the plan, the image if it is in no file, and contrast limits of the recording."""
    image, path = lazy(request.image).canonical(), place_of(request.path).resolve()
    request = replace(request, image=image, path=path)
    _check_inputs(request)
    plan = _begun(request)
    if plan is None:
        _check_free(request)
        source = file_of(image)
        held = image if source is None else None
        plan = make_plan(
            request.action, source or Source(""), request.config, {"result": str(path)},
            available_memory(), image=held,
        )  # fmt: skip
        if request.overwrite:
            State(plan).forget()  # the same plan may have been computed from other values
    return plan, None if plan.source.path else image, limits_of(image)


def _begun(request: PartsRequest) -> Plan | None:
    """Return the plan by which the result was begun, or None if it is that of another run."""
    file = notes_folder(request.path) / PLAN_FILE
    if not file.is_file():
        return None
    try:
        plan = load_plan(file)
    except FileError:
        return None
    expected: dict[str, Any] = plain(
        {
            "action": request.action,
            "settings": request.config.changes(),
            "outputs": {"result": str(request.path)},
            "result": geometry(result_of(request.image, request.config)),
            "version": __version__,
        }
    )
    known = plain({name: getattr(plan, name) for name in expected})
    known["result"]["name"] = expected["result"]["name"]  # of the layer, which may be renamed
    if not (known == expected and is_same(plan.digest, digest(request.image))):
        return None
    if plan.source.path:
        if not reads(plan.source, request.image):
            return None
        if not request.overwrite:
            return plan  # its next part compares what the finished ones have read
    stamp = stamp_of(plan.source, request.image)
    changed = first_changed(plan, State(plan), with_time(request.image), stamp)
    if changed is not None and not request.overwrite:
        raise FileError(
            f"the image was edited after part {changed} of {request.path} was computed: going on "
            "would give a mixture. Undo the edit and go on, or choose another name for the result."
        )
    return plan if changed is None else None


def _check_inputs(request: PartsRequest) -> None:
    """Raise `FileError` if the file of the recording would vanish for the result."""
    meta = request.image.meta
    series = meta.get(SERIES, {})
    folder = str(series.get("path", ""))
    names = [str(meta.get("source", "")), *(f"{folder}/{name}" for name in series.get("files", ()))]
    inputs = [place_of(one) for one in names if one and not one.startswith(ADDRESSES)]
    if (found := input_at(request.path, inputs)) is not None:
        raise FileError(
            f"{request.path} would overwrite {found}, from which the recording is read; choose "
            "another name."
        )


def _check_free(request: PartsRequest) -> None:
    """Raise `FileError` if the result of something else is in the place of the result."""
    if request.overwrite:
        return
    if notes_folder(request.path).exists():
        raise FileError(
            f"{request.path} is the unfinished result of another run: of another image, with other "
            "settings, or of another version. Choose another name, or delete it and its folder of "
            "parts."
        )
    if request.path.exists():
        raise FileError(f"{request.path} exists; choose another name for the result.")
