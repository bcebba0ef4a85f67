"""Keys and a mouse that a window really gets: before and after, questions, a run by keyboard."""

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QMessageBox

from napari_cellinr.ui.compare.swipe import LEFT, LINE
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.layers import numbered
from napari_cellinr.ui.widgets.prompt import parent_window

pytestmark = pytest.mark.gui

LABELS = ("z", "y", "x")


@pytest.fixture
def shown(make_napari_viewer, qtbot, stack):
    """Return a viewer on the screen, with an image, and its dock Denoise."""
    viewer = make_napari_viewer(show=True)
    viewer.add_image(stack, name="membrane", axis_labels=LABELS)
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    qtbot.waitUntil(dock.isVisible)
    return viewer, dock


@pytest.fixture
def canvas(shown, use_job, idle, qtbot):
    """Return the canvas of a viewer with a result, as the widget that gets the events."""
    viewer, dock = shown
    job = use_job()
    plain = job.fitted
    job.fitted = lambda *given: replace(plain(*given), state={"w": np.zeros(1)})
    dock.run()
    idle(dock)
    native = viewer.window._qt_viewer.canvas.native
    native.setFocus()
    qtbot.wait(100)
    return native


def visible(viewer):
    return {one.name for one in viewer.layers if one.visible}


def test_keys_of_the_canvas_show_source_and_result(shown, canvas):
    viewer, dock = shown
    both = {"membrane", "denoised · membrane"}
    assert visible(viewer) == both
    QTest.keyClick(canvas, Qt.Key.Key_W)
    assert visible(viewer) >= {LEFT, LINE}
    QTest.keyClick(canvas, Qt.Key.Key_W)
    assert visible(viewer) == both
    QTest.keyClick(canvas, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert dock.dispatcher.before_after.mode == "side by side"
    QTest.keyClick(canvas, Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    assert dock.dispatcher.before_after.mode == ""
    QTest.keyPress(canvas, Qt.Key.Key_Q)
    assert visible(viewer) == {"membrane"}
    QTest.keyRelease(canvas, Qt.Key.Key_Q)
    assert visible(viewer) == both


def on_canvas(viewer, canvas, column):
    """Return where a column of the image is on the canvas, at its middle row."""
    camera = getattr(viewer, "scene", viewer).camera  # of the viewer itself before napari 0.9
    away = (column - camera.center[-1]) * camera.zoom / canvas.devicePixelRatioF()
    return QPoint(round(canvas.width() / 2 + away), round(canvas.height() / 2))


def test_the_mouse_drags_the_swipe_line(shown, canvas, qtbot):
    viewer, _ = shown
    QTest.keyClick(canvas, Qt.Key.Key_W)
    left, centre = viewer.layers[LEFT], getattr(viewer, "scene", viewer).camera.center
    assert left.data.shape[-1] == 24
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    places = [on_canvas(viewer, canvas, column) for column in (23.5, 30, 35.5)]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, button, keys, places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
        qtbot.wait(20)
    QTest.mouseRelease(canvas, button, keys, places[-1])
    qtbot.waitUntil(lambda: left.data.shape[-1] != 24)
    assert abs(left.data.shape[-1] - 36) <= 1
    assert getattr(viewer, "scene", viewer).camera.center == centre  # the view stays


def press_in_question(key, seen):
    """Press a key in the question that is open, as soon as there is one."""
    box = QApplication.activeModalWidget()
    if not isinstance(box, QMessageBox):
        QTimer.singleShot(20, lambda: press_in_question(key, seen))
        return
    seen.append(box.parentWidget())
    QTest.keyClick(box, key)


@pytest.mark.parametrize("key", [Qt.Key.Key_Escape, Qt.Key.Key_Return])
def test_only_escape_cancels_the_question_about_numbered_files(shown, tmp_path, key):
    _, dock = shown
    paths = [tmp_path / f"t{number}.tif" for number in (1, 2)]
    seen = []
    QTimer.singleShot(0, lambda: press_in_question(key, seen))
    if key == Qt.Key.Key_Escape:
        with pytest.raises(numbered.OpeningCancelledError, match="none of the 2 files"):
            numbered.ask(paths)
    else:
        assert numbered.ask(paths) == ("time", False)
    assert seen == [dock.window()]  # its theme; otherwise a white box on a dark desktop
    assert parent_window() is dock.window()


def tab_to(window, wanted, qtbot):
    """Press Tab until a widget has the keyboard."""
    for _ in range(100):
        now = window.focusWidget()
        if now is wanted:
            return
        qtbot.keyClick(now, Qt.Key.Key_Tab)
    pytest.fail(f"Tab does not lead to {wanted}")


def test_from_the_sample_to_a_result_by_keyboard(make_napari_viewer, use_job, idle, qtbot):
    viewer = make_napari_viewer(show=True)
    job = use_job()
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", "Denoise")
    window = dock.window()
    qtbot.waitUntil(dock.isVisible)
    dock.panel.guide_button.setFocus(Qt.FocusReason.TabFocusReason)
    tab_to(window, dock.welcome.button, qtbot)
    qtbot.keyClick(dock.welcome.button, Qt.Key.Key_Space)
    idle(dock)
    preset = dock.form.field("preset")
    box = next(one for one in dock.form.findChildren(QComboBox) if (
        preset is one or preset.isAncestorOf(one)))  # fmt: skip
    tab_to(window, box, qtbot)
    qtbot.keyClicks(box, "best")
    tab_to(window, dock.panel.run_button, qtbot)
    qtbot.keyClick(dock.panel.run_button, Qt.Key.Key_Space)
    idle(dock)
    assert [config.preset for config in job.configs] == ["preview", "best"]
    assert "denoised · embryo membranes raw" in viewer.layers


def test_a_layer_chosen_by_keyboard_stays_chosen(shown, stack, qtbot):
    viewer, dock = shown
    viewer.add_image(stack, name="other", axis_labels=LABELS)
    combo = dock.source.combo
    qtbot.waitUntil(lambda: combo.currentText() == "other")
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert combo.currentText() == "membrane"
    viewer.layers.selection.active = viewer.layers["membrane"]
    viewer.layers.selection.active = viewer.layers["other"]
    qtbot.wait(50)
    assert combo.currentText() == "membrane"


def test_the_voxel_size_is_edited_and_set_back_with_the_mouse(shown, qtbot):
    viewer, dock = shown
    layer, voxel = viewer.layers["membrane"], dock.source.voxel
    dock.dispatcher.calibrate(layer, {"Z": 3600.0, "Y": 0.2, "X": 0.2})

    def click(button):
        qtbot.waitUntil(button.isVisible)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: "3600" in voxel.label.text())
    click(voxel.edit_button)
    voxel.edit.selectAll()
    qtbot.keyClicks(voxel.edit, "z=2, y=0.2, x=0.2")
    qtbot.keyClick(voxel.edit, Qt.Key.Key_Return)
    np.testing.assert_allclose(layer.scale, (2, 0.2, 0.2))
    click(dock.source.undo_button)
    np.testing.assert_allclose(layer.scale, (3600, 0.2, 0.2))
    assert dock.source.axes.edit_button.isVisible()
