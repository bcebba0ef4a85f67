"""Lists of layers to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QPaintEvent

__all__ = ["NameBox", "list_layers"]


class NameBox(QComboBox):
    """A list of names that cuts a long one in its middle: channels differ at the end."""

    def shown_name(self) -> str:
        """Return the selected name as far as there is room for it."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        control = QStyle.ComplexControl.CC_ComboBox
        part = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(control, option, part, self).width() - 4
        middle = Qt.TextElideMode.ElideMiddle
        return str(self.fontMetrics().elidedText(self.currentText(), middle, room))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the box with the shortened name."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_name()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def list_layers(box: QComboBox, viewer: napari.Viewer, kind: str, first: str = "") -> None:
    """List the layers of one kind; the selected one stays selected while it exists.

    Parameters
    ----------
    box
        The list; each entry has the `unique_id` of its layer as data.
    viewer
        The viewer.
    kind
        Name of the class of the layers, such as `Points`.
    first
        First entry, without a layer; none if empty.
    """
    chosen = box.currentData()
    box.clear()
    if first:
        box.addItem(first, None)
    for layer in viewer.layers:
        if type(layer).__name__ == kind:
            box.addItem(str(layer.name), layer.unique_id)
    # Not findData: the two Qt bindings compare Python objects differently.
    rows = [row for row in range(box.count()) if box.itemData(row) == chosen]
    box.setCurrentIndex(rows[0] if rows and chosen is not None else 0)
