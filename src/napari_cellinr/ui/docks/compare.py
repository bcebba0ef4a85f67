"""The dock that compares a result with other images: difference, line profiles, scores."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Shapes
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, QTimer, Slot
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.text import n_of
from napari_cellinr.ui.compare.controls import BeforeAfterControls
from napari_cellinr.ui.figures.buttons import FigureButtons
from napari_cellinr.ui.layers.convert import find, image_layers
from napari_cellinr.ui.layers.provenance import HELPER, newest_first
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.session.work.compare import profile
from napari_cellinr.ui.widgets.buttons import guide_button, push_button
from napari_cellinr.ui.widgets.labels import CURVES, wrapping_label
from napari_cellinr.ui.widgets.scrolled import scroll_area
from napari_cellinr.ui.widgets.tab_order import tab_as_seen
from napari_cellinr.ui.widgets.tabs import MINIMUM_WIDTH, TabbedDock

if TYPE_CHECKING:
    from collections.abc import Hashable

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.compare.before_after import Chosen
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.session.work.compare import Score
    from napari_cellinr.ui.widgets.plots import ProfilePlot

__all__ = ["CompareDock"]

LINE: Final = "profile line"
"""Name of the layer in which the line is drawn."""


class CompareDock(TabbedDock):
    """Compares a result with the conventional result, other layers, or the ground truth.

    Profiles and scores are those of all visible image layers.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.dispatcher = dispatcher_of(napari_viewer)
        self.viewer = self.dispatcher.viewer
        self._plot: ProfilePlot | None = None
        self._line_id: Hashable | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(80)
        self._later.timeout.connect(self.show_profiles)
        self._make_widgets()
        self._lay_out()
        self.dispatcher.controller.layers_changed.connect(self.refresh)
        self.dispatcher.controller.said.connect(self._say)
        self.dispatcher.controller.outdated.connect(self.status.remove)
        self.dispatcher.controller.finished.connect(self._choose)
        self.viewer.dims.events.point.connect(self._on_moved)
        self.viewer.events.theme.connect(self._on_theme)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """List the present layers; the selected ones stay selected."""
        layers = image_layers(self.viewer)
        _fill(self.result, layers)
        _fill(self.against, layers, "conventional result")
        _fill(self.truth, layers, "none")
        if self.result.currentIndex() < 0 and layers:
            self.result.setCurrentIndex(self._likely(layers))
        self.compare_button.setEnabled(bool(layers))
        self.line_button.setEnabled(bool(layers))
        self.measure_button.setEnabled(self.truth.currentData() is not None and len(layers) > 1)
        self._on_moved()

    def _likely(self, layers: list[ImageLayer]) -> int:
        """Return the row of the newest result, else of the topmost image that is no preview.

        There is no conventional result for a preview, which shows a part of an image.
        """
        made = newest_first(self.dispatcher.results)[:1]
        newest = [one.layers[0].unique_id for one in made]
        skipped = self._previews()
        results = [row for row, layer in enumerate(layers) if layer.unique_id in newest]
        others = [row for row, layer in enumerate(layers) if layer.unique_id not in skipped]
        return next(iter([*results, *others]), 0)

    def _previews(self) -> list[Hashable]:
        """Return the ids of the previews, which show a part of an image."""
        previews = [one.layer for one in self.dispatcher.controller.quick_looks.values()]
        return [layer.unique_id for layer in previews if layer is not None]

    @Slot()
    def compare(self) -> None:
        """Add the conventional result, if it is selected, and the difference image."""
        result = find(self.viewer, self.result.currentData())
        against = find(self.viewer, self.against.currentData())
        if result is None:
            return
        with self.dispatcher.controller.errors_shown():
            self.dispatcher.compare(result, against)

    def _chosen(self) -> Chosen | None:
        """Return the selected result and the selected other layer."""
        result = self.result.currentData()
        return None if result is None else (result, self.against.currentData())

    @Slot()
    def draw_line(self) -> None:
        """Add a line across the middle of the image, which can be moved."""
        layer = find(self.viewer, self._line_id)
        if layer is None:
            layer = self._add_line()
        self.viewer.layers.selection.active = layer
        layer.mode = "direct"
        self.show_profiles()

    @Slot()
    def measure(self) -> None:
        """Fill the table with the scores of the visible layers against the ground truth."""
        truth = find(self.viewer, self.truth.currentData())
        if truth is None:
            return
        layers = [layer for layer in image_layers(self.viewer) if layer.visible]
        left_out = [truth.unique_id, *self._previews()]
        others = [
            layer
            for layer in layers
            if layer.unique_id not in left_out and HELPER not in layer.metadata
        ]
        with self.dispatcher.controller.errors_shown():
            self.dispatcher.measure(others, truth, self._show_scores)

    @Slot()
    def show_profiles(self) -> None:
        """Plot the values along the line in every visible image layer."""
        line = find(self.viewer, self._line_id)
        if line is None or not line.nshapes:
            return
        ends = [line.data_to_world(point) for point in np.asarray(line.data[-1])[[0, -1]]]
        shown = list(self.viewer.dims.displayed)
        curves = {}
        for layer in reversed(image_layers(self.viewer)):
            if not layer.visible:
                continue
            points = [self._in_view(end, shown)[-layer.ndim :] for end in ends]
            curves[str(layer.name)] = profile(layer, *points)
        self._profile_plot().show_profiles(list(curves.values()))
        names = [
            f'<span style="color: {CURVES[place % len(CURVES)]}">{escape(name)}</span>'
            for place, name in enumerate(curves)
        ]
        self.legend.setText("<br>".join(names))
        self.legend.show()

    def _in_view(self, point: Any, shown: list[int]) -> Any:
        """Return a point of the line in the displayed plane."""
        middle = np.array(self.viewer.dims.point, float)
        full = np.concatenate([middle[: len(middle) - len(point)], point])
        return np.array([full[i] if i in shown else middle[i] for i in range(len(middle))])

    def _add_line(self) -> Any:
        base = image_layers(self.viewer)[0]
        low, high = np.asarray(base.extent.data, float)
        point = np.array(self.viewer.dims.point, float)[-base.ndim :]
        ends = np.array([base.world_to_data(point)] * 2, float)
        # In data coordinates: the world extent of a rotated image is larger than the image.
        row, column = (dim - self.viewer.dims.ndim for dim in self.viewer.dims.displayed[-2:])
        ends[:, row] = (low[row] + high[row]) / 2
        ends[:, column] = low[column] + (high[column] - low[column]) * np.array([0.1, 0.9])
        layer = Shapes(
            [ends],
            shape_type="line",
            name=LINE,
            edge_color="yellow",
            edge_width=max(base.data.shape[-1] / 200, 0.5),
            scale=base.scale,
            translate=base.translate,
            rotate=base.rotate,
            shear=base.shear,
            affine=base.affine.affine_matrix,
            units=base.units,
            axis_labels=base.axis_labels,
        )
        self.viewer.add_layer(layer)
        self._line_id = layer.unique_id
        layer.events.set_data.connect(self._on_moved)
        return layer

    def _on_moved(self, event: Any = None) -> None:
        if self._line_id is not None:
            self._later.start()

    @Slot(object)
    def _choose(self, result: Result) -> None:
        """Select a new result."""
        if not result.quick:
            row = self.result.findText(str(result.layers[0].name))
            self.result.setCurrentIndex(max(row, 0))

    @Slot(str, str)
    def _say(self, kind: str, text: str) -> None:
        if not self._is_of_a_fit(kind):
            self.status.setText(text)

    def _is_of_a_fit(self, kind: str) -> bool:
        """Return whether a message is that of a fit, which the dock of its method shows."""
        latest = self.dispatcher.controller.latest
        return kind != "error" and latest is not None and bool(latest.task)

    def _show_scores(self, scores: list[Score]) -> None:
        names = {str(layer.name): layer.unique_id for layer in self.viewer.layers}
        self.dispatcher.history.note_scores(scores, names)
        self.table.setRowCount(len(scores))
        for row, score in enumerate(scores):
            texts = (
                score.name, f"{score.psnr:.2f}", f"{score.ssim:.3f}", f"{score.correlation:.3f}",
            )  # fmt: skip
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(row, column, item)
        self.table.setVisible(True)
        self.status.setText(
            f"Scores of {n_of(len(scores), 'visible layer')} against the ground truth; previews "
            "and differences are left out."
        )

    def _profile_plot(self) -> ProfilePlot:
        if self._plot is None:
            from napari_cellinr.ui.widgets.plots import ProfilePlot

            self._plot = ProfilePlot(self)
            self._layout.insertWidget(self._layout.indexOf(self.legend), self._plot)
            tab_as_seen(self)
        self._on_theme()
        return self._plot

    def _on_theme(self, event: Any = None) -> None:
        """Draw the axes of the plot in the text colour of the theme."""
        if self._plot is not None:
            with suppress(RuntimeError):  # the dock is gone, but something still holds it
                self._plot.set_colour(str(get_theme(self.viewer.theme).text.as_hex()))

    def _make_widgets(self) -> None:
        self.result, self.against, self.truth = QComboBox(), QComboBox(), QComboBox()
        for box in (self.result, self.against, self.truth):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(8)
            box.currentTextChanged.connect(box.setToolTip)  # names are long
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.truth.activated.connect(self.refresh)
        self.compare_button = push_button(
            "Compare", "Add the selected image and its difference from the result as layers."
        )
        self.line_button = push_button(
            "Line profile", "Plot the values along a line in all visible images."
        )
        self.measure_button = push_button(
            "Measure", "Compute PSNR, SSIM and correlation of the visible images."
        )
        self.compare_button.clicked.connect(self.compare)
        self.line_button.clicked.connect(self.draw_line)
        self.before_after = BeforeAfterControls(self.dispatcher.before_after, self._chosen)
        self.figures = FigureButtons(self.dispatcher, self._chosen)
        self.measure_button.clicked.connect(self.measure)
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["Layer", "PSNR/dB", "SSIM", "Corr."])
        self.table.verticalHeader().hide()
        self.table.setTabKeyNavigation(False)  # Tab leaves the table
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.hide()
        self.legend = wrapping_label()
        self.legend.setTextFormat(Qt.TextFormat.RichText)  # colours; names are escaped
        self.legend.hide()
        self.status = wrapping_label("Profiles and scores include all visible image layers.")

    def _lay_out(self) -> None:
        inner = QWidget()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 6, 6, 6)
        outer.addWidget(scroll_area(inner))
        self._layout = QVBoxLayout(inner)
        self._layout.setContentsMargins(0, 0, 4, 0)
        self._layout.addLayout(_form({"Result": self.result, "Compare with": self.against}))
        row = QHBoxLayout()
        row.addWidget(self.compare_button, 1)
        row.addWidget(guide_button("docks"))
        self._layout.addLayout(row)
        self._layout.addWidget(self.before_after)
        self._layout.addWidget(self.line_button)
        self._layout.addWidget(self.legend)
        self._layout.addLayout(_form({"Ground truth": self.truth}))
        for widget in (self.measure_button, self.table, self.figures, self.status):
            self._layout.addWidget(widget)
        self._layout.addStretch(1)
        self.setMinimumWidth(MINIMUM_WIDTH)


def _form(rows: dict[str, QWidget]) -> QFormLayout:
    form = QFormLayout()
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)  # names of layers are long
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    for title, widget in rows.items():
        form.addRow(title, widget)
    return form


def _fill(box: QComboBox, layers: list[ImageLayer], first: str = "") -> None:
    """List the layers, after a first entry without a layer; the selected entry stays selected."""
    chosen = box.currentData()
    box.clear()
    if first:
        box.addItem(first, None)
    for layer in layers:
        box.addItem(str(layer.name), layer.unique_id)
    rows = [row for row in range(box.count()) if box.itemData(row) == chosen]
    box.setCurrentIndex(rows[0] if rows and (first or chosen is not None) else 0 if first else -1)
