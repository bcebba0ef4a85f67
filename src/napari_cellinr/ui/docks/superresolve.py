"""The dock that increases resolution in time and space, and its `Task`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.layers.live import visible_part
from napari_cellinr.ui.panels.scale import ScaleSection
from napari_cellinr.ui.panels.time import TimePanel
from napari_cellinr.ui.session.checks import image_fault
from napari_cellinr.ui.task import Task
from napari_cellinr.ui.widgets.labels import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["TASK", "SuperresolveDock"]

_FRAMES = 4  # frames of a preview


def _check(config: SpatimeConfig, image: Image) -> Mapping[str, str]:
    """Return errors of image and settings, by field."""
    from napari_cellinr.methods.spatime.output_grid import check_changes, output_grid

    if fault := image_fault(image):
        return {"image": fault}
    try:
        source = image.canonical()
        check_changes(source, config, output_grid(source, config))
    except CellINRError as error:
        return {"scale": sentence(str(error))}
    return {}


def _part(viewer: napari.Viewer, layer: ImageLayer, image: Image) -> Mapping[str, slice]:
    """Return the visible part, with the frames around the displayed one."""
    ranges = dict(visible_part(viewer, layer, image))
    if "T" in image.axes:
        now, size = ranges["T"].start, image.sizes["T"]
        start = max(0, min(now - _FRAMES // 2, size - _FRAMES))
        ranges["T"] = slice(start, min(size, start + _FRAMES))
    return ranges


TASK = Task(
    name="superresolve",
    title="Super-resolve",
    noun="super-resolution",
    suffix="super-resolved",
    empty_text="Drop a time series or stack here or on the canvas, or try simulated moving cells.",
    sample="moving-cells",
    guide="superresolve",
    run_tip="Increase the resolution of the whole image in time and space.",
    preview_tip="Quick result for the visible part and the frames around the displayed one.",
    part=_part,
    check=_check,
    section=ScaleSection,
    panel=TimePanel,
)


class SuperresolveDock(FitDock):
    """The dock that increases resolution in time and space."""

    task = TASK
