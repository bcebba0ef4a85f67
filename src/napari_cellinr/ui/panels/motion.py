"""Below the dock for motion: how its arrows are thinned out, and points that are followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QPushButton, QSpinBox

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import has_motion
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.task import ResultPanel

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image as ImageLayer

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["MotionPanel"]


class MotionPanel(ResultPanel):
    """Shows the motion of the newest reconstruction, or of a kept one that was opened."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._scene_id: Hashable | None = None
        self.every, self.shortest = QSpinBox(), QDoubleSpinBox()
        self.arrows_button = QPushButton("Show arrows")
        self.box = QComboBox()
        self.button = QPushButton("Follow points")
        self._explain()
        self._lay_out()
        self.arrows_button.clicked.connect(self.show_arrows)
        self.button.clicked.connect(self.follow)
        controller.layers_changed.connect(self._list)
        self._list()

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Offer to show the motion of a result."""
        self._scene_id = layer.unique_id
        self._list()

    @Slot()
    def show_arrows(self) -> None:
        """Show arrows with the stride and the threshold that are entered."""
        options = {"every": self.every.value() or None, "shortest": self.shortest.value() or None}
        self._show(options)

    @Slot()
    def follow(self) -> None:
        """Add a layer of tracks for the points of the chosen layer."""
        scene = find(self._controller.viewer, self._scene_id)
        points: Any = find(self._controller.viewer, self.box.currentData())
        if scene is None or points is None:
            return
        if not len(points.data):
            self._controller.say("error", f"the layer {points.name} has no points: place some.")
            return
        n_axes = scene.ndim - 1
        now = np.asarray(self._controller.viewer.dims.point, float)[:-n_axes][-1:]
        world = [points.data_to_world(place)[-n_axes:] for place in points.data]
        seeds = np.array([scene.world_to_data([*now, *place])[-n_axes:] for place in world])
        self._show({"points": np.round(seeds, 3).tolist()}, f"tracks of {points.name}")

    def _show(self, options: dict[str, Any], name: str = "") -> None:
        scene = find(self._controller.viewer, self._scene_id)
        if scene is None:
            return
        try:
            dispatcher_of(self._controller.viewer).show_motion(scene, options, name)
        except CellINRError as error:
            self._controller.say("error", str(error))

    @Slot()
    def _list(self) -> None:
        """List the layers of points, and find the newest scene if there is none."""
        viewer = self._controller.viewer
        if find(viewer, self._scene_id) is None:
            results = dispatcher_of(viewer).results
            moving = [one for one in viewer.layers if has_motion(one, results)]
            self._scene_id = moving[-1].unique_id if moving else None
            if moving:
                self.show()
        chosen = self.box.currentData()
        self.box.clear()
        for layer in viewer.layers:
            if type(layer).__name__ == "Points":
                self.box.addItem(layer.name, layer.unique_id)
        self.box.setCurrentIndex(max(self.box.findData(chosen), 0))
        self.arrows_button.setEnabled(self._scene_id is not None)
        self.button.setEnabled(self._scene_id is not None and self.box.count() > 0)

    def _explain(self) -> None:
        self.every.setRange(0, 1000)
        self.every.setPrefix("every ")
        self.every.setSpecialValueText("every: auto")
        self.every.setToolTip("Voxels from one arrow to the next; auto leaves the scene visible.")
        self.every.setAccessibleName("Voxels between arrows")
        self.shortest.setRange(0, 1e6)
        self.shortest.setDecimals(3)
        self.shortest.setSingleStep(0.1)
        self.shortest.setPrefix("above ")
        self.shortest.setSpecialValueText("above: auto")
        self.shortest.setToolTip(
            "Shorter arrows are left out, in µm (pixels where not known); auto is 0.3 voxels."
        )
        self.shortest.setAccessibleName("Shortest arrow")
        self.arrows_button.setToolTip("Draw the arrows anew with this distance and length.")
        self.box.setToolTip("A layer of points, placed in the reference frame.")
        self.box.setAccessibleName("Layer of points")
        self.box.setPlaceholderText("no layer of points")
        self.button.setToolTip("Add the paths of these points as a layer of tracks.")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.every, 0, 0)
        grid.addWidget(self.shortest, 0, 1)
        grid.addWidget(self.arrows_button, 1, 0)
        grid.addWidget(self.button, 1, 1)
        grid.addWidget(self.box, 2, 0, 1, 2)
        for column in range(2):
            grid.setColumnStretch(column, 1)
