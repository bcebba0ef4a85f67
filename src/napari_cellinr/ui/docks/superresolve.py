"""Super-resolution as docks and console see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.layers.live import visible_part
from napari_cellinr.ui.panels.scale import ScaleSection
from napari_cellinr.ui.panels.time import TimePanel
from napari_cellinr.ui.session.checks import image_fault
from napari_cellinr.ui.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["TASK", "SuperresolveDock"]

_FRAMES = 4  # frames of a quick look


def _check(config: SpatimeConfig, image: Image) -> Mapping[str, str]:
    """Return what keeps a run from making sense, by the field beside which it is said."""
    from napari_cellinr.methods.spatime.output_grid import output_grid

    if fault := image_fault(image):
        return {"image": fault}
    try:
        lattice = output_grid(image.canonical(), config)
    except CellINRError as error:
        return {"scale": str(error)}
    if lattice.shape(image.canonical()) == image.canonical().shape and not config.times:
        return {"scale": "Nothing would become finer: enter a factor above 1."}
    return {}


def _part(viewer: napari.Viewer, layer: ImageLayer, image: Image) -> Mapping[str, slice]:
    """Return what is in view, with the frames around the one that is shown."""
    ranges = dict(visible_part(viewer, layer, image))
    if "T" in image.axes:
        now, size = ranges["T"].start, image.sizes["T"]
        start = max(0, min(now - _FRAMES // 2, size - _FRAMES))
        ranges["T"] = slice(start, min(size, start + _FRAMES))
    return ranges


def _section(controller: Any) -> ScaleSection:
    return ScaleSection()


TASK = Task(
    name="superresolve",
    title="Super-resolve",
    noun="super-resolution",
    suffix="super-resolved",
    empty_text="Drop a series or a stack here or on the canvas, or try simulated cells that move.",
    sample="moving-cells",
    guide="superresolve",
    run_tip="Make frames between frames and planes between planes of the whole image.",
    preview_tip="A quick look at what the canvas shows, with the frames around it.",
    part=_part,
    check=_check,
    section=_section,
    panel=TimePanel,
)


class SuperresolveDock(FitDock):
    """The dock for more frames and finer voxels."""

    task = TASK
