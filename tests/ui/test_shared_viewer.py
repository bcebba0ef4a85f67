"""What a test leaves in the viewer that tests share is found; what is put back is not."""

import numpy as np
import pytest
import shared_viewer
from qtpy.QtWidgets import QWidget
from shared_viewer import SharedViewer

from napari_cellinr.ui.docks.denoise import DenoiseDock

pytestmark = pytest.mark.gui


@pytest.fixture
def shared(_no_shared_viewer, qapp, monkeypatch):
    monkeypatch.setattr(shared_viewer, "SECONDS_TO_GO", 0)
    shared = SharedViewer()
    yield shared
    shared.close()


def found_after(shared, leave):
    """Return what is found after a test that calls a function with the viewer."""
    held = leave(shared.viewer())
    shared.put_back()
    found = shared.differences()
    del held
    return found


def use(viewer):
    """Change what a test may change."""
    viewer.add_image(np.ones((3, 8, 8)), name="cells")
    viewer.theme = "light"
    viewer.dims.ndisplay = 3
    viewer.layers.events.inserted.connect(lambda event: None)
    viewer.window.add_dock_widget(DenoiseDock(viewer), name="Denoise")
    viewer.window._qt_window.resize(900, 700)


def keep_a_dock(viewer):
    return DenoiseDock(viewer)


def leave_a_widget(viewer):
    QWidget(viewer.window._qt_window)


def show(viewer):
    viewer.window._qt_window.show()


def test_what_is_put_back_is_no_difference(shared):
    assert found_after(shared, use) == []
    before = shared.viewer()
    assert found_after(shared, use) == []
    assert shared.viewer() is before


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        (keep_a_dock, "a Controller is still there"),
        (leave_a_widget, "widgets QWidget"),
        (show, "the window is shown"),
    ],
)
def test_what_is_left_is_named_and_the_viewer_replaced(shared, leave, said):
    before = shared.viewer()
    assert said in "; ".join(found_after(shared, leave))
    assert shared.viewer() is not before
    assert found_after(shared, use) == []
