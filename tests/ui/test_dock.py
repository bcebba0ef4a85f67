"""The dock around a job: axes, voxel size, files, console, what it loads."""

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_cellinr import CellINRConfig, api, read
from napari_cellinr.errors import AxesError
from napari_cellinr.fitting.problem import Fitted
from napari_cellinr.fitting.saved.stored import save_fit
from napari_cellinr.image import Image
from napari_cellinr.ui.docks.denoise import DenoiseDock
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.session.job.pace import duration

pytestmark = pytest.mark.gui


def test_the_dock_is_usable_without_an_image(viewer):
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    assert not dock.panel.run_button.isEnabled()
    dock.run()
    viewer.add_image(np.eye(8), name="plane")
    assert dock.source.combo.currentText() == "plane"
    assert dock.panel.run_button.isEnabled()
    viewer.layers.clear()
    assert not dock.panel.run_button.isEnabled()


def test_ambiguous_axes_block_until_they_are_confirmed(viewer, stack, use_job, idle):
    viewer.add_image(stack, name="a")
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    assert dock.source.axes.edit.text() == "ZYX"
    assert not dock.panel.run_button.isEnabled()
    dock.source.axes.edit.setText("ZQX")
    dock.source.axes.button.click()
    assert "ZQX" in dock.source.axes.label.text()
    assert not dock.panel.run_button.isEnabled()
    dock.source.axes.edit.setText("tyx")
    dock.source.axes.button.click()
    assert dock.panel.run_button.isEnabled()
    job = use_job()
    dock.run()
    idle(dock)
    assert job.images[0].axes == "TYX"
    assert viewer.layers["a"].axis_labels == ("t", "y", "x")
    assert viewer.layers["denoised · a"].axis_labels == ("t", "y", "x")


def test_axes_that_were_confirmed_are_known_to_all_that_follows(
    viewer, stack, use_job, idle, tmp_path
):
    viewer.add_image(stack, name="a")
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    use_job()
    dock._console.denoise("a", axes="zyx")
    idle(dock)
    dock._console.save("denoised · a", tmp_path / "clean.tif")
    dock._console.compare("denoised · a", "a")
    idle(dock)
    assert "minus a · denoised · a" in [one.name for one in viewer.layers]
    assert read(tmp_path / "clean.tif").axes == "ZYX"
    path = str(tmp_path / "by-napari.tif")
    assert viewer.layers["denoised · a"].save(path, plugin="napari-cellinr") == [path]


def test_a_missing_voxel_size_can_be_entered(viewer, stack):
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    assert dock.panel.run_button.isEnabled()
    dock.source.voxel.edit.setText("z=0.4, y=-1")
    dock.source.voxel.button.click()
    assert "above 0" in dock.source.voxel.label.text()
    dock.source.voxel.edit.setText("0.4, 0.2, 0.2")
    dock.source.voxel.button.click()
    layer = viewer.layers["a"]
    assert tuple(layer.scale) == (0.4, 0.2, 0.2)
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert "0.4×0.2×0.2 µm" in dock.source.voxel.label.text()


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("n_shown", [2, 3])
def test_a_voxel_size_leaves_the_view_where_it_is(make_napari_viewer, stack, others, n_shown):
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    for _ in range(others):
        viewer.add_image(stack, axis_labels=("z", "y", "x"))
    viewer.dims.ndisplay = n_shown
    camera = getattr(viewer, "scene", viewer).camera  # of the viewer itself before napari 0.9
    camera.center, camera.zoom = (3, 15, 20), 9.0
    viewer.dims.set_current_step(0, 4)
    dispatcher = dispatcher_of(viewer)
    for z, y in ((0.5, 0.2), (0.4, 0.1)):
        dispatcher.calibrate("a", {"z": z, "y": y, "x": y})
        voxel = y if n_shown == 2 else (z * y * y) ** (1 / 3)
        assert camera.zoom * voxel == pytest.approx(9, rel=0.01)
        np.testing.assert_allclose(camera.center[-2:], (15 * y, 20 * y))
        if n_shown == 2:
            assert round(layer.world_to_data(viewer.dims.point)[0]) == 4
        else:
            assert camera.center[0] == pytest.approx(3 * z)


@pytest.mark.parametrize("name", ["Denoise", "Super-resolve"])
def test_the_time_step_can_be_entered_in_seconds(viewer, stack, name):
    viewer.add_image(stack, name="a", axis_labels=("t", "y", "x"))
    _, dock = viewer.window.add_plugin_dock_widget("napari-cellinr", name)
    voxel = dock.source.voxel
    assert "seconds" in voxel.edit.toolTip()
    assert "t=2" in voxel.edit.toolTip()
    assert voxel.edit.text() == "y=, x=, t="
    voxel.edit.setText("y=0.2, x=0.2, t=")
    voxel.button.click()
    layer = viewer.layers["a"]
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    assert "frame interval unknown" in voxel.label.text()
    assert voxel.edit.text() == "t="
    voxel.edit.setText("t=soon")
    voxel.button.click()
    assert "frame interval t in seconds" in voxel.label.text()
    voxel.edit.setText("t=2")
    voxel.button.click()
    assert tuple(layer.scale) == (2, 0.2, 0.2)
    assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]
    assert voxel.label.text() == "0.2×0.2 µm, every 2\u00a0s"
    assert voxel.edit.isHidden()


