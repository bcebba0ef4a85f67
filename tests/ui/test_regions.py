"""A region that is drawn in a Shapes layer is previewed and processed alone."""

import numpy as np
import pytest
from napari.layers import Shapes

from napari_cellinr.errors import AxesError
from napari_cellinr.macro import script
from napari_cellinr.ui.docks.reconstruct import ReconstructDock
from napari_cellinr.ui.docks.superresolve import SuperresolveDock
from napari_cellinr.ui.session.work.regions import drawn_ranges, parse_planes

pytestmark = pytest.mark.gui


def rectangle(layer, rows, columns):
    """Return a 2-D Shapes layer with a rectangle in voxels of a layer that is not turned."""
    corners = [[rows[0], columns[0]], [rows[1], columns[1]]]
    return Shapes(
        [np.array(corners, float)], shape_type="rectangle", name="region",
        scale=layer.scale[-2:], translate=layer.translate[-2:], units=layer.units[-2:],
    )  # fmt: skip


@pytest.fixture
def drawn(viewer, layer, dock):
    viewer.add_layer(rectangle(layer, (5, 24), (10, 39)))
    dock.region.box.setCurrentIndex(1)
    dock.region.box.activated.emit(1)
    return viewer.layers["region"]


def test_a_run_of_a_region_lies_in_place_and_is_recorded(
    viewer, layer, dock, drawn, use_job, idle, tmp_path
):
    job = use_job()
    dock.region.planes.setText("2-4")
    dock.run()
    idle(dock)
    region = viewer.layers["region · membrane"]
    result = viewer.layers["denoised · region · membrane"]
    assert job.images[-1].shape == result.data.shape == (3, 20, 30)
    np.testing.assert_array_equal(region.data, layer.data[2:5, 5:25, 10:40])
    first = layer.data_to_world((2, 5, 10))
    for made in (region, result):
        np.testing.assert_allclose(made.data_to_world((0, 0, 0)), first)
        assert made.units == layer.units
    text = script(dock.dispatcher.recorder.macro)
    assert "cellinr.crop('membrane', Z=[2, 5], Y=[5, 25], X=[10, 40])" in text
    assert "cellinr.denoise('region · membrane'" in text
    dock.run()  # the region is there already
    idle(dock)
    assert [one.name for one in viewer.layers if "region · membrane" in one.name] == [
        "region · membrane", "denoised · region · membrane", "denoised · region · membrane [1]",
    ]  # fmt: skip
    assert script(dock.dispatcher.recorder.macro).count("cellinr.crop") == 1


def test_a_preview_covers_the_region(viewer, layer, dock, drawn, use_job, idle):
    job = use_job()
    dock.preview()
    idle(dock)
    assert job.images[-1].shape[1:] == (20, 30)
    preview = viewer.layers["preview · membrane"]
    np.testing.assert_allclose(
        preview.data_to_world((0, 0, 0))[1:], layer.data_to_world((0, 5, 10))[1:]
    )
    assert "y 5–24, x 10–39" in dock.panel.status.text()
    dock.region.box.setCurrentIndex(0)
    dock.preview()
    idle(dock)
    assert job.images[-1].shape[1:] == (40, 48)


def test_super_resolution_states_the_size_of_the_region(viewer, layer):
    dock = SuperresolveDock(viewer)
    viewer.window.add_dock_widget(dock, name="Super-resolve")
    section = dock.form.section
    assert "6 × 40 × 48 →" in section.summary.text()
    viewer.add_layer(rectangle(layer, (5, 24), (10, 39)))
    dock.region.box.setCurrentIndex(1)
    dock.region.box.activated.emit(1)
    assert "6 × 20 × 30 →" in section.summary.text()
    dock.region.box.setCurrentIndex(0)
    dock.region.box.activated.emit(0)
    assert "6 × 40 × 48 →" in section.summary.text()


def test_the_whole_image_is_processed_once_the_shapes_are_gone(viewer, dock, drawn, use_job, idle):
    job = use_job()
    viewer.layers.remove("region")
    assert dock.region.box.currentText() == "all"
    dock.run()
    idle(dock)
    assert job.images[-1].shape == (6, 40, 48)


def test_a_region_outside_of_the_image_is_told(viewer, layer, dock, use_job):
    use_job()
    viewer.add_layer(rectangle(layer, (100, 120), (0, 20)))
    dock.region.box.setCurrentIndex(1)
    dock.run()
    assert "0 pixels of the image along Y" in dock.panel.status.text()
    assert dock.controller.state == "idle"


def test_draw_adds_shapes_with_the_voxels_of_the_image(viewer, layer, dock):
    dock.region.draw_button.click()
    shapes = viewer.layers["region"]
    assert shapes.mode == "add_rectangle"
    assert dock.region.box.currentText() == "region"
    assert not dock.region.planes.isHidden()
    np.testing.assert_allclose(shapes.scale, layer.scale[-2:])
    shapes.add_rectangles([[0.0, 0.0], [0.0, 20.0], [15.0, 20.0], [15.0, 0.0]])
    assert dock.region.ranges() == {"Y": slice(0, 16), "X": slice(0, 21)}


def test_selected_shapes_count_and_polygons_are_enclosed(viewer, layer, dock):
    shapes = rectangle(layer, (0, 9), (0, 9))
    shapes.add([[10.0, 12.0], [30.0, 20.0], [20.0, 40.0]], shape_type="polygon")
    image = dock.source.image()
    assert drawn_ranges(shapes, layer, image) == {"Y": slice(10, 31), "X": slice(12, 41)}
    shapes.selected_data = {0}
    assert drawn_ranges(shapes, layer, image) == {"Y": slice(0, 10), "X": slice(0, 10)}
    with pytest.raises(AxesError, match="no shapes"):
        drawn_ranges(Shapes(name="empty"), layer, image)


def test_planes_are_a_first_and_a_last_one():
    assert parse_planes("", 6) == slice(0, 6)
    assert parse_planes("2-4", 6) == slice(2, 5)
    assert parse_planes("3", 6) == slice(3, 4)
    for wrong in ("4-2", "0-6", "a", "-1"):
        with pytest.raises(AxesError, match="from 0 to 5"):
            parse_planes(wrong, 6)


def test_recordings_of_a_microscope_are_processed_whole(viewer, layer):
    dock = ReconstructDock(viewer)
    viewer.window.add_dock_widget(dock, name="Reconstruct motion")
    assert dock.region.isHidden()  # illumination patterns belong to whole frames
