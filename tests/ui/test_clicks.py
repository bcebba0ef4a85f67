"""How many clicks a new user needs, with a mouse, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest

from napari_cellinr import Image, write
from napari_cellinr.ui.docks.denoise import DenoiseDock

pytestmark = pytest.mark.gui

MOST_TO_SAMPLE = 4
MOST_FROM_FILE = 3


class User:
    """Someone with a mouse, who counts."""

    def __init__(self, viewer, qtbot):
        self.viewer, self.qtbot, self.clicks = viewer, qtbot, 0
        self.window = viewer.window._qt_window

    def click(self, widget, place=None):
        self.clicks += 1
        self.qtbot.waitUntil(widget.isVisible)
        place = place or widget.rect().center()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        self.qtbot.wait(50)

    def choose(self, *path):
        """Click through a menu, and return nothing."""
        menu = self.window.menuBar()
        for text in path:
            action = next(one for one in menu.actions() if text in one.text().replace("&", ""))
            self.click(menu, menu.actionGeometry(action).center())
            menu = action.menu()

    def drop(self, dock, path):
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        dock.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, *keys))


def open_dock(user):
    user.choose("Plugins", "CellINR", "Denoise")
    user.qtbot.waitUntil(lambda: user.window.findChild(DenoiseDock) is not None)
    return user.window.findChild(DenoiseDock)


def names(user):
    return [layer.name for layer in user.viewer.layers]


def test_from_an_empty_viewer_to_a_denoised_sample(make_napari_viewer, qtbot, use_job, idle):
    user = User(make_napari_viewer(show=True), qtbot)
    use_job()
    dock = open_dock(user)
    user.click(dock.welcome.button)
    idle(dock)
    assert "preview · embryo membranes raw" in names(user)
    assert user.clicks <= MOST_TO_SAMPLE


@pytest.mark.parametrize("is_calibrated", [True, False])
def test_from_a_dropped_file_to_its_result(
    make_napari_viewer, qtbot, use_job, idle, tmp_path, is_calibrated
):
    user = User(make_napari_viewer(show=True), qtbot)
    use_job()
    dock = open_dock(user)
    user.clicks = 0
    units = ("micrometer" if is_calibrated else "pixel",) * 3
    stack = np.random.default_rng(0).random((4, 16, 16), np.float32)
    user.drop(dock, write(tmp_path / "stack.tif", Image(stack, "ZYX", (1, 0.5, 0.5), units)))
    user.click(dock.panel.run_button)
    idle(dock)
    assert "denoised · stack" in names(user)
    assert user.clicks <= MOST_FROM_FILE
