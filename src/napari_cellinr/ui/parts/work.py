"""The work of a run in parts: from a layer to a layer that reads its values from an OME-Zarr."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import ConfigError
from napari_cellinr.macro.naming import result_name
from napari_cellinr.runs.scale.in_parts import PartsRequest, explanation, parts_job
from napari_cellinr.runs.scale.plan import notes_folder
from napari_cellinr.text import n_of
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import RECORD
from napari_cellinr.ui.parts.layer import RESULT_IN_PARTS, PartsLayer
from napari_cellinr.ui.session.controller import Work
from napari_cellinr.ui.session.work.additive import hide_under
from napari_cellinr.ui.widgets.forms import with_titles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.runs.scale.in_parts import Growth, PartsResult
    from napari_cellinr.ui.session.actions import StartLayer
    from napari_cellinr.ui.session.controller import Controller
    from napari_cellinr.ui.session.written import Written
    from napari_cellinr.ui.task import Task

__all__ = ["may_replace", "parts_work"]


def may_replace(
    viewer: napari.Viewer, place: Path, written: Written, start: StartLayer | None
) -> bool:
    """Return whether a run in parts may replace what is in the place of its result.

    It may if this viewer has written it and shows it no more. An unfinished result is resumed.

    Parameters
    ----------
    viewer
        The viewer.
    place
        The OME-Zarr folder of the result.
    written
        What the viewer has written.
    start
        The fit to start from, which is not possible in parts.

    Raises
    ------
    ConfigError
        If there is a fit to start from, or the name is not that of an OME-Zarr.
    FileError
        If the result must not be written there.
    """
    if start is not None:
        raise ConfigError(
            "in parts, no fit starts from another one; start from scratch, or compute the whole."
        )
    if place.suffix.lower() != ".zarr":
        raise ConfigError(f"{place} was given; in parts, the result is an OME-Zarr (OUT.zarr).")
    is_unfinished = notes_folder(place).is_dir()
    written.check(place, overwrite=is_unfinished)
    shown = {layer.metadata.get(RESULT_IN_PARTS) for layer in viewer.layers}
    return written.is_own(place) and not is_unfinished and str(place) not in shown


def parts_work(
    controller: Controller,
    task: Task,
    layer: ImageLayer,
    config: Config,
    path: Path,
    done: Callable[[ImageLayer, PartsResult], None],
    *,
    overwrite: bool = False,
) -> Work:
    """Return the work of computing a layer in parts; the result appears beside it at once.

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
    path
        The OME-Zarr folder of the result.
    done
        Called with the layer of the result, complete or not, and how the run ended.
    overwrite
        Whether another result there is replaced.

    Raises
    ------
    AxesError
        If the layer cannot be worked on as it is.
    """
    given = controller.image_of(layer)
    name = result_name(task.suffix, str(layer.name))

    def planned(growth: Growth) -> None:
        controller.hide_quick_looks(layer.unique_id)
        if live.layer is not None:
            hide_under(controller.viewer, layer, live.layer)
        text = f"Computed in {n_of(growth.total, 'part')}, written to {path}."
        controller.said.emit("info", text)

    def kept() -> str:
        if not notes_folder(path).is_dir():
            return ""  # the run was being planned
        return f"Cancelled; finished parts are kept in {path}, and Run with this result goes on."

    live = PartsLayer(
        controller.viewer, layer.unique_id, given, name, path,
        from_data=task.own_contrast(config), planned=planned,
    )  # fmt: skip
    request = PartsRequest(task.name, given.canonical(), config, path, overwrite)
    job: Any = partial(parts_job, request)
    return Work(
        f"{task.noun} of {layer.name}",
        job,
        partial(_show, controller, task, live, path, done),
        layer.unique_id,
        live,
        task=task.name,
        kept=kept,
    )


def _show(
    controller: Controller,
    task: Task,
    live: PartsLayer,
    path: Path,
    done: Callable[[ImageLayer, PartsResult], None],
    result: PartsResult,
) -> None:
    """Show what a run in parts has made, and say how it ended."""
    found, source = result.finished, find(controller.viewer, live.source_id)
    if source is None:
        text = f"complete in {path}." if found.is_complete else explanation(result, path)
        controller.say("warning", f"The source layer was removed; its result: {text}")
        return
    meta = {
        **result.levels[0].meta,
        RECORD: {
            "config": result.plan.config.as_dict(),
            "method": task.method.name,
            **result.report,
        },
    }
    layer = live.finish(result, meta)
    hide_under(controller.viewer, source, layer)
    if not found.is_complete:
        controller.say("error" if found.failed else "info", explanation(result, path))
    else:
        took = (
            f"{n_of(len(result.plan.parts), 'part')} in {result.seconds:.0f} s; written to {path}."
        )
        warnings = [with_titles(text, task.config_type) for text in found.warnings]
        texts = [f"Layer “{layer.name}”: {took}", *warnings]
        text = " ".join(f"{one[0].upper()}{one[1:].rstrip('.')}." for one in texts)
        controller.say("warning" if warnings else "info", text)
    done(layer, result)
