"""The dock that reconstructs moving specimens, and its `Task`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cellinr.config.nstm import EXTRAS, NSTMConfig
from napari_cellinr.io.metadata.units import calibrated
from napari_cellinr.text import n_of
from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.layers.motion import layers_of
from napari_cellinr.ui.panels.motion import MotionPanel
from napari_cellinr.ui.panels.optics import OpticsSection
from napari_cellinr.ui.session.checks import image_fault
from napari_cellinr.ui.task import Task, quick_settings
from napari_cellinr.ui.widgets.forms import title_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image

__all__ = ["TASK", "ReconstructDock"]


def _check(config: NSTMConfig, image: Image) -> Mapping[str, str]:
    """Return errors of image and settings that can be found quickly, by field."""
    optics = config.optics
    n_frames = math.prod(size for axis, size in image.sizes.items() if axis not in "YX")
    fault = image_fault(image)
    if not fault and image.sizes.get("C", 1) > 1 and not config.motion_channel:
        fault = (
            "The image has several channels; choose the channel of the motion, or all "
            "(motion channel)."
        )
    if not fault and (wrong := _axes_fault(optics, image)):
        return {"axes": wrong}
    if not fault and (missing := optics.missing(calibrated(image))):
        wanted = optics.named(missing, title_of)
        return {"optics": f"Enter what the layer does not state: {wanted}."}
    per_set = optics.frames_per_set
    if not fault and n_frames % per_set:
        fault = (
            f"The image has {n_of(n_frames, 'frame')}; a multiple of {per_set} (one set) is needed."
        )
    return {"image": fault} if fault else {}


def _axes_fault(optics: Optics, image: Image) -> str:
    """Return why the axes do not suit a microscope that records time series; else an empty text.

    Other microscopes count all frames, whatever their axes are.
    """
    allowed = [axes for axes in optics.AXES if "T" in axes]
    axes = "".join(axis for axis in "TZYX" if axis in image.axes)
    if not allowed or (axes in allowed and image.sizes["T"] > 1):
        return ""
    repeats = image.sizes.get("T", 1)
    if repeats < 2:
        return (
            f"The image has {repeats} time point; a {optics.kind} needs 2 or more to tell motion "
            "from shape. If another axis is time, name it T."
        )
    return f"The image has axes {axes}; a {optics.kind} needs {' or '.join(allowed)}."


def _whole(viewer: napari.Viewer, layer: ImageLayer, image: Image) -> Mapping[str, slice]:
    """Return no range: illumination patterns and exposure times belong to whole frames."""
    return {}


def _quick(config: NSTMConfig) -> NSTMConfig:
    """Return the settings for a preview; those of the illumination stay."""
    quick: NSTMConfig = quick_settings(config)
    chosen = {name: getattr(config, name) for name in EXTRAS}
    return quick.replace(**{name: value for name, value in chosen.items() if value != "auto"})


TASK = Task(
    name="reconstruct",
    title="Reconstruct motion",
    noun="reconstruction",
    suffix="reconstructed",
    empty_text="Drop a recording of a moving specimen here, or try a simulated worm.",
    sample="motion-worm",
    guide="reconstruct",
    run_tip="Reconstruct the specimen and its motion from all raw frames.",
    preview_tip="Quick result with few steps: the motion is approximate.",
    layers=layers_of,
    own_contrast=lambda config: True,
    quick=_quick,
    part=_whole,
    regions=False,
    check=_check,
    section=OpticsSection,
    panel=MotionPanel,
)


class ReconstructDock(FitDock):
    """The dock that reconstructs moving specimens."""

    task = TASK
