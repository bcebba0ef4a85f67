"""The result of a fit as layers in the viewer, and the sentence that reports it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_cellinr.fitting.report import field_gain, is_note
from napari_cellinr.macro.naming import result_name
from napari_cellinr.ui.layers.convert import add_images, find
from napari_cellinr.ui.layers.provenance import RECORD, Result, record_of
from napari_cellinr.ui.layers.results import add_shown
from napari_cellinr.ui.session.work.additive import hide_under
from napari_cellinr.ui.widgets.forms import with_titles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.macro import InitialFit
    from napari_cellinr.ui.layers.live import LiveLayer
    from napari_cellinr.ui.layers.spec import Shown
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.task import Task

__all__ = ["recorded", "show_fit"]


def show_fit(
    controller: Controller,
    task: Task,
    config: Config,
    given: Image,
    live: LiveLayer,
    fitted: Fitted,
    *,
    quick: bool = False,
    covers: str = "",
    initial: InitialFit | None = None,
) -> None:
    """Show the result of a fit as layers beside its source, and report how the fit ended.

    Parameters
    ----------
    controller
        Of the viewer; it announces the result.
    task, config
        What was fitted, and the settings that were chosen.
    given
        The image that was fitted, as the layer was then.
    live
        The layer that showed the running fit; it takes the first image of the result.
    fitted
        The result.
    quick
        Whether it is a preview.
    covers
        Which part of the image a preview covers.
    initial
        The fit that this one started from, if from one.
    """
    source = find(controller.viewer, live.source_id)
    if source is None:
        controller.say("warning", "The source layer was removed, so the result was discarded.")
        return
    record, specs = record_of(fitted), task.layers(fitted)
    roles = [_role(one, fitted) for one in specs]
    first, *others = [replace(one, image=recorded(one.image, record)) for one in specs]
    has_changed = source.ndim != len(given.axes)
    layers: list[Layer]
    if has_changed:
        live.remove()
        layers = list(add_images(controller.viewer, first.image))
    else:
        layers = [live.finish(first.image, first.settings)]
        if quick:
            live.show_above()
        hide_under(controller.viewer, source, layers[0])
    if not quick and not has_changed:
        for one in others:
            if one.on_request:
                continue
            what = (one.name or one.image.name).removeprefix(f"{given.name} ")
            name = result_name(what, str(source.name))
            layers.append(add_shown(controller.viewer, source, given, one, name))
    if quick:
        controller.said.emit("info", _preview_text(fitted, layers[0].name, covers))
    else:
        _report(controller, task, fitted, layers[0].name)
    only_first = quick or has_changed
    pairs = [] if only_first else list(zip(others, roles[1:], strict=True))
    added = [role for one, role in pairs if not one.on_request]
    offers = [(one, role) for one, role in pairs if one.on_request]
    controller.finished.emit(
        Result(
            task, config, fitted, given, source, tuple(layers), quick, (roles[0], *added), initial,
            tuple(one for one, _ in offers), tuple(role for _, role in offers),
        )
    )  # fmt: skip


def _role(shown: Shown, fitted: Fitted) -> str:
    """Return which image of a result a layer shows; empty for other layers, such as tracks."""
    if shown.role or shown.kind not in {"image", "labels"}:
        return shown.role
    pairs = zip(fitted.roles, fitted.images, strict=False)
    return next((role for role, image in pairs if image is shown.image), "")


def _report(controller: Controller, task: Task, fitted: Fitted, name: str) -> None:
    warnings = [str(warning) for warning in fitted.report.get("warnings", ())]
    sentences = [_summary(fitted, name), *(with_titles(one, task.config_type) for one in warnings)]
    text = " ".join(f"{one[0].upper()}{one[1:].rstrip('.')}." for one in sentences if one)
    doubts = [one for one in warnings if not is_note(one)]
    controller.say("warning" if doubts else "info", text)


def _preview_text(fitted: Fitted, name: str, covers: str) -> str:
    """Return what a preview is: its warnings would be those of any fit with few steps."""
    seconds = fitted.report.get("seconds")
    took = "" if seconds is None else f", {seconds:.0f} s"
    part = f" of {covers}" if covers else ""
    return (
        f"Layer “{name}”: preview{part}{took}. With few steps it is only approximate; measure in "
        "the result of a run."
    )


def recorded(image: Image, record: Mapping[str, Any]) -> Image:
    """Return an image of a fit with the record of that fit in its metadata.

    Parameters
    ----------
    image
        The image.
    record
        As `provenance.record_of` returns it.
    """
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
    gain = field_gain(fitted.report)
    return f"Layer “{name}”: {ends[fitted.stopped]}{took}" + (f"; {gain}" if gain else "")
