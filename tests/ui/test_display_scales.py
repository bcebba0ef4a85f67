"""On displays of 100, 150 and 200 %, docks of 300 pixels show their settings whole."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.gui

PROGRAM = """
import sys
import numpy as np
import napari
from qtpy.QtWidgets import QApplication, QLabel, QPushButton
from napari_cellinr.ui.session.job.devices import DeviceList

DeviceList.load = lambda self: None  # which starts a process that imports torch
viewer = napari.Viewer(show=True)
viewer.add_image(np.random.default_rng(0).random((3, 4, 20, 20)), axis_labels=tuple("tzyx"))
for name in ("Denoise", "Super-resolve", "Reconstruct motion", "Compare", "Batch", "Script"):
    frame, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    frame.setFixedWidth(300)
    for _ in range(20):
        QApplication.processEvents()
    frame.raise_()
    for _ in range(20):
        QApplication.processEvents()
    assert dock.devicePixelRatioF() == float(sys.argv[1]), dock.devicePixelRatioF()
    assert dock.width() <= 300
    assert dock.minimumSizeHint().height() <= 400, name
    shown = dock.findChildren(QPushButton)
    if hasattr(dock, "form"):
        shown += dock.form._plain.findChildren(QLabel)
    for one in shown:
        if one.isVisible() and one.text():
            text = f"{name}: {one.text()}: {one.width()} of {one.minimumSizeHint().width()}"
            assert one.width() >= one.minimumSizeHint().width(), text
viewer.close()
"""


@pytest.mark.parametrize("factor", ["1", "1.5", "2"])
def test_settings_and_buttons_are_not_cut(factor):
    environment = {**os.environ, "QT_SCALE_FACTOR": factor}
    command = [sys.executable, "-c", PROGRAM, factor]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
