"""Fits in a viewer: makes the job from a layer, and layers from its result."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.config.nstm import NSTMConfig
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.fitting.saved.stored import stored_of
from napari_cellinr.macro import FITS, InitialFit, Source
from napari_cellinr.macro.naming import result_name
from napari_cellinr.methods import method_of_fit
from napari_cellinr.runs.request import CheckpointPlace, RunRequest, start
from napari_cellinr.runs.resume import discard, new_checkpoint, resume
from napari_cellinr.runs.starts import New, start_from
from napari_cellinr.ui.layers.convert import named
from napari_cellinr.ui.layers.live import LiveLayer
from napari_cellinr.ui.layers.provenance import FITTED_IMAGE, Origin, Result, record_of
from napari_cellinr.ui.layers.results import add_result
from napari_cellinr.ui.preferences import preferences
from napari_cellinr.ui.session.actions import source_of
from napari_cellinr.ui.session.controller import Work, background_job
from napari_cellinr.ui.session.work.additive import hide_under
from napari_cellinr.ui.session.work.fit_results import recorded, show_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Job
    from napari_cellinr.image import Image
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.runs.starts import Beginning
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = [
    "continued_work",
    "covered",
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
    initial: InitialFit | None = None,
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
    initial
        The fit that this one starts from or continues, for the record; None from scratch.

    Raises
    ------
    AxesError
        If the layer cannot be worked on as it is.
    """
    given = controller.image_of(layer)
    name = result_name(task.suffix, str(layer.name))
    own = task.own_contrast(config)

    def added() -> None:
        controller.hide_quick_looks(layer.unique_id)
        if live.layer is not None:
            hide_under(controller.viewer, layer, live.layer)

    live = LiveLayer(
        controller.viewer, layer.unique_id, given, name,
        from_data=own, added=added, channel=channel_in(given, config),
    )  # fmt: skip
    path = None if task.name not in FITS else new_checkpoint()
    return Work(
        f"{task.noun} of {layer.name}",
        partial(start, _request(task, given, config, path)),
        partial(show_fit, controller, task, config, given, live, initial=initial),
        layer.unique_id,
        live,
        dropped=None if path is None else partial(discard, path),
        task=task.name,
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
    controller, task, layer
        As for `fit_work`.
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
    whole, initial = _continued_settings(task, beginning, facts.config, config, source)
    request = _request(task, controller.image_of(layer), config, path)
    work = fit_work(controller, task, layer, whole, initial)

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


def _continued_settings(
    task: Task,
    beginning: Beginning,
    before: Mapping[str, Any],
    config: Config,
    source: Source,
) -> tuple[Config, InitialFit]:
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
        return config, InitialFit(beginning, source, 0)
    had = task.config_type(**before)
    whole = had.replace(steps=had.steps + config.steps, max_seconds=None)
    return whole, InitialFit(beginning, source, had.steps)


def resume_work(controller: Controller, task: Task, layer: ImageLayer, job: Unfinished) -> Work:
    """Return the work of resuming an interrupted fit from its checkpoint.

    Parameters
    ----------
    controller, task
        As for `fit_work`.
    layer
        The image that was fitted.
    job
        The interrupted fit.

    Raises
    ------
    AxesError
        As for `fit_work`.
    """
    config, initial = task.config_type(**job.settings), None
    if not isinstance(job.start, New):
        source = Source(job.start.note["layer"], job.start.note["path"])
        before = stored_of(job.start.fit).config
        config, initial = _continued_settings(task, job.start.beginning, before, config, source)
    work = fit_work(controller, task, layer, config, initial)
    # An existing checkpoint is updated even if the preferences switch checkpoints off.
    started, every = time.monotonic(), preferences().checkpoint_seconds or CHECKPOINT_SECONDS

    def make() -> Job:
        return start(resume(job.path, every=every, started=started))

    return replace(work, make_job=make, dropped=partial(discard, job.path))


def quick_work(
    controller: Controller,
    task: Task,
    layer: ImageLayer,
    config: Config,
    region: Mapping[str, slice] | None = None,
) -> Work:
    """Return the work of fitting a region of a layer, or the part that the canvas shows.

    The result appears in a preview layer, which the next preview replaces.

    Parameters
    ----------
    controller, task, layer, config
        As for `fit_work`.
    region
        Index ranges by axis letter, which take precedence.

    Raises
    ------
    AxesError
        As for `fit_work`.
    """
    given = controller.image_of(layer)
    ranges = {**task.part(controller.viewer, layer, given), **(region or {})}
    part, covers = given.crop(**ranges), covered(given, ranges)
    from_data = task.own_contrast(config)
    key = (layer.unique_id, task.name, from_data)
    live = controller.quick_looks.get(key)
    if live is None:
        name = result_name("preview", str(layer.name))
        live = LiveLayer(controller.viewer, layer.unique_id, given, name, from_data=from_data)
        controller.quick_looks[key] = live
    live.channel = channel_in(given, config)
    done = partial(show_fit, controller, task, config, given, live, quick=True, covers=covers)
    title = f"preview of {layer.name}"
    job = partial(start, _request(task, part, config))
    return Work(title, job, done, layer.unique_id, live, quick=True, task=task.name)


def channel_in(given: Image, config: Config) -> int | None:
    """Return which of several channels is fitted alone; None if all are.

    Parameters
    ----------
    given
        The image.
    config
        The settings.
    """
    if given.sizes.get("C", 1) == 1 or not isinstance(config, NSTMConfig):
        return None
    return 0 if config.motion_channel == "all" else config.single_motion_channel()


def covered(given: Image, ranges: Mapping[str, slice]) -> str:
    """Return in words which part of an image ranges of it are, such as `the part z 3–11, y 0–99`.

    Parameters
    ----------
    given
        The image.
    ranges
        Index ranges by axis letter.
    """
    parts = [
        f"{axis.lower()} {part.start}" + (f"–{part.stop - 1}" if part.stop - part.start > 1 else "")
        for axis, part in ranges.items()
        if part.stop - part.start < given.sizes[axis]
    ]
    return f"the part {', '.join(parts)}" if parts else "the whole image"


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
    from napari_cellinr.fitting.saved.query import Query, query_of
    from napari_cellinr.fitting.saved.stored import Stored, stored_of

    selection = query_of(query)

    def render() -> tuple[Image, tuple[Image, ...]]:
        from napari_cellinr import api
        from napari_cellinr.methods import geometry

        fit = origin.load()
        record = record_of(fit)
        whole = geometry(fit if isinstance(fit, Stored) else stored_of(fit), Query())
        return whole, tuple(recorded(image, record) for image in api.render(fit, selection))

    def show(made: tuple[Image, tuple[Image, ...]]) -> None:
        whole, images = made
        names = []
        fitted = str(layer.metadata.get(FITTED_IMAGE, origin.given.name))
        for place, image in enumerate(images):
            other = result_name(image.name, fitted)
            name = result_name("rendered", str(layer.name) if place == 0 else other)
            added = add_result(
                controller.viewer, origin.source, origin.given, image, name=name,
                visible=place == 0, limits=tuple(layer.contrast_limits) if place == 0 else None,
                whole=whole,
            )  # fmt: skip
            hide_under(controller.viewer, layer, added)
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
