"""The buttons for before and after: swipe line, side by side, and the place of the line."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QGridLayout, QPushButton, QSlider, QWidget

from napari_cellinr.ui.compare.before_after import HOLD_KEY, SIDE_KEY, SWIPE_KEY
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellinr.ui.compare.before_after import BeforeAfter, Chosen

__all__ = ["BeforeAfterControls"]

STEPS = 1000
"""Places of the slider."""


class BeforeAfterControls(QWidget):
    """Two buttons that stay pressed, and a slider that moves the line.

    Parameters
    ----------
    before_after
        The comparison of the viewer.
    choose
        Returns the two layers to compare.
    """

    def __init__(self, before_after: BeforeAfter, choose: Callable[[], Chosen | None]) -> None:
        super().__init__()
        self._view, self._choose = before_after, choose
        self.swipe_button = _pressed(
            "Swipe line",
            "Show the source on the left of a line and the result on its right; drag the line. "
            f"Key in the canvas: {SWIPE_KEY}.",
        )
        self.side_button = _pressed(
            "Side by side",
            "Show source and result in two views that move and zoom together. Key in the canvas: "
            f"{SIDE_KEY}.",
        )
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setAccessibleName("Place of the swipe line")
        self.slider.setToolTip("Place of the swipe line.")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.swipe_button, 0, 0)
        grid.addWidget(self.side_button, 0, 1)
        grid.addWidget(self.slider, 1, 0, 1, 2)
        self.hint = wrapping_label()
        grid.addWidget(self.hint, 2, 0, 1, 2)
        self.swipe_button.clicked.connect(self._on_swipe)
        self.side_button.clicked.connect(self._on_side)
        self.slider.valueChanged.connect(self._on_slider)
        before_after.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the present mode and the place of the line."""
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            self.swipe_button.setChecked(self._view.mode == "swipe")
            self.side_button.setChecked(self._view.mode == "side by side")
            self.slider.setEnabled(self._view.mode == "swipe")
            self.slider.blockSignals(True)
            self.slider.setValue(round(STEPS * self._view.fraction))
            self.slider.blockSignals(False)
            hint = f"Hold {HOLD_KEY} in the canvas to see the source."
            self.hint.setText(self._view.caption or hint)

    @Slot()
    def _on_swipe(self) -> None:
        self._view.toggle("swipe", self._choose())
        self.refresh()

    @Slot()
    def _on_side(self) -> None:
        self._view.toggle("side by side", self._choose())
        self.refresh()

    @Slot(int)
    def _on_slider(self, value: int) -> None:
        self._view.move(value / STEPS)


def _pressed(text: str, tip: str) -> QPushButton:
    """Return a button that stays pressed."""
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button
