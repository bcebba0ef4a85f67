"""Docks that become tabs of each other, with short titles, and fit small screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Slot
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QLabel,
    QMainWindow,
    QTabBar,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

__all__ = ["MINIMUM_WIDTH", "TabbedDock"]

MINIMUM_WIDTH = 250
"""Width of a dock in pixels: with napari's own docks, it fits a window of 850 pixels."""


class TabbedDock(QWidget):
    """A widget that becomes a tab beside the open docks of this plugin.

    It does so once, when it is first shown: later moves by the user are kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self._joined = False
        # Until it becomes a tab, the dock below the others may enlarge a small window.
        windows = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow)]
        self._sizes = {id(one): one.size() for one in windows}
        self._titles = QTimer(self)  # a part of the dock, so that it goes with it
        self._titles.setSingleShot(True)
        self._titles.setInterval(0)
        self._titles.timeout.connect(self._shorten_titles)
        self._restoring = QTimer(self)
        self._restoring.setSingleShot(True)
        self._restoring.setInterval(80)  # until the window has laid out its tabs
        self._restoring.timeout.connect(self._restore)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Look for the other docks once this one is in the window."""
        super().showEvent(event)
        if not self._joined:
            self._joined = True
            QTimer.singleShot(0, self._join)
            self._titles.start()
            if (own := _dock_of(self)) is not None:
                own.topLevelChanged.connect(self._on_floated)

    @Slot()
    def _on_floated(self) -> None:
        self._titles.start()

    @Slot()
    def _shorten_titles(self) -> None:
        """Remove the name of the plugin from the titles, which are too narrow for it.

        napari replaces the title bar whenever a dock floats or is docked.
        """
        own = _dock_of(self)
        if own is None:
            return
        name = str(getattr(own, "name", own.windowTitle()))
        short = name.partition(" (")[0]
        own.setWindowTitle(short)
        bar = own.titleBarWidget()
        for label in [] if bar is None else bar.findChildren(QLabel):
            if label.text() in {name, short}:
                label.setText(short)
                label.setToolTip(name)
        ours = {
            dock.windowTitle()
            for one in self.window().findChildren(TabbedDock)
            if (dock := _dock_of(one)) is not None
        }
        for tabs in self.window().findChildren(QTabBar):
            texts = [tabs.tabText(place) for place in range(tabs.count())]
            for place, text in enumerate(texts):
                tabs.setTabToolTip(place, text)
            if ours.intersection(texts):  # whole names and arrows, instead of De… and Recon…
                tabs.setElideMode(Qt.TextElideMode.ElideNone)
                tabs.setUsesScrollButtons(True)

    def _join(self) -> None:
        own, window = _dock_of(self), self.window()
        if own is None or not isinstance(window, QMainWindow):
            return
        if window.tabifiedDockWidgets(own):  # done already by another dock
            return
        for other in window.findChildren(TabbedDock):
            dock = _dock_of(other)
            if dock is None or dock is own or dock.isFloating() or not dock.isVisible():
                continue
            if window.dockWidgetArea(dock) == window.dockWidgetArea(own):
                window.tabifyDockWidget(dock, own)
                own.raise_()
                self._shorten_titles()
                self._restoring.start()
                return

    @Slot()
    def keep_on_screen(self) -> None:
        """Shrink the window if new content made it larger than the screen."""
        self._sizes.clear()
        self._restoring.start()

    def _restore(self) -> None:
        """Restore the size of the window before this dock opened, within the screen."""
        window = self.window()
        if isinstance(window, QMainWindow) and not (window.isMaximized() or window.isFullScreen()):
            size = self._sizes.get(id(window), window.size())
            window.resize(size.boundedTo(window.screen().availableGeometry().size()))
        self._sizes.clear()


def _dock_of(widget: Any) -> QDockWidget | None:
    """Return the dock that a widget is in, if it is in one."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
