"""Axes and voxel size: they can be corrected, channels keep together, changes can be undone."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import Qt

from napari_cellinr.errors import AxesError
from napari_cellinr.macro import script
from napari_cellinr.ui.docks.denoise import DenoiseDock

pytestmark = pytest.mark.gui


def units(layer):
    return [str(unit) for unit in layer.units]


@pytest.fixture
def channels(viewer, stack, tmp_path):
    """Return a dock, and the two layers of a file with two channels, 0.5×0.2×0.2 µm."""
    tifffile.imwrite(
        tmp_path / "two.tif",
        np.stack([stack, stack], 1),
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 0.5},
    )
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    viewer.add_image(stack, name="other", axis_labels=("z", "y", "x"))
    dock.open([tmp_path / "two.tif"])
    return dock, viewer.layers["two channel 1"], viewer.layers["two channel 2"]


def correct(line, text):
    line.edit_button.click()
    line.edit.setText(text)
    line.button.click()


def test_a_known_voxel_size_is_corrected_for_all_channels_of_a_file_and_undone(channels, viewer):
    dock, *layers = channels
    assert dock.source.undo_button.isHidden()
    dock.source.voxel.edit_button.click()
    assert dock.source.voxel.edit.text() == "z=0.5, y=0.2, x=0.2"
    dock.source.voxel.edit.setText("z=2, y=0.1, x=0.1")
    dock.source.voxel.button.click()
    assert all(tuple(layer.scale) == (2, 0.1, 0.1) for layer in layers)
    assert all(units(layer) == ["micrometer"] * 3 for layer in layers)
    assert tuple(viewer.layers["other"].scale) == (1, 1, 1)
    assert "2×0.1×0.1 µm" in dock.source.voxel.label.text()
    recorded = script(dock.dispatcher.recorder.macro)
    assert recorded.count("calibrate(") == 2
    dock.source.undo_button.click()
    assert all(np.allclose(layer.scale, (0.5, 0.2, 0.2)) for layer in layers)
    assert "calibrate(" not in script(dock.dispatcher.recorder.macro)
    assert dock.source.undo_button.isHidden()


def test_known_axes_are_corrected_for_all_channels_of_a_file_and_undone(channels):
    dock, *layers = channels
    correct(dock.source.axes, "tyx")
    for layer in layers:
        assert tuple(layer.axis_labels) == ("t", "y", "x")
        assert units(layer) == ["pixel", "micrometer", "micrometer"]  # no time in micrometers
        assert np.allclose(layer.scale, (1, 0.2, 0.2))
    correct(dock.source.voxel, "t=3")
    assert all(units(layer)[0] == "second" and layer.scale[0] == 3 for layer in layers)
    assert script(dock.dispatcher.recorder.macro).count("axes='TYX', T=3.0") == 2
    dock.source.undo_button.click()
    dock.source.undo_button.click()
    assert all(tuple(layer.axis_labels) == ("z", "y", "x") for layer in layers)
    assert all(np.allclose(layer.scale, (0.5, 0.2, 0.2)) for layer in layers)


def test_a_correction_is_replayed_with_its_axes(channels, viewer, tmp_path):
    dock, first, _ = channels
    dock._console.calibrate(first, axes="TYX", T=3)
    path = tmp_path / "macro.py"
    dock._console.save_macro(path)
    viewer.layers.clear()
    dock._console.replay(path, ask=False)
    for name in ("two channel 1", "two channel 2"):
        assert tuple(viewer.layers[name].axis_labels) == ("t", "y", "x")
        assert viewer.layers[name].scale[0] == 3
    headless = script(dock.dispatcher.recorder.macro, "headless")
    assert "with_axes('TYX').with_voxel_size(T=3.0)" in headless


def test_escape_leaves_a_value_as_it_is(channels, qtbot):
    dock, first, _ = channels
    dock.source.voxel.edit_button.click()
    dock.source.voxel.edit.setText("z=9")
    dock.source.refresh()  # such as for a new layer: the correction goes on
    assert dock.source.voxel.edit.text() == "z=9"
    qtbot.keyClick(dock.source.voxel.edit, Qt.Key.Key_Escape)
    assert dock.source.voxel.edit.isHidden()
    assert np.allclose(first.scale, (0.5, 0.2, 0.2))


def test_results_stay_on_their_image_and_a_fit_ends_the_undoing(channels, viewer, use_job, idle):
    dock, _, second = channels
    use_job()
    correct(dock.source.voxel, "z=1, y=0.3, x=0.3")
    dock.run()
    idle(dock)
    assert dock.source.undo_button.isHidden()  # the fit has used it
    result = viewer.layers["denoised · two channel 2"]
    correct(dock.source.voxel, "z=2, y=0.1, x=0.1")
    np.testing.assert_allclose(result.extent.world, second.extent.world)
    assert units(result) == ["micrometer"] * 3
    dock.source.undo_button.click()
    np.testing.assert_allclose(result.scale, (1, 0.3, 0.3))


def test_positions_of_one_file_are_no_channels(viewer, stack, tmp_path):
    path = Path(tmp_path / "positions.ome.tif")
    with tifffile.TiffWriter(path, ome=True) as file:
        for _ in range(2):
            file.write(stack, photometric="minisblack", metadata={"axes": "ZYX"})
    dock = DenoiseDock(viewer)
    viewer.window.add_dock_widget(dock, name="Denoise")
    dock.open([path])
    first, second = viewer.layers
    dock._console.calibrate(second, Z=0.5, Y=0.1, X=0.1)
    assert tuple(first.scale) == (1, 1, 1)


def test_a_step_with_a_unit_is_refused_with_the_right_form(channels):
    dock, layer, _ = channels
    with pytest.raises(AxesError, match=r"Z='500 nm' was given; .* write Z=0\.5 for 0\.5 µm"):
        dock.dispatcher.calibrate(layer, {"Z": "500 nm"}, "")
    assert layer.scale[0] == 0.5
