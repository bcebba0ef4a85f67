"""Motion-aware reconstruction as docks and console see it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cellinr.config.nstm import EXTRAS, NSTMConfig
from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.layers.motion import layers_of
from napari_cellinr.ui.panels.motion import MotionPanel
from napari_cellinr.ui.panels.optics import OpticsSection
from napari_cellinr.ui.session.checks import image_fault
from napari_cellinr.ui.task import Task, quick_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["TASK", "ReconstructDock"]


def _check(config: NSTMConfig, image: Image) -> Mapping[str, str]:
    """Return what keeps a run from making sense; the job itself looks at everything."""
    optics = config.optics
    n_frames = math.prod(size for axis, size in image.sizes.items() if axis not in "YX")
    fault = image_fault(image)
    if not fault and image.sizes.get("C", 1) > 1:
        fault = "The image has several channels; choose one of them as a layer of its own."
    if not fault and (wrong := _axes_fault(optics, image)):
        return {"axes": wrong}
    per_set = optics.frames_per_set
    if not fault and n_frames % per_set:
        fault = f"The image has {n_frames} frames; a multiple of {per_set} is needed."
    return {"image": fault} if fault else {}


def _axes_fault(optics: Optics, image: Image) -> str:
    """Return why a microscope that records again and again cannot have made an image, or nothing.

    Others count all frames, whatever their axes are.
    """
    wanted = [axes for axes in optics.AXES if "T" in axes]
    axes = "".join(axis for axis in "TZYX" if axis in image.axes)
    if not wanted or (axes in wanted and image.sizes["T"] > 1):
        return ""
    repeats = image.sizes.get("T", 1)
    if repeats < 2:
        return (
            f"The image has {repeats} time point; a {optics.kind} needs 2 or more, since one alone "
            "cannot tell shape from motion. If another axis is time, call it T."
        )
    return f"The image has axes {axes}; a {optics.kind} needs {' or '.join(wanted)}."


def _whole(viewer: napari.Viewer, layer: ImageLayer, image: Image) -> Mapping[str, slice]:
    """Return no range: patterns of light and times belong to whole frames."""
    return {}


def _quick(config: NSTMConfig) -> NSTMConfig:
    """Return the settings for a quick look; what is said of the light besides motion stays."""
    quick: NSTMConfig = quick_settings(config)
    chosen = {name: getattr(config, name) for name in EXTRAS}
    return quick.replace(**{name: word for name, word in chosen.items() if word != "auto"})


def _section(controller: Controller) -> OpticsSection:
    return OpticsSection()


TASK = Task(
    name="reconstruct",
    title="Reconstruct motion",
    noun="reconstruction",
    suffix="reconstructed",
    empty_text="Drop a recording of something that moves, or try a simulated worm.",
    sample="motion-worm",
    guide="reconstruct",
    run_tip="Find the scene and its motion from all raw frames.",
    preview_tip="A quick look with few steps: motion, but not exactly.",
    layers=layers_of,
    own_contrast=lambda config: True,
    quick=_quick,
    part=_whole,
    check=_check,
    section=_section,
    panel=MotionPanel,
)


class ReconstructDock(FitDock):
    """The dock for scene and motion."""

    task = TASK
