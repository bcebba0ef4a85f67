"""Layers to Images and back keep everything that is known of the data."""

import numpy as np
import pytest
from napari.layers import Image as ImageLayer
from napari.layers import Labels

from napari_cellinr.errors import AxesError
from napari_cellinr.image import Image
from napari_cellinr.ui.layers.contrast import contrast_of
from napari_cellinr.ui.layers.convert import (
    axes_of,
    find,
    image_from_tuple,
    image_layers,
    layer_tuples,
    set_voxel_size,
    to_image,
)
from napari_cellinr.ui.layers.live import visible_part
from napari_cellinr.ui.layers.results import add_result, place, update

pytestmark = pytest.mark.gui


def make(shape, **settings):
    return ImageLayer(np.zeros(shape, np.uint8), **settings)


@pytest.mark.parametrize(
    ("labels", "axes", "sure"),
    [
        (("z", "y", "x"), "ZYX", True),
        (("T", "Y", "X"), "TYX", True),
        (("depth", "row", "column"), "ZYX", True),
        (("x", "y", "z"), "XYZ", True),
        (("-3", "-2", "-1"), "ZYX", False),
        (("z", "z", "x"), "ZYX", False),
    ],
)
def test_axes_are_read_or_guessed(labels, axes, sure):
    assert axes_of(make((2, 3, 4), axis_labels=labels)) == (axes, sure)


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (("-4", "t", "y", "x"), "CTYX"),  # two layers of a series, merged to a stack
        (("-4", "z", "y", "x"), "TZYX"),
        (("t", "-3", "y", "x"), "TZYX"),
        (("-5", "t", "z", "y", "x"), "CTZYX"),
        (("-4", "-3", "y", "x"), "TZYX"),
    ],
)
def test_a_guess_keeps_the_axes_that_labels_define(labels, axes):
    assert axes_of(make((2,) * len(labels), axis_labels=labels)) == (axes, False)


def test_a_plane_needs_no_labels():
    assert axes_of(make((3, 4))) == ("YX", True)


def test_image_and_layer_say_the_same(stack):
    layer = ImageLayer(
        stack,
        name="a",
        scale=(0.43, 0.18, 0.2),
        translate=(1, 2, 3),
        units=("um", "um", "um"),
        axis_labels=("z", "y", "x"),
        metadata={"affine": [1]},
    )
    image = to_image(layer)
    assert image.data is layer.data
    assert image.axes == "ZYX"
    assert image.scale == (0.43, 0.18, 0.2)
    assert image.translate == (1, 2, 3)
    assert image.units == ("micrometer",) * 3
    assert image.name == "a"
    assert image.meta == {"affine": [1]}
    data, attributes, kind = layer_tuples(image)[0]
    again = to_image(ImageLayer(data, **attributes))
    assert kind == "image"
    for key in ("axes", "scale", "translate", "units", "name", "meta"):
        assert getattr(again, key) == getattr(image, key)
    written = image_from_tuple(data, attributes)
    assert (written.axes, written.scale, written.units) == (image.axes, image.scale, image.units)


def test_ambiguous_axes_are_asked_for_and_can_be_given():
    with pytest.raises(AxesError, match="ZYX"):
        to_image(make((2, 3, 4)))
    assert to_image(make((2, 3, 4)), "TYX").axes == "TYX"


def test_a_colour_picture_is_refused():
    with pytest.raises(AxesError, match="colour"):
        to_image(ImageLayer(np.zeros((8, 8, 3), np.uint8), rgb=True))


def test_the_finest_level_of_a_pyramid_is_taken():
    levels = [np.zeros((32, 32)), np.zeros((16, 16))]
    assert to_image(ImageLayer(levels, multiscale=True)).shape == (32, 32)


def test_channels_become_layers():
    data = np.zeros((2, 3, 4, 5))
    tuples = layer_tuples(Image(data, "CZYX", channels=("DAPI", "GFP"), name="a"))
    assert [attributes["name"] for _, attributes, _ in tuples] == ["a DAPI", "a GFP"]
    assert all(one.shape == (3, 4, 5) for one, _, _ in tuples)
    assert len(layer_tuples(Image(np.zeros((20, 4, 5)), "CYX"))) == 1


def test_a_result_lies_on_its_source(viewer, stack):
    source = viewer.add_image(
        stack,
        name="a",
        scale=(2, 0.5, 0.5),
        rotate=30,
        shear=(0.1, 0, 0.2),
        translate=(1, 2, 3),
        affine=[[1, 0, 0, 7], [0, 0, 1, 8], [0, 1, 0, 9], [0, 0, 0, 1]],
        units=("um",) * 3,
        axis_labels=("z", "y", "x"),
    )
    given = to_image(source)
    part = given.crop(Z=slice(2, 5), Y=slice(10, 30), X=slice(20, 40))
    result = add_result(viewer, source, given, part, name="part")
    np.testing.assert_allclose(
        result.data_to_world((0, 0, 0)), source.data_to_world((2, 10, 20)), atol=1e-9
    )
    np.testing.assert_allclose(
        result.data_to_world((1, 2, 3)), source.data_to_world((3, 12, 23)), atol=1e-9
    )
    assert result.units == source.units
    assert result.axis_labels == source.axis_labels


def test_a_part_of_a_result_whose_units_say_nothing_of_its_source(viewer):
    """Frames without calibration; the result has that of the optics, twice as fine along Y, X."""
    source = viewer.add_image(np.zeros((5, 24, 24)), scale=(1, 3, 3), axis_labels=("t", "y", "x"))
    given = to_image(source)
    units = ("second", "micrometer", "micrometer")
    whole = Image(np.zeros((5, 48, 48)), "TYX", (2.0, 0.1, 0.1), units)
    assert place(source, given, whole) == {"scale": (1, 1.5, 1.5), "translate": (0, 0, 0)}
    part = whole.crop(T=slice(3, 4), Y=slice(20, 30))
    assert place(source, given, part, whole) == {"scale": (1, 1.5, 1.5), "translate": (3, 30, 0)}


