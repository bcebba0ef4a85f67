"""Fits in a viewer: makes the job from a layer, and layers from its result."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.checkpoint import EVERY
from napari_cellinr.fitting.stored import stored_of
from napari_cellinr.macro import FITS, Begun, Source
from napari_cellinr.methods import method_of_fit
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import discard, new_checkpoint, resume
from napari_cellinr.runs.starts import New, start_from
from napari_cellinr.ui.layers.convert import add_images, find, named
from napari_cellinr.ui.layers.live import LiveLayer
from napari_cellinr.ui.layers.provenance import RECORD, Origin, Result, record_of
from napari_cellinr.ui.layers.results import add_result, add_shown
from napari_cellinr.ui.preferences import preferences
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.controller import Work, background_job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted, Job
    from napari_cellinr.image import Image
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.runs.starts import Beginning
    from napari_cellinr.ui.layers.spec import Shown
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = [
    "continued_work",
    "fit_work",
    "quick_work",
    "render_work",
    "resume_work",
    "work_from_fit",
]


def fit_work(
    controller: Controller,
    task: Task,
    layer: ImageLayer,
    config: Config,
    begun: Begun | None = None,
) -> Work:
    """Return the work of fitting a layer; the result appears beside it.

    Parameters
    ----------
    controller
        Controller of the viewer.
    task
        What to do with the layer.
    layer
        The layer to work on.
    config
        The settings.
    begun
        The fit that this one starts from or continues, for the record; None from scratch.

    Raises
    ------
    AxesError
        If the layer cannot be worked on as it is.
    """
    given = controller.image_of(layer)
    name = f"{layer.name} {task.suffix}"
    hide = partial(controller.hide_quick_looks, layer.unique_id)
    own = task.own_contrast(config)
    live = LiveLayer(controller.viewer, layer.unique_id, given, name, from_data=own, added=hide)
    path = None if task.name not in FITS else new_checkpoint()
    return Work(
        f"{task.noun} of {layer.name}",
        partial(start, _request(task, given, config, path)),
        partial(_show, controller, task, config, given, live, begun=begun),
        layer.unique_id,
        live,
        dropped=None if path is None else partial(discard, path),
    )


def work_from_fit(
    controller: Controller,
    task: Task,
    layer: ImageLayer,
    config: Config,
    beginning: Beginning,
    fit: ImageLayer,
    origin: Origin,
) -> Work:
    """Return the work of fitting a layer, starting from another fit or continuing it.

    Parameters
    ----------
    controller
        Controller of the viewer.
    task
        What to do with the layer.
    layer
        The layer to work on.
    config
        The settings; if a fit is continued, only `steps` counts: the number of additional steps.
    beginning
        `warm_start` or `continue_from`.
    fit
        The layer of the other fit.
    origin
        The image and the fit that this layer came from.

    Raises
    ------
    AxesError, FileError, ConfigError
        If the layer cannot be fitted as it is, or the other fit is missing or of another method.
    """
    facts = origin.facts()
    method = method_of_fit(facts)
    if method is not task.method:
        raise ConfigError(
            f"layer {fit.name!r} was given to start from; it is a fit of {method.action}, but "
            f"one of {task.name} is needed."
        )
    source, path = source_of(fit), new_checkpoint()
    whole, begun = _begun(task, beginning, facts.config, config, source)
    request = _request(task, controller.image_of(layer), config, path)
    work = fit_work(controller, task, layer, whole, begun)

    def make() -> Job:
        note = {"layer": source.layer, "path": source.path}
        other = start_from(beginning, origin.load(), config.steps, note)
        return start(replace(request, start=other))

    return replace(work, make_job=make, dropped=partial(discard, path))


def continued_work(
    controller: Controller, layer: ImageLayer, made: Result | None, steps: int
) -> Work:
    """Return the work of continuing the fit that made a layer in this session.

    Parameters
    ----------
    controller
        Controller of the viewer.
    layer
        A result.
    made
        The fit that made it; None if it was not made in this session.
    steps
        Number of additional steps.

    Raises
    ------
    AxesError
        If `made` is None, or the image that was fitted is not in the viewer any more.
    ConfigError
        If the number of steps is not allowed.
    """
    if made is None:
        raise AxesError(
            f"layer {layer.name!r} was not made in this session; name the image that was fitted: "
            f"cellinr.denoise(image, continue_from={layer.name!r}, steps={steps})."
        )
    source, config = named(controller.viewer, made.source), made.task.config_type(steps=steps)
    origin = Origin(made.source, made.given, made.fitted)
    return work_from_fit(controller, made.task, source, config, "continue_from", layer, origin)


def _begun(
    task: Task,
    beginning: Beginning,
    before: Mapping[str, Any],
    config: Config,
    source: Source,
) -> tuple[Config, Begun]:
    """Return the settings of a fit that starts from another one, and the record of that fit.

    Parameters
    ----------
    before
        The settings of the other fit.
    config
        As for `work_from_fit`.
    source
        The layer of the other fit.
    """
    if beginning != "continue_from":
        return config, Begun(beginning, source, 0)
    had = task.config_type(**before)
    whole = had.replace(steps=had.steps + config.steps, max_seconds=None)
    return whole, Begun(beginning, source, had.steps)


def resume_work(controller: Controller, task: Task, layer: ImageLayer, job: Unfinished) -> Work:
    """Return the work of resuming an interrupted fit from its checkpoint.

    Parameters
    ----------
    controller
        Controller of the viewer.
    task
        What to do with the layer.
    layer
        The image that was fitted.
    job
        The interrupted fit.

    Raises
    ------
    AxesError
        As for `fit_work`.
    """
    config, begun = task.config_type(**job.settings), None
    if not isinstance(job.start, New):
        source = Source(job.start.note["layer"], job.start.note["path"])
        before = stored_of(job.start.fit).config
        config, begun = _begun(task, job.start.beginning, before, config, source)
    work = fit_work(controller, task, layer, config, begun)
    # An existing checkpoint is updated even if the preferences switch checkpoints off.
    started, every = time.monotonic(), preferences().checkpoint_seconds or EVERY

    def make() -> Job:
        return start(resume(job.path, every=every, started=started))

    return replace(work, make_job=make, dropped=partial(discard, job.path))


def quick_work(controller: Controller, task: Task, layer: ImageLayer, config: Config) -> Work:
    """Return the work of fitting the part of a layer that the canvas shows.

    The result appears in a preview layer, which the next preview replaces.

    Parameters
    ----------
    controller
        Controller of the viewer.
    task
        What to do with the layer.
    layer
        The layer to work on.
    config
        The settings.

    Raises
    ------
    AxesError
        As for `fit_work`.
    """
    given = controller.image_of(layer)
    part = given.crop(**task.part(controller.viewer, layer, given))
    from_data = task.own_contrast(config)
    key = (layer.unique_id, task.name, from_data)
    live = controller.quick_looks.get(key)
    if live is None:
        name = f"{layer.name} preview"
        live = LiveLayer(controller.viewer, layer.unique_id, given, name, from_data=from_data)
        controller.quick_looks[key] = live
    done = partial(_show, controller, task, config, given, live, quick=True)
    title = f"preview of {layer.name}"
    job = partial(start, _request(task, part, config))
    return Work(title, job, done, layer.unique_id, live, quick=True)


def render_work(
    controller: Controller,
    layer: ImageLayer,
    origin: Origin,
    query: Mapping[str, Any],
    done: Callable[[ImageLayer, tuple[str, ...]], None],
) -> Work:
    """Return the work of rendering a fit again; the images appear beside the layer.

    Parameters
    ----------
    controller
        Controller of the viewer.
    layer
        A result of the fit.
    origin
        The image and the fit that the layer came from.
    query
        What to render, as `query_of` takes it.
    done
        Called with the layer and the names of the new layers.

    Raises
    ------
    ConfigError
        If the query has an unknown or invalid entry.
    """
    from napari_cellinr.fitting.stored import Query, Stored, query_of, stored_of

    selection = query_of(query)

    def render() -> tuple[Image, tuple[Image, ...]]:
        from napari_cellinr import api
        from napari_cellinr.methods import geometry

        fit = origin.load()
        record = record_of(fit)
        whole = geometry(fit if isinstance(fit, Stored) else stored_of(fit), Query())
        return whole, tuple(_recorded(image, record) for image in api.render(fit, selection))

    def show(made: tuple[Image, tuple[Image, ...]]) -> None:
        whole, images = made
        names = []
        for place, image in enumerate(images):
            name = f"{layer.name if place == 0 else image.name} rendered"
            added = add_result(
                controller.viewer, origin.source, origin.given, image, name=name,
                visible=place == 0, limits=tuple(layer.contrast_limits) if place == 0 else None,
                whole=whole,
            )  # fmt: skip
            names.append(str(added.name))
        controller.said.emit("info", f"Layer “{names[0]}”: rendered.")
        done(layer, tuple(names))

    job = background_job("rendering", render)
    return Work(f"rendering of {layer.name}", job, show, origin.source.unique_id, quick=True)


def _request(
    task: Task, image: Image, config: Config, checkpoint: Path | None = None
) -> RunRequest:
    """Return a run from scratch, with checkpoints as the preferences say."""
    every, place = preferences().checkpoint_seconds, None
    if checkpoint is not None and every:
        place = CheckpointPlace(checkpoint, every, str(image.meta.get("source", "")))
    return RunRequest(
        task.method, image.canonical(), config, checkpoint=place, started=time.monotonic()
    )


def _show(
    controller: Controller,
    task: Task,
    config: Config,
    given: Image,
    live: LiveLayer,
    fitted: Fitted,
    *,
    quick: bool = False,
    begun: Begun | None = None,
) -> None:
    """Show a result in the viewer, and report how the fit ended."""
    source = find(controller.viewer, live.source_id)
    if source is None:
        controller.say("warning", "The source layer was removed, so the result was discarded.")
        return
    shown = task.layers(fitted)
    roles = [_role(one, fitted) for one in shown]
    record = record_of(fitted)
    first, *others = [replace(one, image=_recorded(one.image, record)) for one in shown]
    has_changed = source.ndim != len(given.axes)
    layers: list[Layer]
    if has_changed:
        live.remove()
        layers = list(add_images(controller.viewer, first.image))
    else:
        layers = [live.finish(first.image, first.settings)]
        if quick:
            live.show_above()
    if not quick and not has_changed:
        for one in others:
            name = one.name or one.image.name
            layers.append(add_shown(controller.viewer, source, given, one, name))
    _report(controller, fitted, layers[0].name, quick=quick)
    made = tuple(layers)
    shown_roles = roles[:1] if quick or has_changed else roles
    result = Result(task, config, fitted, given, source, made, quick, tuple(shown_roles), begun)
    controller.finished.emit(result)


def _role(shown: Shown, fitted: Fitted) -> str:
    """Return which image of a result a layer shows; empty for other layers, such as tracks."""
    if shown.role or shown.kind not in {"image", "labels"}:
        return shown.role
    pairs = zip(fitted.roles, fitted.images, strict=False)
    return next((role for role, image in pairs if image is shown.image), "")


def _report(controller: Controller, fitted: Fitted, name: str, *, quick: bool) -> None:
    warnings = [str(warning) for warning in fitted.report.get("warnings", ())]
    sentences = [_summary(fitted, name), *warnings]
    text = " ".join(f"{one[0].upper()}{one[1:].rstrip('.')}." for one in sentences if one)
    show: Any = controller.said.emit if quick else controller.say
    show("warning" if warnings else "info", text)


def _recorded(image: Image, record: Mapping[str, Any]) -> Image:
    """Return an image of a fit with the record of that fit in its metadata."""
    return image.like(image.data, meta={**image.meta, RECORD: dict(record)})


def _summary(fitted: Fitted, name: str) -> str:
    """Return one sentence about a finished fit."""
    ends = {
        "converged": "converged",
        "steps": "finished",
        "time": "stopped at the time limit",
        "user": "stopped by you",
    }
    seconds = fitted.report.get("seconds")
    preposition = "in" if fitted.stopped in {"converged", "steps"} else "after"
    took = "" if seconds is None else f" {preposition} {seconds:.0f} s"
    return f"Layer “{name}”: {ends[fitted.stopped]}{took}"
