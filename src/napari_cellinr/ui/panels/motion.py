"""Tools for the motion of a reconstruction: arrows and tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QPushButton, QSpinBox, QVBoxLayout

from napari_cellinr.motion import ARROWS
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import has_motion
from napari_cellinr.ui.motion.colour_bar import ColourBar
from napari_cellinr.ui.motion.track_table import TrackTable
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.session.work.motion import MOTION_OF
from napari_cellinr.ui.task import ResultPanel
from napari_cellinr.ui.widgets.boxes import list_layers
from napari_cellinr.ui.widgets.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari.layers import Image as ImageLayer

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["MotionPanel"]


class MotionPanel(ResultPanel):
    """Shows the motion of the newest reconstruction, or of a saved one, as arrows or tracks."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self._controller = controller
        self._scene_id: Hashable | None = None
        self.every, self.shortest = QSpinBox(), QDoubleSpinBox()
        self.arrows_button = QPushButton("Show arrows")
        self.kind, self.box, self.colour = QComboBox(), QComboBox(), QComboBox()
        self.button = QPushButton("Track points")
        self.table_button = QPushButton("Table …")
        self.colour_bar = ColourBar(controller)
        self._explain()
        self._lay_out()
        self.arrows_button.clicked.connect(self.show_arrows)
        self.button.clicked.connect(self.follow)
        self.colour.activated.connect(self.recolour)
        self.table_button.clicked.connect(self.show_table)
        controller.layers_changed.connect(self._list)
        self._list()

    def show_result(self, fitted: Fitted, layer: ImageLayer, source: ImageLayer) -> None:
        """Show the tools for a new reconstruction, and what the colours of its arrows mean."""
        self._scene_id = layer.unique_id
        self._list()
        self.colour_bar.refresh()  # only now is it noted that they are its arrows

    def has_another(self) -> bool:
        """Return whether another reconstruction is in the viewer, whose motion is shown then."""
        return find(self._controller.viewer, self._scene_id) is not None

    @Slot()
    def show_arrows(self) -> None:
        """Show arrows with the entered spacing and minimum length."""
        options = {"every": self.every.value() or None, "shortest": self.shortest.value() or None}
        if self.kind.currentData() != "reference":
            options["arrows"] = self.kind.currentData()
        self._show(options)

    @Slot()
    def recolour(self) -> None:
        """Colour all tracks of the reconstruction by the selected quantity."""
        for layer in self._shown_tracks():
            names = [
                name for name in layer.properties if name.startswith(self.colour.currentData())
            ]
            if names:
                layer.color_by = names[0]

    @Slot()
    def show_table(self) -> None:
        """Open the table of the selected tracks, else of the newest ones."""
        found = self._shown_tracks()
        active = self._controller.viewer.layers.selection.active
        chosen = [one for one in found if active is not None and one.unique_id == active.unique_id]
        if found:
            layer = (chosen or found[-1:])[0]
            TrackTable(dispatcher_of(self._controller.viewer), layer, self).show()

    def _tracks(self) -> list[Any]:
        """Return the Tracks layers of the reconstruction, the newest last."""
        return [
            layer
            for layer in self._controller.viewer.layers
            if type(layer).__name__ == "Tracks"
            and layer.metadata.get(MOTION_OF, {}).get("layer") == self._scene_id
        ]

    def _shown_tracks(self) -> list[Any]:
        """Return the Tracks layers of the reconstruction; its own are added if there are none."""
        offered = self._offered_tracks()
        if offered is not None and not self._tracks():
            dispatcher_of(self._controller.viewer).offers.show(*offered)
        return self._tracks()

    def _offered_tracks(self) -> tuple[Result, str] | None:
        """Return the reconstruction and the name of its own tracks, if it has any."""
        result = dispatcher_of(self._controller.viewer).results.get(self._scene_id)
        names = (
            [] if result is None else [one.name for one in result.offers if one.kind == "tracks"]
        )
        return (result, names[0]) if result is not None and names else None

    @Slot()
    def follow(self) -> None:
        """Add a Tracks layer for the points of the selected Points layer."""
        scene = find(self._controller.viewer, self._scene_id)
        points: Any = find(self._controller.viewer, self.box.currentData())
        if scene is None or points is None:
            return
        if not len(points.data):
            self._controller.say(
                "error", f"layer {str(points.name)!r} has no points; add points to track."
            )
            return
        n_axes = scene.ndim - 1 - ("c" in scene.axis_labels)  # those of space
        now = np.asarray(self._controller.viewer.dims.point, float)[-scene.ndim : -n_axes]
        world = [points.data_to_world(place)[-n_axes:] for place in points.data]
        seeds = np.array([scene.world_to_data([*now, *place])[-n_axes:] for place in world])
        self._show({"points": np.round(seeds, 3).tolist()}, f"tracks of {points.name}")

    def _show(self, options: dict[str, Any], name: str = "") -> None:
        scene = find(self._controller.viewer, self._scene_id)
        if scene is None:
            return
        with self._controller.errors_shown():
            dispatcher_of(self._controller.viewer).show_motion(scene, options, name)

    @Slot()
    def _list(self) -> None:
        """List the Points layers, and find the newest reconstruction if there is none."""
        viewer = self._controller.viewer
        if find(viewer, self._scene_id) is None:
            results = dispatcher_of(viewer).results
            moving = [layer for layer in viewer.layers if has_motion(layer, results)]
            self._scene_id = moving[-1].unique_id if moving else None
            if moving:
                self.show()
        list_layers(self.box, viewer, "Points")
        self.arrows_button.setEnabled(self._scene_id is not None)
        self.button.setEnabled(self._scene_id is not None and self.box.count() > 0)
        for widget in (self.colour, self.table_button):
            widget.setEnabled(bool(self._tracks()) or self._offered_tracks() is not None)

    def _explain(self) -> None:
        self.kind.addItem("from reference", "reference")
        self.kind.addItem("to next time", "next")
        for row, text in enumerate(ARROWS.values()):
            self.kind.setItemData(row, text, Qt.ItemDataRole.ToolTipRole)
        self.kind.setToolTip("What arrows show: " + "; or ".join(ARROWS.values()) + ".")
        self.kind.setAccessibleName("Kind of arrows")
        for quantity in ("speed", "time", "distance", "track_id"):
            self.colour.addItem(f"tracks by {quantity.removesuffix('_id')}", quantity)
        self.colour.setToolTip("What the colours of the tracks show.")
        self.colour.setAccessibleName("Colours of tracks")
        self.table_button.setToolTip("Show distance and speed of every track, and save them.")
        for box in (self.kind, self.box, self.colour):
            box.setMinimumContentsLength(8)
            box.setMinimumWidth(120)  # room for “from reference”, and for the second column
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        for spacing in (self.every, self.shortest):
            spacing.setMinimumWidth(134)  # room for the text beside the buttons, also with PyQt6
        self.every.setRange(0, 1000)
        self.every.setPrefix("every ")
        self.every.setSpecialValueText("every: auto")
        self.every.setToolTip("Distance between arrows in voxels; auto keeps the image visible.")
        self.every.setAccessibleName("Spacing of arrows")
        self.shortest.setRange(0, 1e6)
        self.shortest.setDecimals(3)
        self.shortest.setSingleStep(0.1)
        self.shortest.setPrefix("length ≥ ")
        self.shortest.setSpecialValueText("length: auto")
        self.shortest.setToolTip(
            "Length of the shortest arrow, in µm (in pixels if the pixel size is unknown); auto is "
            "0.3 voxels."
        )
        self.shortest.setAccessibleName("Shortest arrow")
        self.arrows_button.setToolTip("Show arrows with this spacing and minimum length.")
        self.box.setToolTip("Points layer with the points to track, in the reference frame.")
        self.box.setAccessibleName("Points layer")
        self.box.setPlaceholderText("no points")
        self.button.setToolTip("Track these points; the result is a Tracks layer.")

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(Columns((self.every, self.shortest)))  # these are wider than the others
        pairs = (
            self.kind, self.arrows_button, self.box, self.button, self.colour, self.table_button,
        )  # fmt: skip
        layout.addWidget(Columns(pairs))
        layout.addWidget(self.colour_bar)
