"""Buttons in two columns, or in one where two would cut their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QGridLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

__all__ = ["Columns"]

SPACING: Final = 4


class Columns(QWidget):
    """Widgets side by side in pairs; below each other if the width is not enough for a pair.

    Widgets that are hidden take no place.

    Parameters
    ----------
    widgets
        The widgets, from left to right and from top to bottom.

    Attributes
    ----------
    widgets : list of QWidget
        All of them, also those that are hidden.
    """

    def __init__(self, widgets: Sequence[QWidget] = ()) -> None:
        super().__init__()
        self.widgets: list[QWidget] = []
        self._columns = 2
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACING)
        for widget in widgets:
            self.add(widget)

    def add(self, widget: QWidget) -> None:
        """Add a widget after the others."""
        self.widgets.append(widget)
        self._arrange(self._columns)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the width of one column, and the height of the present arrangement."""
        width = max((_width(one) for one in self._shown()), default=0)
        return QSize(width, self._grid.minimumSize().height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Choose the number of columns that fits the width."""
        super().resizeEvent(event)
        self._adapt()

    def event(self, event: QEvent) -> bool:
        """Arrange again what is shown, or needs another width."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._adapt()
        return bool(done)

    def _shown(self) -> list[QWidget]:
        return [one for one in self.widgets if not _is_hidden(one)]

    def _adapt(self) -> None:
        widths = [_width(one) for one in self._shown()]
        pair = sum(max(widths[place::2], default=0) for place in (0, 1)) + SPACING
        columns = 2 if self.width() >= pair else 1
        placed = [self._grid.itemAt(place).widget() for place in range(self._grid.count())]
        if columns != self._columns or placed != self._shown():
            self._arrange(columns)

    def _arrange(self, columns: int) -> None:
        self._columns = columns
        while self._grid.count():
            self._grid.takeAt(0)
        for place, widget in enumerate(self._shown()):
            self._grid.addWidget(widget, *divmod(place, columns))
        for column in (0, 1):
            self._grid.setColumnStretch(column, int(column < columns))
        self.updateGeometry()


def _is_hidden(widget: QWidget) -> bool:
    """Return whether somebody has hidden a widget: new ones are not shown yet, either."""
    said = widget.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
    return bool(said and widget.isHidden())


def _width(widget: QWidget) -> int:
    """Return the width that a widget needs to show its text: the one that was set, if any."""
    return int(widget.minimumWidth() or widget.minimumSizeHint().width())
