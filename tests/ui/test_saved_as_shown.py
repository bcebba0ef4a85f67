"""A saved layer lies where it is shown: turned, mirrored, and with the time step that it has."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import read
from napari_cellinr.errors import FileWarning
from napari_cellinr.ui.layers.convert import set_voxel_size, to_image
from napari_cellinr.ui.session.placements import placements
from napari_cellinr.ui.session.work.files import save_layer

VALUES = np.random.default_rng(0).integers(0, 99, (3, 8, 9)).astype(np.uint16)
SHOWN = {
    "scale": (2, 0.5, 0.25), "translate": (1, 2, 3), "units": ("um",) * 3,
    "axis_labels": ("z", "y", "x"),
}  # fmt: skip
TURNED = {
    "rotated": {"rotate": 30},
    "sheared": {"shear": (0.1, 0, 0.2)},
    "moved": {"affine": [[1, 0, 0, 7], [0, 0.8, 0.6, 8], [0, -0.6, 0.8, 9], [0, 0, 0, 1]]},
    "mirrored": {"scale": (2, -0.5, 0.25)},
}


def saved(layer, path):
    save_layer(SimpleNamespace(image_of=to_image), layer, path, {})
    return read(path)


@pytest.mark.parametrize("how", TURNED)
def test_a_turned_layer_is_saved_as_it_lies(viewer, tmp_path, how):
    layer = viewer.add_image(VALUES, **{**SHOWN, **TURNED[how]})
    found = saved(layer, tmp_path / "a.nii")
    np.testing.assert_array_equal(found.array(), VALUES)
    for voxel in ((0, 0, 0), (2, 0, 0), (1, 5, 3)):
        there = np.asarray(found.meta["affine"]) @ (*voxel[::-1], 1)
        np.testing.assert_allclose(there[:3], layer.data_to_world(voxel)[::-1], atol=1e-5)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_a_rotation_that_a_format_cannot_hold_is_named(viewer, tmp_path, name):
    layer = viewer.add_image(VALUES, rotate=30, **SHOWN)
    with pytest.warns(FileWarning, match="cannot hold the rotation"):
        found = saved(layer, tmp_path / name)
    turned = np.asarray(found.meta["affine"])[:3, :3] @ (3, 5, 1)
    there = np.subtract(layer.data_to_world((1, 5, 3)), layer.data_to_world((0, 0, 0)))
    np.testing.assert_allclose(turned, there[::-1], atol=1e-5)
    assert found.translate == (1, 2, 3)


def test_a_plain_layer_has_no_affine(viewer, tmp_path):
    assert "affine" not in saved(viewer.add_image(VALUES, **SHOWN), tmp_path / "a.tif").meta


def test_a_given_time_step_replaces_the_times_of_frames(viewer):
    layer = viewer.add_image(
        VALUES, axis_labels=("t", "y", "x"), metadata={"times": [0, 1, 9], "source": "a.tif"}
    )
    set_voxel_size(layer, {"X": 0.1}, "TYX")
    assert layer.metadata["times"] == [0, 1, 9]
    set_voxel_size(layer, {"T": 5.0}, "TYX")
    assert "times" not in layer.metadata
    assert layer.metadata["source"] == "a.tif"


def test_the_time_step_that_a_layer_has_keeps_the_times_of_frames(viewer):
    """The line of the voxel size holds it, also where only the size of a pixel is corrected."""
    units = ("minute", "micrometer", "micrometer")
    meta = {"times": [0, 1, 9]}
    layer = viewer.add_image(
        VALUES, axis_labels=("t", "y", "x"), metadata=meta, units=units, scale=(1 / 60, 1, 1)
    )
    set_voxel_size(layer, {"X": 0.1, "T": 1.0}, "TYX")
    assert layer.metadata["times"] == [0, 1, 9]


def test_times_of_frames_are_there_again_when_a_step_is_undone(viewer):
    layer = viewer.add_image(VALUES, axis_labels=("t", "y", "x"), metadata={"times": [0, 1, 9]})
    before = placements([layer])
    set_voxel_size(layer, {"T": 5.0}, "TYX")
    before[0].restore()
    assert layer.metadata["times"] == [0, 1, 9]
    assert layer.scale[0] == 1
