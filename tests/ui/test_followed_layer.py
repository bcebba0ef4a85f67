"""A dock processes the layer that the user works with, and says why if there is none."""

import numpy as np
import pytest

from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.docks.superresolve import SuperresolveDock

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer):
    made = DenoiseDock(viewer)
    viewer.window.add_dock_widget(made, name="Denoise")
    return made


def chosen(dock):
    return dock.source.combo.currentText()


def activate(viewer, name):
    viewer.layers.selection.active = viewer.layers[name]


def test_of_a_sample_the_raw_image_is_chosen(viewer, dock, qtbot):
    raw = viewer.open_sample("napari-cellinr", "embryo-nuclei")[-1]
    qtbot.waitUntil(lambda: chosen(dock) == raw.name)
    assert "truth" not in raw.name


def test_the_active_layer_is_followed_until_one_is_chosen_by_hand(viewer, dock, stack, qtbot):
    for name in ("a", "b", "c"):
        viewer.add_image(stack, name=name, axis_labels=("z", "y", "x"))
    qtbot.waitUntil(lambda: chosen(dock) == "c")
    activate(viewer, "a")
    qtbot.waitUntil(lambda: chosen(dock) == "a")
    viewer.add_points(np.zeros((1, 3)), name="points")
    qtbot.wait(20)
    assert chosen(dock) == "a"  # points cannot be processed
    dock.source.combo.setCurrentIndex(dock.source.combo.findText("b"))
    dock.source.combo.activated.emit(dock.source.combo.currentIndex())
    activate(viewer, "c")
    qtbot.wait(20)
    assert chosen(dock) == "b"
    viewer.layers.remove("b")  # then the choice ends
    activate(viewer, "a")
    qtbot.waitUntil(lambda: chosen(dock) == "a")


def test_results_are_followed_by_the_docks_of_other_methods_only(
    viewer, dock, stack, use_job, idle, qtbot
):
    finer = SuperresolveDock(viewer)
    viewer.window.add_dock_widget(finer, name="Super-resolve")
    use_job()
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    qtbot.waitUntil(lambda: chosen(dock) == chosen(finer) == "a")
    dock.run()
    idle(dock)
    qtbot.wait(20)
    assert chosen(dock) == chosen(finer) == "a"
    activate(viewer, "denoised · a")
    qtbot.waitUntil(lambda: chosen(finer) == "denoised · a")
    assert chosen(dock) == "a"


def test_a_dock_says_why_no_layer_can_be_processed(viewer, dock, stack):
    assert dock.welcome.label.text() == dock.task.empty_text
    viewer.add_points(np.zeros((1, 2)), name="seeds")
    assert "“seeds” (Points)" in dock.welcome.label.text()
    viewer.add_labels(np.ones((8, 8), int), name="cells")
    assert "“cells” (Labels)" in dock.welcome.label.text()
    viewer.add_image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="slide")
    assert "“slide” is a colour image; a greyscale image is needed" in dock.welcome.label.text()
    assert not dock.welcome.isHidden()
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    assert dock.welcome.isHidden()
