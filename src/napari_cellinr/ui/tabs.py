"""Docks of this plugin share one place as tabs: below each other they are too small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

__all__ = ["TabbedDock"]


class TabbedDock(QWidget):
    """A widget that becomes a tab beside the docks of this plugin that are open already.

    It does so once, when it is shown for the first time: where the user puts it then is left
    alone.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._joined = False
        self._size = self.size()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Look for the other docks once this one has its place."""
        super().showEvent(event)
        if not self._joined:
            self._joined = True
            self._size = self.window().size()
            QTimer.singleShot(0, self._join)

    def _join(self) -> None:
        own, window = _dock_of(self), self.window()
        if own is None or not isinstance(window, QMainWindow):
            return
        if window.tabifiedDockWidgets(own):  # another one was quicker
            return
        for other in window.findChildren(TabbedDock):
            dock = _dock_of(other)
            if dock is None or dock is own or dock.isFloating() or not dock.isVisible():
                continue
            if window.dockWidgetArea(dock) == window.dockWidgetArea(own):
                window.tabifyDockWidget(dock, own)
                own.raise_()
                # Below the others, this dock may have made the window larger than the screen.
                QTimer.singleShot(0, self._restore)
                return

    def _restore(self) -> None:
        """Give the window the size that it had before this dock."""
        window = self.window()
        if isinstance(window, QMainWindow) and not window.isMaximized():
            window.resize(self._size)


def _dock_of(widget: Any) -> QDockWidget | None:
    """Return the dock that a widget is in, if it is in one."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
