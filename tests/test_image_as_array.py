"""An image behaves like an array where that keeps its axes, and says what to do elsewhere."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.errors import AxesError
from napari_cellinr.image.exchange import from_xarray, image_of, to_xarray


@pytest.fixture
def movie():
    data = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    return Image(
        data,
        "TCYX",
        scale=(2, 1, 0.1, 0.2),
        units=("second", "pixel", "micrometer", "micrometer"),
        translate=(10, 0, 1, 2),
        channels=("DAPI", "GFP", "RFP"),
        name="movie",
    )


def test_numpy_takes_the_values(movie):
    assert np.array_equal(np.asarray(movie), movie.data)
    assert np.asarray(movie, np.float32).dtype == np.float32
    assert np.mean(np.asarray(movie)) == movie.array().mean()


@pytest.mark.parametrize(
    ("key", "axes", "shape"),
    [
        (0, "CYX", (3, 4, 5)),
        (-1, "CYX", (3, 4, 5)),
        (slice(0, 1), "TCYX", (1, 3, 4, 5)),
        ((0, 1), "YX", (4, 5)),
        ((..., 2), "TCY", (2, 3, 4)),
        ((0, ..., slice(1, 3)), "CYX", (3, 4, 2)),
        ({"T": 1, "c": 0}, "YX", (4, 5)),
        ({"Y": slice(1, 3)}, "TCYX", (2, 3, 2, 5)),
        (slice(None), "TCYX", (2, 3, 4, 5)),
    ],
)
def test_parts_by_index(movie, key, axes, shape):
    part = movie[key]
    assert (part.axes, part.shape) == (axes, shape)
    plain = movie.data[
        tuple({k.upper(): v for k, v in key.items()}.get(a, slice(None)) for a in movie.axes)
        if isinstance(key, dict)
        else key
    ]
    assert np.array_equal(part.array(), plain)


def test_a_part_keeps_its_place_and_its_channels(movie):
    part = movie[{"C": slice(1, None), "X": slice(1, None, 2)}]
    assert part.channels == ("GFP", "RFP")
    assert part.translate[-1] == pytest.approx(2.2)
    assert part.scale[-1] == pytest.approx(0.4)
    assert [one.axes for one in movie] == ["CYX", "CYX"]


@pytest.mark.parametrize(
    ("key", "error", "said"),
    [
        (2, IndexError, "it has 2 elements"),
        ({"Z": 0}, AxesError, "this image has axes 'TCYX'"),
        ((0, 0, 0, 0, 0), AxesError, "5 indices were given for 4 axes"),
        ([0, 1], AxesError, "use image.array"),
        (slice(None, None, -1), AxesError, "at least 1"),
    ],
)
def test_parts_that_cannot_be_meant(movie, key, error, said):
    with pytest.raises(error, match=said):
        movie[key]


@pytest.mark.parametrize(
    "compute",
    [
        lambda image: image + 1,
        lambda image: 2 * image,
        lambda image: image.array() - image,
        lambda image: image / image,
        lambda image: image**2,
    ],
)
def test_arithmetic_says_what_to_do(movie, compute):
    with pytest.raises(TypeError, match=r"image\.like\(image\.array\(\)"):
        compute(movie)


def test_an_image_is_shown_in_one_line(movie):
    assert repr(movie) == (
        "<Image 'movie' TCYX (2, 3, 4, 5) uint16, t 2 s, y 0.1 µm, x 0.2 µm, "
        "channels DAPI, GFP, RFP>"
    )
    assert "step unknown" in repr(Image(np.zeros((2, 3))))


def test_a_notebook_shows_a_picture(movie):
    page = movie._repr_html_()
    assert "data:image/png;base64," in page
    assert "GFP" in page
    assert "<td>0.1 µm</td>" in page
    odd = Image(np.full((3, 4), np.nan), name="<script>")
    assert "<script>" not in odd._repr_html_()


def test_dask_and_back(movie):
    lazy = movie.to_dask()
    assert lazy.shape == movie.shape
    again = movie.like(lazy)
    assert again.to_dask() is lazy
    assert image_of(lazy, "TCYX").data is lazy


def data_array(dims, coords):
    """Return what `from_xarray` needs of a DataArray."""
    made = {
        name: SimpleNamespace(attrs=attrs, __array__=None) for name, (_, attrs) in coords.items()
    }
    for name, (values, attrs) in coords.items():
        made[name] = Coordinate(values, attrs)
    shape = tuple(4 + i for i in range(len(dims)))
    return SimpleNamespace(dims=dims, coords=made, data=np.zeros(shape), name="cells")


class Coordinate:
    def __init__(self, values, attrs):
        self.values, self.attrs = np.asarray(values), attrs

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_xarray_gives_steps_position_and_channels():
    array = data_array(
        ("time", "channel", "x"),
        {
            "time": ([1.0, 3.0, 5.0, 7.0], {"units": "second"}),
            "channel": (["a", "b", "c", "d", "e"], {}),
            "x": (0.1 * np.arange(6), {"units": "micrometer"}),
        },
    )
    image = from_xarray(array)
    assert (image.axes, image.name, image.channels) == ("TCX", "cells", ("a", "b", "c", "d", "e"))
    assert image.scale == pytest.approx((2.0, 1.0, 0.1))
    assert image.units == ("second", "pixel", "micrometer")
    assert image.translate == (1.0, 0.0, 0.0)
    assert image_of(array).axes == "TCX"


@pytest.mark.parametrize(
    ("dims", "coords", "said"),
    [
        (("lambda", "x"), {}, "'lambda'.*Rename"),
        (("y", "x"), {"y": ([0, 1, 2, 9], {})}, "not equally spaced"),
        (("y", "x"), {"y": ([3, 2, 1, 0], {})}, "increasing"),
    ],
)
def test_xarray_that_is_no_image(dims, coords, said):
    with pytest.raises(AxesError, match=said):
        from_xarray(data_array(dims, coords))


def test_to_xarray_and_back(movie):
    pytest.importorskip("xarray", reason="xarray is an optional library")
    array = to_xarray(movie)
    assert array.dims == ("t", "c", "y", "x")
    again = Image.from_xarray(array)
    assert (again.axes, again.channels, again.units) == (movie.axes, movie.channels, movie.units)
    assert again.scale == pytest.approx(movie.scale)
    assert again.translate == pytest.approx(movie.translate)


def test_arrays_are_written_with_axes_and_scale(tmp_path):
    from napari_cellinr import read

    path = write(tmp_path / "a.ome.tif", np.zeros((3, 4, 5), np.uint8), axes="TYX", scale=0.5)
    image = read(path)
    assert (image.axes, image.scale) == ("TYX", (1.0, 0.5, 0.5))
    with pytest.raises(AxesError, match="without axes"):
        write(path, np.zeros((3, 4, 5)))


def test_tensors_of_torch_are_taken_as_arrays():
    torch = pytest.importorskip("torch")
    values = torch.arange(48.0).reshape(6, 8)
    for tensor in (values, values.clone().requires_grad_(), values.to(torch.uint8)):
        found = image_of(tensor)
        assert found.axes == "YX"
        np.testing.assert_array_equal(found.array(), tensor.detach().numpy())
    with pytest.raises(AxesError, match=r"tensor of torch.bfloat16.*convert it to float32"):
        image_of(values.to(torch.bfloat16))
