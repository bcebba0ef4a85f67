"""The way of a new user with mouse events, counted, and pictures of it for the guide.

xvfb-run -a -s "-screen 0 1280x800x24" python benchmarks/new_user.py FOLDER
QT_SCALE_FACTOR=1.5 xvfb-run -a -s "-screen 0 1920x1200x24" python benchmarks/new_user.py FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gui_common

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget


class User:
    """Someone with a mouse, who counts."""

    def __init__(self, folder: Path, theme: str, size: tuple[int, int]) -> None:
        import napari

        self.folder = folder
        self.clicks = 0
        self.viewer = napari.Viewer(show=True)
        self.viewer.theme = theme
        self.window = self.viewer.window._qt_window
        self.window.resize(*size)
        self.window.move(0, 0)
        gui_common.spin(1)

    def click(self, widget: QWidget, place: Any = None) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.clicks += 1
        place = place or widget.rect().center()
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        gui_common.spin(0.4)

    def open_dock(self, name: str, kind: type) -> Any:
        """Click Plugins, CellINR restoration, and the name of the dock."""
        bar = self.window.menuBar()
        plugins = self._action(bar, "Plugins")
        self.click(bar, bar.actionGeometry(plugins).center())
        menu = plugins.menu()
        ours = self._action(menu, "CellINR")
        self.click(menu, menu.actionGeometry(ours).center())
        item = self._action(ours.menu(), name)
        self.click(ours.menu(), ours.menu().actionGeometry(item).center())
        gui_common.spin(1)
        return self.window.findChild(kind)

    def _action(self, menu: Any, text: str) -> Any:
        return next(one for one in menu.actions() if text in one.text().replace("&", ""))

    def drop(self, dock: Any, path: Path) -> None:
        from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
        from qtpy.QtGui import QDropEvent

        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        dock.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, *keys))
        gui_common.spin(1)

    def shoot(self, name: str) -> None:
        gui_common.spin(1)
        self.window.grab()  # paints what is new
        picture = self.viewer.screenshot(canvas_only=False, flash=False)
        from skimage.io import imsave

        imsave(self.folder / f"{name}.png", picture, check_contrast=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 800), help="of the window")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    user = User(given.folder, given.theme, tuple(given.size))

    from napari_cellinr import write
    from napari_cellinr.simulate.embryo import embryo
    from napari_cellinr.ui.docks.batch import BatchDock
    from napari_cellinr.ui.docks.compare import CompareDock
    from napari_cellinr.ui.docks.denoise import DenoiseDock
    from napari_cellinr.ui.docks.script import ScriptDock

    dock = user.open_dock("Denoise", DenoiseDock)
    busy = lambda: not dock.dispatcher.is_busy  # noqa: E731
    user.shoot("start")
    user.click(dock.welcome.button)
    gui_common.wait_for(busy, 300)
    print(f"{user.clicks} clicks from an empty viewer to a denoised sample")
    user.shoot("tried")
    user.viewer.layers.clear()
    user.clicks = 0
    sample = embryo("membranes", (24, 96, 96), seed=2)
    user.drop(dock, write(given.folder / "embryo.tif", sample.raw))
    user.shoot("dropped")
    user.click(dock.panel.run_button)
    gui_common.spin(4)
    user.shoot("running")
    gui_common.wait_for(busy, 300)
    print(f"{user.clicks} clicks from a dropped file to its result")
    gui_common.spin(9)  # until napari has folded its notification away
    user.shoot("finished")
    compare = user.open_dock("Compare", CompareDock)
    user.click(compare.compare_button)
    gui_common.wait_for(busy, 300)
    user.click(compare.line_button)
    user.shoot("compare")
    user.open_dock("Script", ScriptDock)
    user.shoot("script")
    user.open_dock("Batch", BatchDock)
    user.shoot("batch")
    user.viewer.close()


if __name__ == "__main__":
    main()