def test_an_answer_is_about_the_layer_it_was_typed_for(viewer, stack):
    viewer.add_image(stack, name="a", axis_labels=("z", "y", "x"))
    viewer.add_image(stack, name="b", axis_labels=("t", "y", "x"))
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.source.choose(viewer.layers["a"].unique_id)
    edit = dock.source.voxel.edit
    edit.setText("z=3")
    edit.setModified(True)
    viewer.layers["b"].name = "c"  # the list is made anew
    assert edit.text() == "z=3"
    dock.source.choose(viewer.layers["c"].unique_id)
    assert edit.text() == "y=, x=, t="


def test_a_wrong_setting_blocks_the_run(dock):
    dock.form.field("learning_rate").set_value("-1")
    dock.form.changed.emit()
    assert not dock.panel.run_button.isEnabled()
    dock.form.reset_button.click()
    assert dock.panel.run_button.isEnabled()


def test_settings_that_take_days_are_advised_against(dock):
    assert dock.panel.advice.isHidden()
    dock.form.field("preset").set_value("paper")
    dock.form.field("preset").changed.emit()
    assert "GPU" in dock.panel.advice.text()
    assert not dock.panel.advice.isHidden()
    assert dock.panel.run_button.isEnabled()
    dock.form.field("preset").set_value("fast")
    dock.form.field("preset").changed.emit()
    assert dock.panel.advice.isHidden()


def drop(dock, paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    keys = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, mime, *keys)
    enter.ignore()
    dock.dragEnterEvent(enter)
    if enter.isAccepted():
        dock.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, *keys))
    return enter.isAccepted()


def test_a_dropped_file_becomes_a_calibrated_layer(viewer, dock, tmp_path):
    path = tmp_path / "dropped.tif"
    tifffile.imwrite(
        path,
        np.arange(2 * 8 * 9, dtype=np.uint8).reshape(2, 8, 9),
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
    )
    assert drop(dock, [path])
    layer = viewer.layers["dropped"]
    np.testing.assert_allclose(layer.scale, (1.5, 0.2, 0.2))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert dock.source.combo.currentText() == "dropped"


def test_a_kept_fit_that_is_dropped_opens_as_its_result(
    viewer, dock, stack, tmp_path, monkeypatch, qtbot, idle
):
    path = tmp_path / "embryo.cellinr"
    result = Image(stack, "ZYX", name="embryo denoised")
    save_fit(path, Fitted((result,), CellINRConfig(), {}, (), "steps", {}))
    images = (result, result.like(stack + 1, name="embryo background"))
    monkeypatch.setattr(api, "render", lambda fit: images)  # the real one has its own tests
    assert drop(dock, [path])
    assert dock.source.combo.currentText() == "embryo denoised"
    assert "embryo background" not in viewer.layers
    button = dock.fit_actions.show_button
    button.fill()
    (entry,) = button.entries.actions()
    assert (entry.text(), entry.isChecked()) == ("embryo background", False)
    entry.trigger()
    qtbot.waitUntil(lambda: "embryo background" in viewer.layers)
    idle(dock)
    shown = viewer.layers["embryo background"]
    assert shown.visible
    np.testing.assert_array_equal(shown.data, stack + 1)
    assert dock.source.combo.currentText() == "embryo denoised"
    button.fill()
    assert button.entries.actions()[0].isChecked()
    button.entries.actions()[0].trigger()
    assert not shown.visible
    assert str(path) in dock._console.last


def test_a_dropped_file_that_is_broken_is_explained(viewer, dock, tmp_path):
    path = tmp_path / "broken.tif"
    path.write_bytes(b"not a picture")
    assert drop(dock, [path])
    assert "broken.tif" in dock.panel.status.text()
    assert not drop(dock, [tmp_path / "table.csv"])


def test_the_console_runs_the_same_job(viewer, dock, use_job):
    console = dock._console
    job = use_job(steps=30)
    console.denoise("membrane", background="keep", kernel_spacing=6)
    assert dock.panel.run_button.text() == "Queue"
    console.wait()
    assert job.configs[0].background == "keep"
    assert job.configs[0].kernel_spacing == 6
    with pytest.raises(AxesError, match="membrane"):
        console.denoise("mambrane")
    assert "denoised · membrane" in [one.name for one in viewer.layers]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (7300, "2 h 1 min")]
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
