"""Docks of this plugin share one place as tabs, with short titles, and fit small screens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer, Slot
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QLabel,
    QMainWindow,
    QPushButton,
    QTabBar,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

__all__ = ["MINIMUM_WIDTH", "TabbedDock", "guide_button"]

MINIMUM_WIDTH = 250
"""Pixels: beside napari's own docks, this fits a window of 850."""


class TabbedDock(QWidget):
    """A widget that becomes a tab beside the docks of this plugin that are open already.

    It does so once, when it is shown for the first time: where the user puts it then is left
    alone.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._joined = False
        # Below the others, the dock makes a small window larger until it has become a tab.
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
        """Look for the other docks once this one has its place."""
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
        """Leave the name of the plugin out of titles, which are too narrow for it.

        napari makes the bar of a dock anew whenever it floats or is docked.
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
        if window.tabifiedDockWidgets(own):  # another one was quicker
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
        """Make the window smaller again if what has appeared made it larger than the screen."""
        self._sizes.clear()
        self._restoring.start()

    def _restore(self) -> None:
        """Give the window the size that it had before this dock, within the screen."""
        window = self.window()
        if isinstance(window, QMainWindow) and not (window.isMaximized() or window.isFullScreen()):
            size = self._sizes.get(id(window), window.size())
            window.resize(size.boundedTo(window.screen().availableGeometry().size()))
        self._sizes.clear()


def guide_button(name: str) -> QPushButton:
    """Return a button that opens a page of the guide in a window of its own."""
    button = QPushButton("?")
    button.setToolTip("What this does: the guide.")
    button.setAccessibleName("Guide")
    button.setFixedWidth(28)

    def show() -> None:
        from napari_cellinr.ui.widgets.guide import GuideWindow

        GuideWindow(name, button.parentWidget()).show()

    button.clicked.connect(show)
    return button


def _dock_of(widget: Any) -> QDockWidget | None:
    """Return the dock that a widget is in, if it is in one."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
