"""Motion-aware reconstruction as docks and console see it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton

from napari_cellinr.config.nstm import NSTMConfig
from napari_cellinr.ui.checks import image_fault
from napari_cellinr.ui.fit_dock import FitDock
from napari_cellinr.ui.motion_layers import layers_of, track_layer
from napari_cellinr.ui.optics_section import OpticsSection
from napari_cellinr.ui.results import add_shown
from napari_cellinr.ui.tasks import Estimate, ResultPanel, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.fit import Fitted
    from napari_cellinr.image import Image
    from napari_cellinr.ui.controller import Controller

__all__ = ["RECONSTRUCT", "PointsPanel", "ReconstructDock"]

_SCANS = {"line-scan", "point-scan", "z-scan"}


class PointsPanel(ResultPanel):
    """Follows the points of a layer, which the user has placed, through the motion."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._result: tuple[Fitted, ImageLayer, ImageLayer] | None = None
        self.box = QComboBox()
        self.box.setToolTip("A layer of points, placed in the reference frame.")
        self.button = QPushButton("Follow points")
        self.button.setToolTip("Add the paths of these points as a layer of tracks.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.button)
        self.button.clicked.connect(self.follow)
        events = controller.viewer.layers.events
        events.inserted.connect(self._list)
        events.removed.connect(self._list)
        self._list()

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Offer to follow points through the motion of a result."""
        self._result = fitted, layer, source
        self._list()

    @Slot()
    def follow(self) -> None:
        """Add a layer of tracks for the points of the chosen layer."""
        names = [one.unique_id for one in self._controller.viewer.layers]
        chosen = self.box.currentData()
        if self._result is None or chosen not in names:
            return
        fitted, layer, _ = self._result
        points = self._controller.viewer.layers[names.index(chosen)]
        named = dict(zip(fitted.roles, fitted.images, strict=True))
        grid = named["speed"]
        n_axes = len(grid.axes) - 1
        world = np.array([points.data_to_world(place)[-n_axes:] for place in points.data])
        if not len(world):
            self._controller.say("error", f"the layer {points.name} has no points: place some.")
            return
        seeds = (world - layer.translate[-n_axes:]) / layer.scale[-n_axes:]
        shown = track_layer(named["motion"], grid, seeds, f"tracks of {points.name}")
        add_shown(self._controller.viewer, layer, grid, shown, shown.name)

    def _list(self, event: Any = None) -> None:
        """List the layers of points."""
        chosen = self.box.currentData()
        self.box.clear()
        for layer in self._controller.viewer.layers:
            if type(layer).__name__ == "Points":
                self.box.addItem(layer.name, layer.unique_id)
        place = self.box.findData(chosen)
        self.box.setCurrentIndex(max(place, 0))
        self.button.setEnabled(self._result is not None and self.box.count() > 0)


def _check(config: NSTMConfig, image: Image) -> Mapping[str, str]:
    """Return what keeps a run from making sense; the job itself looks at everything."""
    optics: Any = config.optics
    n_frames = math.prod(size for axis, size in image.sizes.items() if axis not in "YX")
    fault = image_fault(image)
    if not fault and image.sizes.get("C", 1) > 1:
        fault = "The image has several channels; choose one of them as a layer of its own."
    if not fault and optics.kind in _SCANS and image.sizes.get("T", 1) < 2:
        fault = "A scan needs 2 repeats or more: one alone cannot tell shape from motion."
    per_set = _frames_of_a_set(optics)
    if not fault and n_frames % per_set:
        fault = f"The image has {n_frames} frames; a multiple of {per_set} is needed."
    return {"image": fault} if fault else {}


def _frames_of_a_set(optics: Any) -> int:
    """Return the number of raw frames that belong together."""
    if optics.kind == "dpc":
        return len(optics.led_positions or optics.rotations)
    if optics.kind == "sim2d":
        return len(optics.phases)
    return len(optics.periods) * int(optics.n_phases) if optics.kind == "sim3d" else 1


def _estimate(config: NSTMConfig, image: Image) -> Estimate:
    """Return memory and time, roughly: every step renders every frame."""
    n_voxels = math.prod(image.shape)
    seconds = config.steps * (0.005 + 1.1e-6 * n_voxels) + 3
    if config.max_seconds is not None:
        seconds = min(seconds, config.max_seconds)
    return Estimate(memory=4e8 + 400 * n_voxels, seconds=seconds)


def _whole(viewer: napari.Viewer, layer: ImageLayer, image: Image) -> Mapping[str, slice]:
    """Return no range: patterns of light and times belong to whole frames."""
    return {}


def _conventional(image: Image, config: NSTMConfig) -> Image:
    """Return what is had without motion: Tikhonov, Wiener or total variation."""
    from napari_cellinr.jobs.conventional import conventional

    return conventional(image, config.optics)


def _section(controller: Controller) -> OpticsSection:
    return OpticsSection()


RECONSTRUCT = Task(
    name="reconstruct",
    title="Reconstruct motion",
    noun="reconstruction",
    suffix="reconstructed",
    config_type=NSTMConfig,
    job="iter_reconstruct",
    empty_text="Drop a recording of something that moves, or try a simulated worm.",
    sample="motion-worm",
    guide="reconstruct",
    run_tip="Find the scene and its motion from all raw frames.",
    preview_tip="A quick look with few steps.",
    layers=layers_of,
    own_contrast=lambda config: True,
    part=_whole,
    check=_check,
    estimate=_estimate,
    conventional=_conventional,
    section=_section,
    panel=PointsPanel,
)


class ReconstructDock(FitDock):
    """The dock for scene and motion."""

    task = RECONSTRUCT
