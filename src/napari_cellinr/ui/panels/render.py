"""The form that renders a fit again: scale or voxel size, times, part and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import psutil
from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QWidget,
)

from napari_cellinr.errors import CellINRError
from napari_cellinr.methods import Cost
from napari_cellinr.runs.estimates import shortage
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.live import shown_ranges
from napari_cellinr.ui.panels.render_entries import Asked, Entries, Fit
from napari_cellinr.ui.panels.scale import isotropic_factors, sizes_text
from napari_cellinr.ui.panels.voxel_steps import steps_text
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.layers.provenance import Origin
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["RenderForm"]

WIDTH: Final = 300

_FACTOR, _STEP = "× factor", "voxel size"


class RenderForm(QDialog):
    """A window beside the viewer; it stays open, so that several renderings can be made.

    Parameters
    ----------
    dispatcher
        Does it, and records it.
    layer
        The layer whose fit is rendered.
    origin
        That fit.
    parent
        Gives the style.

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
        self._fit = fit = Fit(origin.facts())
        self._asked = Asked()
        self.title = wrapping_label(f"The fit of “{layer.name}”, otherwise as it was:")
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
        """Return what is entered."""
        return Entries(
            is_step=self.mode.currentText() == _STEP,
            steps={axis: box.text() for axis, box in self.steps.items()},
            ranges={axis: box.text() for axis, box in self.ranges.items()},
            times=self.times.text(),
            channel=self.channel.currentIndex() - 1,
        )

    @Slot()
    def refresh(self) -> None:
        """Show what would come out, or what is wrong beside its field."""
        self._asked = asked = self._fit.asked(self.entries())
        for key, label in self.faults.items():
            label.setText(asked.faults.get(key, ""))
            label.setVisible(key in asked.faults)
        lines, advice = [], ""
        if asked.image is not None:
            lines = [sizes_text(self._fit.result, asked.image), steps_text(asked.image)]
            lines.append(f"{_bytes(asked.memory)} of memory")
            advice = shortage(Cost(0.0, asked.memory), psutil.virtual_memory().available)
        self.summary.setText("\n".join(lines))
        self.advice.setText(f"{advice[:1].upper()}{advice[1:]}")
        self.advice.setVisible(bool(advice))
        self.render_button.setEnabled(bool(asked.query))
        self.render_button.setToolTip(
            "Add a layer with it beside this one." if asked.query else "Nothing is asked for yet."
        )

    @Slot()
    def render_it(self) -> None:
        """Render what is asked for, now or when it is its turn."""
        layer = find(self._dispatcher.viewer, self._layer_id)
        if layer is None or not self._asked.query:
            return
        try:
            self._dispatcher.render(layer, self._asked.query)
        except CellINRError as error:
            self.faults[""].setText(str(error))
            self.faults[""].show()

    @Slot()
    def make_isotropic(self) -> None:
        """Enter what gives all spatial axes the finest step."""
        for axis, factor in isotropic_factors(self._fit.whole).items():
            self.steps[axis].setText(self._text(axis, factor))
        self.refresh()

    @Slot()
    def take_view(self) -> None:
        """Enter the part that the canvas shows, along the axes that it shows."""
        source, given = self._origin.source, self._origin.given
        if find(self._dispatcher.viewer, source.unique_id) is None:
            self.faults[""].setText("The layer that the fit lies on is gone; enter the ranges.")
            self.faults[""].show()
            return
        shown = shown_ranges(self._dispatcher.viewer, source, given)
        for axis, part in self._fit.on_whole(given, shown).items():
            self.ranges[axis].setText(f"{part.start}:{part.stop}")
        self.refresh()

    @Slot()
    def take_whole(self) -> None:
        """Ask for all of it again."""
        for box in self.ranges.values():
            box.clear()
        self.refresh()

    @Slot()
    def _on_layers(self) -> None:
        if find(self._dispatcher.viewer, self._layer_id) is None:
            self.close()

    @Slot()
    def _on_mode(self) -> None:
        """Show the same as factors, or as sizes of voxels."""
        for axis, box in self.steps.items():
            box.setText(self._fit.converted(axis, box.text()))
        self.refresh()

    def _text(self, axis: str, factor: float) -> str:
        is_step = self.mode.currentText() == _STEP
        return self._fit.text(axis, factor, is_step=is_step)

    def _explain(self) -> None:
        fit = self._fit
        self.mode.setToolTip("Samples for each one of the source, or the size of a voxel.")
        self.mode.setAccessibleName("Scale by")
        for axis, box in self.steps.items():
            box.setToolTip(f"Along {axis}: at most 16 times as fine as the source.")
            box.setAccessibleName(f"Scale along {axis}")
        for axis, box in self.ranges.items():
            size = fit.whole.sizes[axis]
            box.setPlaceholderText(f"0:{size}")
            box.setToolTip(f"First element along {axis} and end, counted from 0; all if empty.")
            box.setAccessibleName(f"Range along {axis}")
        self.times.setPlaceholderText("as in the fit")
        self.times.setToolTip(f"{fit.times_tip} 0,2.5,5 or first:last:step, from the first frame.")
        self.times.setAccessibleName("Times")
        self.channel.setAccessibleName("Channel")
        self.channel.setToolTip("The channel of the source.")
        known = fit.whole.is_calibrated
        self.isotropic.setEnabled(known)
        self.isotropic.setToolTip(
            "Give Z, Y and X the finest step of them." if known else "The voxel size is not known."
        )
        self.in_view.setToolTip("The part that the canvas shows, along the axes that it shows.")
        self.all.setToolTip("All of it, along every axis.")
        self.close_button.setToolTip("Close this form; layers stay.")

    def _lay_out(self) -> None:
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, 4, 0)
        grid.setSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self.title, 0, 0, 1, 3)
        grid.addWidget(self.mode, 1, 1)
        grid.addWidget(QLabel("from:to"), 1, 2 if self.steps else 1)
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
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        layout = QGridLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(scroll, 0, 0, 1, 2)
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
    """Return a size of memory in the unit that suits it."""
    return f"{n_bytes / 1e9:.2g} GB" if n_bytes > 1e9 else f"{max(n_bytes / 1e6, 0.1):.3g} MB"
