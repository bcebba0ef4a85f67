"""The choice of the part of an image that is processed: all of it, or a region that is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Shapes
from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.session.work.regions import drawn_ranges, parse_planes
from napari_cellinr.ui.widgets.boxes import list_layers

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.image import Image
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["WHOLE", "RegionChoice"]

LABELS = 74
"""Width of the labels in pixels, as in the panel of the image."""

WHOLE = "all"
"""Entry of the list without a region."""


class RegionChoice(QWidget):
    """A list of the Shapes layers, whose shapes mark a region, with a range of planes.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.

    Signals
    -------
    changed
        Another region was selected.
    """

    changed = Signal()

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._viewer = dispatcher.viewer
        self._controller = dispatcher.controller
        self._layer: ImageLayer | None = None
        self._image: Image | None = None
        self.box, self.planes = QComboBox(), QLineEdit()
        self.draw_button = QPushButton("Draw")
        self._explain()
        self._lay_out()
        self.box.activated.connect(self._on_chosen)
        self.planes.textEdited.connect(self._on_chosen)
        self.draw_button.clicked.connect(self.draw)
        self._controller.layers_changed.connect(self.refresh)
        self.refresh()

    def show_image(self, layer: ImageLayer | None, image: Image | None) -> None:
        """Adapt to another image, or to none.

        Parameters
        ----------
        layer, image
            The selected layer, and its Image once its axes are known.
        """
        self._layer, self._image = layer, image
        self._show()

    def ranges(self) -> dict[str, slice] | None:
        """Return the ranges of the region along Y and X, and along Z if planes are given.

        None without a region.

        Raises
        ------
        AxesError
            If the region is not in the image, or the planes are not.
        """
        shapes = self._shapes()
        if shapes is None or self._layer is None or self._image is None:
            return None
        found = drawn_ranges(shapes, self._layer, self._image)
        if self._has_planes() and self.planes.text().strip():
            found = {"Z": parse_planes(self.planes.text(), self._image.sizes["Z"]), **found}
        return found

    @Slot()
    def draw(self) -> None:
        """Add a Shapes layer to draw a rectangle in, and select it."""
        layer = self._layer
        if layer is None:
            return
        shapes = Shapes(
            ndim=2, name="region", face_color="transparent", edge_color="yellow",
            scale=layer.scale[-2:], translate=layer.translate[-2:], units=layer.units[-2:],
            edge_width=max(0.5, layer.data.shape[-1] / 200) if not layer.multiscale else 1,
            axis_labels=layer.axis_labels[-2:],
        )  # fmt: skip
        self._viewer.add_layer(shapes)
        shapes.mode = "add_rectangle"
        self.refresh()
        self.box.setCurrentIndex(self._row(shapes.unique_id))
        self._on_chosen()

    @Slot()
    def refresh(self) -> None:
        """List the Shapes layers; the selected one stays selected while it exists."""
        list_layers(self.box, self._viewer, "Shapes", WHOLE)
        self._show()

    def _row(self, layer_id: object) -> int:
        rows = range(self.box.count())
        return next((row for row in rows if self.box.itemData(row) == layer_id), -1)

    def _shapes(self) -> Layer | None:
        return (
            None if self.box.currentData() is None else find(self._viewer, self.box.currentData())
        )

    def _has_planes(self) -> bool:
        return self._image is not None and self._image.sizes.get("Z", 1) > 1

    @Slot()
    def _on_chosen(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        shown = self._shapes() is not None
        for widget in (self.planes, self._planes_label):
            widget.setVisible(shown and self._has_planes())
        if self._has_planes() and self._image is not None:
            self.planes.setPlaceholderText(f"all: 0-{self._image.sizes['Z'] - 1}")

    def _explain(self) -> None:
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(3)
        self.box.setAccessibleName("Region")
        self.box.setToolTip(
            "Part of the image to preview and run: the rectangle around the selected shapes of a "
            "Shapes layer, or around its last shape."
        )
        self.draw_button.setToolTip("Add a Shapes layer, and draw a rectangle in it.")
        self.planes.setAccessibleName("Planes of the region")
        self.planes.setToolTip("First and last plane of the region, such as 3-11; empty for all.")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(4)
        grid.setColumnMinimumWidth(0, LABELS)
        grid.setColumnStretch(1, 1)
        self._planes_label = QLabel("Planes")
        grid.addWidget(QLabel("Region"), 0, 0)
        grid.addWidget(self.box, 0, 1)
        grid.addWidget(self.draw_button, 0, 2)
        grid.addWidget(self._planes_label, 1, 0)
        grid.addWidget(self.planes, 1, 1, 1, 2)
