"""The picture of the guide: a real NIfTI, dropped onto the canvas of napari.

xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/files/picture.py FILE.nii.gz OUT.png
"""

import argparse
import time
from pathlib import Path

import napari
from napari.settings import get_settings
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QApplication
from skimage.io import imsave


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    # What the chooser of napari remembers when "remember this choice" is ticked.
    get_settings().plugins.extension2reader = {"*.nii.gz": "napari-cellinr"}
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1400, 900)
    spin(1)
    drop(viewer, given.file)
    spin(2)
    (layer,) = viewer.layers
    print(layer.name, layer.data.shape, layer.axis_labels, layer.scale, layer.units)
    canvas = getattr(viewer, "canvas", None)  # where napari 0.9 has the scale bar
    bar = viewer.scale_bar if canvas is None else canvas.overlays.scale_bar
    bar.visible = True
    bar.font_size = 16
    viewer.dims.set_current_step((0, 1), (4, layer.data.shape[1] // 2))
    viewer.reset_view()
    spin(3)
    picture = viewer.screenshot(canvas_only=False, flash=False)
    imsave(given.output, picture[..., :3], check_contrast=False)
    viewer.close()


def drop(viewer: napari.Viewer, path: Path) -> None:
    """Let a file fall onto the canvas."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path.resolve()))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(200, 200), Qt.DropAction.CopyAction, data, buttons, keys)
    viewer.window._qt_viewer.dropEvent(event)


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