def test_a_result_with_one_axis_more_than_its_preview(viewer, qtbot):
    source = viewer.add_image(np.zeros((24, 24)), scale=(3, 3), units=("um", "um"))
    given = to_image(source)
    layer = add_result(viewer, source, given, given, name="preview")
    units = ("second", *given.units)
    update(layer, source, given, Image(np.ones((5, 24, 24)), "TYX", (2.0, 3, 3), units))
    assert [str(unit) for unit in layer.units] == ["second", "micrometer", "micrometer"]
    assert layer.axis_labels == ("t", "y", "x")
    assert tuple(layer.scale) == (2, 3, 3)
    update(layer, source, given, given)
    assert (layer.axis_labels, tuple(layer.scale)) == (("y", "x"), (3, 3))


def test_a_mirrored_source_stays_mirrored(viewer, stack):
    source = viewer.add_image(stack, scale=(1, -2, 1), axis_labels=("z", "y", "x"))
    given = to_image(source)
    assert given.scale == (1, 2, 1)
    assert place(source, given, given)["scale"] == (1, -2, 1)
    part = given.crop(Y=slice(10, 20))
    layer = add_result(viewer, source, given, part, name="part")
    np.testing.assert_allclose(layer.data_to_world((0, 0, 0)), source.data_to_world((0, 10, 0)))


@pytest.mark.parametrize("unit", ["nanometer", "pixel"])
def test_a_result_in_other_units_lies_where_its_source_lies(viewer, stack, unit):
    source = viewer.add_image(stack, scale=(200, 100, 100), units=(unit,) * 3, axis_labels="zyx")
    given = to_image(source)
    result = given.like(stack, scale=(0.2, 0.1, 0.1), units=("micrometer",) * 3)
    layer = add_result(viewer, source, given, result, name="result")
    np.testing.assert_allclose(layer.scale, source.scale)
    np.testing.assert_allclose(layer.translate, source.translate)


def test_a_result_in_another_order_of_axes_is_turned(viewer, stack):
    source = viewer.add_image(stack, axis_labels=("x", "y", "z"), scale=(1, 2, 3))
    given = to_image(source)
    result = add_result(viewer, source, given, given.canonical(), name="result")
    np.testing.assert_array_equal(result.data, stack)
    np.testing.assert_allclose(result.scale, source.scale)


def test_contrast_ignores_outliers_and_nan():
    data = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    data[0, 0], data[0, 1] = np.nan, 1e6
    low, high = contrast_of(Image(data))
    assert low == pytest.approx(0.01, abs=0.005)
    assert high == pytest.approx(1, abs=0.01)
    assert contrast_of(Image(np.full((4, 4), np.nan))) == (0, 1)
    assert contrast_of(Image(np.zeros((4, 4)))) == (0, 1)
    almost = np.float32(2.289e-3) + np.linspace(0, 1e-9, 16, dtype=np.float32).reshape(4, 4)
    low, high = contrast_of(Image(almost))
    assert (low, high - low) == (pytest.approx(2.289e-3), pytest.approx(1))
    faint = 1000 + np.linspace(0, 0.1, 16).reshape(4, 4)
    assert contrast_of(Image(faint))[1] < 1000.2


def test_only_grey_images_are_offered(viewer, stack):
    viewer.add_image(stack, name="a")
    viewer.add_image(np.zeros((8, 8, 3)), rgb=True)
    viewer.add_labels(np.zeros((8, 8), int))
    viewer.add_image(stack, name="b")
    assert [layer.name for layer in image_layers(viewer)] == ["b", "a"]
    assert not isinstance(find(viewer, viewer.layers["a"].unique_id), Labels)
    assert find(viewer, None) is None


def test_voxel_size_is_written_into_the_layer():
    layer = make((2, 3, 4), axis_labels=("t", "y", "x"))
    set_voxel_size(layer, {"Y": 0.2, "X": 0.3}, "TYX")
    assert tuple(layer.scale) == (1, 0.2, 0.3)
    assert [str(unit) for unit in layer.units] == ["pixel", "micrometer", "micrometer"]
    part = make((2, 3, 4), axis_labels=("t", "y", "x"), translate=(4, 3, 2), scale=(2, -1, 1))
    set_voxel_size(part, {"T": 3, "Y": 0.2}, "TYX")  # as `Image.with_voxel_size`, and mirrored
    np.testing.assert_allclose(part.scale, (3, -0.2, 1))
    np.testing.assert_allclose(part.translate, (6, 0.6, 2))


def test_visible_part_follows_the_slider_and_has_a_limit(viewer):
    viewer.add_image(np.zeros((3, 30, 400, 40), np.uint8), axis_labels=("t", "z", "y", "x"))
    layer = next(iter(viewer.layers))
    given = to_image(layer)
    viewer.dims.set_current_step(0, 2)
    viewer.dims.set_current_step(1, 29)
    part = visible_part(viewer, layer, given)
    assert part["T"] == slice(2, 3)
    assert part["Z"] == slice(21, 30)
    assert part["Y"].stop - part["Y"].start <= 256
    viewer.dims.ndisplay = 3
    part = visible_part(viewer, layer, given)
    assert part["T"] == slice(2, 3)
    assert part["Z"].stop - part["Z"].start == 9
