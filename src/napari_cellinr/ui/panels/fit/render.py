"""The form to render a fit again: scale or voxel size, times, part and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_cellinr.errors import CellINRError
from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.methods import Cost
from napari_cellinr.runs.estimates import shortage
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.live import shown_ranges
from napari_cellinr.ui.layers.voxel_steps import steps_text
from napari_cellinr.ui.panels.fit.render_entries import Entries, RenderableFit, RenderRequest
from napari_cellinr.ui.panels.scale import isotropic_factors, sizes_text
from napari_cellinr.ui.widgets.labels import wrapping_label
from napari_cellinr.ui.widgets.scrolled import scroll_area

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.layers.provenance import Origin
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["RenderForm"]

WIDTH: Final = 300

_FACTOR, _STEP = "× factor", "voxel size"


class RenderForm(QDialog):
    """A window that stays open, so that a fit can be rendered several times.

    Parameters
    ----------
    dispatcher
        Renders, and records the step.
    layer
        The layer whose fit is rendered.
    origin
        That fit.
    parent
        Parent widget, whose style the window has.

    Raises
    ------
    CellINRError
        If the fit cannot be read, or is of an unknown method.
    """

    def __init__(
        self, dispatcher: Dispatcher, layer: ImageLayer, origin: Origin, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Render again")
        self._dispatcher, self._layer_id, self._origin = dispatcher, layer.unique_id, origin
        self._fit = fit = RenderableFit(origin.facts())
        self._request = RenderRequest()
        self.title = wrapping_label(f"Render the fit of “{layer.name}” with these changes:")
        self.mode = QComboBox()
        self.mode.addItems([_FACTOR, _STEP])
        self.steps = {axis: QLineEdit() for axis in fit.factors}
        self.ranges = {axis: QLineEdit() for axis in fit.whole.axes if axis != "C"}
        self.times, self.channel = QLineEdit(), QComboBox()
        self.channel.addItems(["all", *fit.channels])
        self.isotropic = QPushButton("Isotropic")
        self.in_view, self.all = QPushButton("In view"), QPushButton("Whole")
        self.faults = {key: wrapping_label(kind="error") for key in fit.fields}
        self.summary, self.advice = wrapping_label(), wrapping_label(kind="warning")
        self.render_button, self.close_button = QPushButton("Render"), QPushButton("Close")
        self._explain()
        self._lay_out()
        self._fill()
        self._connect()
        self.refresh()

    def entries(self) -> Entries:
        """Return the entered texts."""
        return Entries(
            is_step=self.mode.currentText() == _STEP,
            steps={axis: box.text() for axis, box in self.steps.items()},
            ranges={axis: box.text() for axis, box in self.ranges.items()},
            times=self.times.text(),
            channel=self.channel.currentIndex() - 1,
        )

    @Slot()
    def refresh(self) -> None:
        """Show size and memory of the result, or errors beside their fields."""
        self._request = request = self._fit.request(self.entries())
        for key, label in self.faults.items():
            label.setText(request.faults.get(key, ""))
            label.setVisible(key in request.faults)
        lines, advice = [], ""
        if request.image is not None:
            lines = [sizes_text(self._fit.result, request.image), steps_text(request.image)]
            lines.append(f"{_bytes(request.memory)} of memory")
            advice = shortage(Cost(0.0, request.memory), available_memory())
        self.summary.setText("\n".join(lines))
        self.advice.setText(f"{advice[:1].upper()}{advice[1:]}")
        self.advice.setVisible(bool(advice))
        self.render_button.setEnabled(bool(request.query))
        self.render_button.setToolTip(
            "Render as a new layer." if request.query else "Enter a change first."
        )

    @Slot()
    def render_it(self) -> None:
        """Render as requested, or add it to the queue."""
        layer = find(self._dispatcher.viewer, self._layer_id)
        if layer is None or not self._request.query:
            return
        try:
            self._dispatcher.render(layer, self._request.query)
        except CellINRError as error:
            self.faults[""].setText(str(error))
            self.faults[""].show()

    @Slot()
    def make_isotropic(self) -> None:
        """Enter the factors or voxel sizes that make the voxels isotropic."""
        for axis, factor in isotropic_factors(self._fit.whole).items():
            self.steps[axis].setText(self._text(axis, factor))
        self.refresh()

    @Slot()
    def take_view(self) -> None:
        """Enter the visible part of the image, along the displayed axes."""
        source, given = self._origin.source, self._origin.given
        if find(self._dispatcher.viewer, source.unique_id) is None:
            self.faults[""].setText("The fitted layer was removed; enter the ranges instead.")
            self.faults[""].show()
            return
        shown = shown_ranges(self._dispatcher.viewer, source, given)
        for axis, part in self._fit.on_whole(given, shown).items():
            self.ranges[axis].setText(f"{part.start}:{part.stop}")
        self.refresh()

    @Slot()
    def take_whole(self) -> None:
        """Clear all ranges."""
        for box in self.ranges.values():
            box.clear()
        self.refresh()

    @Slot()
    def _on_layers(self) -> None:
        if find(self._dispatcher.viewer, self._layer_id) is None:
            self.close()

    @Slot()
    def _on_mode(self) -> None:
        """Convert the entered factors to voxel sizes, or back."""
        for axis, box in self.steps.items():
            box.setText(self._fit.converted(axis, box.text()))
        self.refresh()

    def _text(self, axis: str, factor: float) -> str:
        is_step = self.mode.currentText() == _STEP
        return self._fit.text(axis, factor, is_step=is_step)

    def _explain(self) -> None:
        fit = self._fit
        self.mode.setToolTip("Enter upsampling factors or voxel sizes.")
        self.mode.setAccessibleName("Scale by")
        for axis, box in self.steps.items():
            box.setToolTip(f"Along {axis}: at most 16 times finer than the source.")
            box.setAccessibleName(f"Scale along {axis}")
        for axis, box in self.ranges.items():
            size = fit.whole.sizes[axis]
            box.setPlaceholderText(f"0:{size}")
            box.setToolTip(f"First index and end along {axis}, counted from 0; empty for all.")
            box.setAccessibleName(f"Range along {axis}")
        self.times.setPlaceholderText("unchanged")
        self.times.setToolTip(
            f"{fit.times_tip} from the first frame: 0,2.5,5 or first:last:step; empty for all."
        )
        self.times.setAccessibleName("Times")
        self.channel.setAccessibleName("Channel")
        self.channel.setToolTip("Channel to render.")
        known = fit.whole.is_calibrated
        self.isotropic.setEnabled(known)
        self.isotropic.setToolTip(
            "Use the smallest step of Z, Y and X for all three."
            if known
            else "The voxel size is unknown."
        )
        self.in_view.setToolTip("Use the visible part of the image.")
        self.all.setToolTip("Use the whole image.")
        self.close_button.setToolTip("Close this window; layers are kept.")

    def _lay_out(self) -> None:
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self.title, 0, 0, 1, 3)
        grid.addWidget(self.mode, 1, 1)
        grid.addWidget(QLabel("first:end"), 1, 2 if self.steps else 1)
        row, column = 2, 2 if self.steps else 1
        for axis, box in self.ranges.items():
            grid.addWidget(QLabel(axis), row, 0)
            if axis in self.steps:
                grid.addWidget(self.steps[axis], row, 1)
            grid.addWidget(box, row, column, 1, 3 - column)
            grid.addWidget(self.faults[axis], row + 1, 0, 1, 3)
            row += 2
        grid.addWidget(self.isotropic, row, 1)
        parts = QGridLayout()
        parts.setSpacing(4)
        parts.addWidget(self.in_view, 0, 0)
        parts.addWidget(self.all, 0, 1)
        grid.addLayout(parts, row, column, 1, 3 - column)
        for title, key, widget in (
            (f"Times ({self._fit.tick})", "times", self.times),
            ("Channel", "channel", self.channel),
        ):
            row += 2
            if key not in self.faults:
                widget.hide()
                continue
            grid.addWidget(QLabel(title), row, 0, 1, 2)
            grid.addWidget(widget, row, 2)
            grid.addWidget(self.faults[key], row + 1, 0, 1, 3)
        for below, widget in enumerate((self.faults[""], self.summary, self.advice), row + 2):
            grid.addWidget(widget, below, 0, 1, 3)
        grid.setRowStretch(row + 5, 1)
        for widget in (self.mode, self.isotropic):
            widget.setVisible(bool(self.steps))
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(scroll_area(inner), 0, 0, 1, 2)
        layout.addWidget(self.render_button, 1, 0)
        layout.addWidget(self.close_button, 1, 1)
        height = inner.sizeHint().height() + 80  # lines of text that appear
        self.resize(WIDTH, min(height, int(self.screen().availableGeometry().height() * 0.8)))

    def _fill(self) -> None:
        for axis, box in self.steps.items():
            box.setText(self._fit.usual(axis, is_step=False))

    def _connect(self) -> None:
        for box in (*self.steps.values(), *self.ranges.values(), self.times):
            box.textEdited.connect(self.refresh)
        self.mode.activated.connect(self._on_mode)
        self.channel.activated.connect(self.refresh)
        self.isotropic.clicked.connect(self.make_isotropic)
        self.in_view.clicked.connect(self.take_view)
        self.all.clicked.connect(self.take_whole)
        self.render_button.clicked.connect(self.render_it)
        self.close_button.clicked.connect(self.close)
        for button in (self.isotropic, self.in_view, self.all, self.close_button):
            button.setAutoDefault(False)  # the key Enter renders
        self.render_button.setDefault(True)
        self._dispatcher.controller.layers_changed.connect(self._on_layers)


def _bytes(n_bytes: float) -> str:
    """Return an amount of memory in MB or GB."""
    return f"{n_bytes / 1e9:.2g} GB" if n_bytes > 1e9 else f"{max(n_bytes / 1e6, 0.1):.3g} MB"
