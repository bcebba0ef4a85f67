"""The laws of Image: axes, steps and positions stay together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellinr.errors import AxesError, DataError
from napari_cellinr.image import AXES, Image, default_axes
from napari_cellinr.io.metadata.times import times_of


def stack(**changes):
    """Return a ZYX image with numbers that tell its elements apart."""
    values = {
        "axes": "ZYX",
        "scale": (0.5, 0.2, 0.1),
        "units": ("micrometer",) * 3,
        "translate": (1.0, 0.0, 0.0),
        "name": "cells",
    }
    return Image(np.arange(60).reshape(3, 4, 5), **(values | changes))


@pytest.mark.parametrize(
    ("n_dimensions", "axes"), [(2, "YX"), (3, "ZYX"), (4, "TZYX"), (5, "TCZYX")]
)
def test_default_axes(n_dimensions, axes):
    assert default_axes(n_dimensions) == axes
    assert Image(np.zeros((2,) * n_dimensions)).axes == axes


@pytest.mark.parametrize("n_dimensions", [0, 1, 6])
def test_default_axes_refuses(n_dimensions):
    with pytest.raises(AxesError, match="2 to 5 are allowed"):
        default_axes(n_dimensions)


def test_defaults_are_uncalibrated():
    image = Image(np.zeros((2, 3)))
    assert image.scale == (1.0, 1.0)
    assert image.units == ("pixel", "pixel")
    assert image.translate == (0.0, 0.0)
    assert not image.is_calibrated


def test_calibration_counts_space_only():
    image = stack()
    assert image.is_calibrated
    assert not image.like(image.data, units=("pixel", "micrometer", "micrometer")).is_calibrated
    assert image.like(
        image.data, axes="TYX", units=("pixel", "nanometer", "nanometer")
    ).is_calibrated


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": "YX"}, "one letter for each of its 3 dimensions"),
        ({"axes": "YX"}, "is needed, such as ZYX or TYX, not 2"),
        ({"axes": "ZZX"}, "name an axis twice"),
        ({"scale": (1, 1)}, r"scale \(1.0, 1.0\) was given for axes 'ZYX'"),
        ({"scale": {"T": 5}}, r"scale=\{'T': 5\} was given; Image takes one number per axis"),
        ({"scale": 0.1}, "scale=0.1 was given; Image takes one number per axis"),
        ({"units": ("pixel",)}, "one value per axis"),
        ({"translate": (0.0,)}, "one value per axis"),
        ({"scale": (1, 0, 1)}, "a step of 0.0 along Y"),
        ({"scale": (float("nan"), 1, 1)}, "must be a positive number"),
        ({"scale": (float("inf"), 1, 1)}, "must be a positive number"),
        ({"channels": ("a", "b")}, "2 channel names were given for 1 channel;"),
    ],
)
def test_refuses_what_does_not_fit(changes, message):
    with pytest.raises(AxesError, match=message):
        stack(**changes)


@pytest.mark.parametrize("dtype", ["complex64", "U3", "object"])
def test_refuses_what_is_not_real(dtype):
    with pytest.raises(AxesError, match="real numbers are needed"):
        Image(np.zeros((2, 2), dtype))


def test_sizes_and_steps():
    image = stack()
    assert image.sizes == {"Z": 3, "Y": 4, "X": 5}
    assert image.steps == {"Z": 0.5, "Y": 0.2, "X": 0.1}
    assert image.dtype == image.data.dtype


def test_like_keeps_the_rest():
    image = stack(meta={"a": 1})
    other = image.like(np.zeros((3, 4, 5), np.float32), name="result")
    assert (other.name, other.scale, other.meta) == ("result", image.scale, {"a": 1})


def test_with_axes_keeps_steps_of_the_same_kind():
    image = stack().with_axes("YXZ")
    assert (image.axes, image.scale) == ("YXZ", (0.5, 0.2, 0.1))
    unknown = stack(axes="QYX").with_axes("zyx")
    assert (unknown.axes, unknown.steps["Z"], unknown.units[0]) == ("ZYX", 0.5, "micrometer")


def test_with_axes_does_not_turn_a_length_into_a_time():
    image = stack().with_axes("TYX")
    assert image.scale == (1.0, 0.2, 0.1)
    assert image.units == ("pixel", "micrometer", "micrometer")
    assert image.translate == (0.0, 0.0, 0.0)


def test_with_axes_drops_channel_names_without_channels():
    image = stack(axes="CYX", channels=("a", "b", "c"))
    assert image.with_axes("CYX").channels == ("a", "b", "c")
    assert image.with_axes("ZYX").channels == ()


@pytest.mark.parametrize("axes", ["QYX", "YX", "TZYX", "YYX"])
def test_with_axes_refuses(axes):
    with pytest.raises(AxesError):
        stack().with_axes(axes)


def test_with_voxel_size():
    image = stack().with_voxel_size(z=2.0, X=0.3)
    assert image.scale == (2.0, 0.2, 0.3)
    assert image.translate == (4.0, 0.0, 0.0)
    time = Image(np.zeros((2, 3, 3)), axes="TYX").with_voxel_size(T=5)
    assert time.units == ("second", "pixel", "pixel")
    with pytest.raises(AxesError, match="axis 'T'"):
        stack().with_voxel_size(T=5)


@pytest.mark.parametrize(
    ("axes", "hint"), [("QYX", "ZYX"), ("YXS", "YXC"), ("QZYX", "TZYX"), ("IQYX", "ZTYX")]
)
def test_canonical_asks_for_unknown_axes(axes, hint):
    with pytest.raises(AxesError, match=f"--axes {hint}"):
        Image(np.zeros((2,) * len(axes)), axes=axes).canonical()


def test_canonical_needs_a_plane():
    with pytest.raises(AxesError, match="at least Y and X"):
        Image(np.zeros((2, 2)), axes="ZX").canonical()


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.permutations(AXES), st.integers(2, 5))
def test_canonical_moves_everything_along(letters, n_dimensions):
    others = [axis for axis in letters if axis not in "YX"][: n_dimensions - 2]
    axes = "".join(axis for axis in letters if axis in {*others, "Y", "X"})
    sizes = {axis: AXES.index(axis) + 1 for axis in axes}
    image = Image(
        np.random.default_rng(0).random([sizes[axis] for axis in axes]),
        axes=axes,
        scale=[sizes[axis] / 10 for axis in axes],
        units=[axis.lower() for axis in axes],
        translate=[sizes[axis] * 10 for axis in axes],
    )
    ordered = image.canonical()
    assert ordered.axes == "".join(axis for axis in AXES if axis in axes)
    assert ordered.sizes == sizes
    assert ordered.scale == tuple(sizes[axis] / 10 for axis in ordered.axes)
    assert ordered.units == tuple(ordered.axes.lower())
    assert ordered.translate == tuple(sizes[axis] * 10 for axis in ordered.axes)
    back = ordered.array().transpose([ordered.axes.index(axis) for axis in axes])
    assert np.array_equal(back, image.array())
    assert ordered.canonical() is ordered


def test_crop_keeps_positions():
    image = stack()
    part = image.crop(z=slice(1, None), X=slice(-2, None))
    assert np.array_equal(part.data, image.data[1:, :, -2:])
    assert part.translate == pytest.approx((1.5, 0.0, 0.3))
    assert part.scale == image.scale


def test_crop_picks_channel_names():
    image = stack(axes="CYX", channels=("a", "b", "c"))
    assert image.crop(C=slice(1, 3)).channels == ("b", "c")


@pytest.mark.parametrize("ranges", [{"T": slice(1)}, {"Z": slice(3, 9)}, {"Z": slice(0, 3, 2)}])
def test_crop_refuses(ranges):
    with pytest.raises(AxesError):
        stack().crop(**ranges)


def test_take():
    image = stack(axes="CYX", channels=("a", "b", "c"))
    one = image.take("c", -1)
    assert (one.axes, one.name, one.channels) == ("YX", "cells c", ())
    assert np.array_equal(one.data, image.data[2])
    plane = stack().take("Y", 1)
    assert (plane.axes, plane.scale, plane.name) == ("ZX", (0.5, 0.1), "cells")


@pytest.mark.parametrize(("axis", "index"), [("T", 0), ("Z", 3), ("Z", -4)])
def test_take_refuses(axis, index):
    with pytest.raises(AxesError, match="was requested"):
        stack().take(axis, index)


def test_masked_values_are_not_used_in_silence():
    values = np.ma.masked_less(np.arange(12.0).reshape(3, 4), 5)
    with pytest.raises(DataError, match="5 of 12 values of a masked array are masked"):
        Image(values, axes="YX")
    assert Image(np.ma.array(values.data), axes="YX").shape == (3, 4)


def test_masked_values_of_dask_arrays_are_not_used_in_silence():
    dask_array = pytest.importorskip("dask.array")
    values = dask_array.from_array(np.arange(12.0).reshape(3, 4), chunks=2)
    masked = dask_array.ma.masked_less(values, 5)
    for lazy in (masked, masked + 1, masked[:, ::-1]):
        with pytest.raises(DataError, match="dask array of masked arrays"):
            Image(lazy, axes="YX")
    filled = Image(dask_array.ma.filled(masked, 0), axes="YX")
    assert filled.array().tolist()[1] == [0, 5, 6, 7]
    assert Image(values, axes="YX").shape == (3, 4)


def test_times_of_frames_may_be_an_array():
    times = np.array([0.0, 1.0, 5.0])
    image = Image(np.zeros((3, 8, 8)), "TYX", meta={"times": times})
    assert times_of(image) == (0.0, 1.0, 5.0)
    assert times_of(image.crop(T=slice(1, 3))) == (1.0, 5.0)


def test_without_its_axis_of_time_an_image_has_no_times_and_nothing_is_said_of_them():
    said = (
        "a.tif: the frames are not equally spaced in time (from 1 s to 4 s …).",
        "a.tif: the voxel size is not plausible.",
    )
    image = Image(np.zeros((3, 8, 8)), "TYX", meta={"times": [0.0, 1.0, 5.0], "warnings": said})
    planes = image.with_axes("ZYX")
    assert dict(planes.meta) == {"warnings": said[1:]}
    assert image.with_axes("TYX").meta == image.meta
