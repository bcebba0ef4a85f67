"""What is written comes back: random small images, the same ones in every run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_cellinr.image import AXES, Image
from napari_cellinr.io import read, read_all, write
from napari_cellinr.io.metadata.units import LENGTHS, TIMES

TYPES = (
    "bool", "uint8", "uint16", "uint32", "int8", "int16", "int32",
    "int64", "uint64", "float16", "float32", "float64",
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:.*states the size of a pixel along")

few_runs = settings(derandomize=True, deadline=None, database=None, max_examples=60)


def values(dtype, shape, seed):
    """Return an array with small, large and special numbers of a type."""
    generator = np.random.default_rng(seed)
    if dtype == "bool":
        return generator.random(shape) < 0.5
    if np.dtype(dtype).kind in "iu":
        # 64-bit numbers above 2**53 have a test of their own: no TIFF type holds them.
        limits = np.iinfo(dtype)
        low, high = max(limits.min, -(2**52)), min(limits.max, 2**52)
        return generator.integers(low, high, shape, dtype, endpoint=True)
    array = generator.normal(0, 100, shape).astype(dtype)
    array.flat[0] = np.nan
    array.flat[-1] = np.inf
    return array


@st.composite
def images(draw, order=AXES):
    """Return images with any of the known axes, types, units, steps and origins."""
    letters = draw(st.permutations(order)) if draw(st.booleans()) else order
    others = draw(st.sets(st.sampled_from("TCZ")))
    axes = "".join(axis for axis in letters if axis in {"Y", "X"} | others)
    shape = [draw(st.integers(1, 4)) for _ in axes]
    number = st.floats(1e-3, 1e3)
    lengths = st.sampled_from(["pixel", *LENGTHS])
    times = st.sampled_from(["pixel", *TIMES])
    units = [draw(times if a == "T" else lengths if a in "ZYX" else st.just("pixel")) for a in axes]
    names = st.lists(st.text(max_size=5), min_size=4, max_size=4)
    n_channels = dict(zip(axes, shape, strict=True)).get("C", 0)
    return Image(
        values(draw(st.sampled_from(TYPES)), shape, draw(st.integers(0, 9))),
        axes=axes,
        scale=[1.0 if unit == "pixel" else draw(number) for unit in units],
        units=units,
        translate=[draw(st.sampled_from([0.0, 1.25, -7.1])) for _ in axes],
        channels=draw(names)[:n_channels] if draw(st.booleans()) else (),
    )


def assert_same(image, other):
    """Check that two images agree in everything that a file has to keep."""
    for key in ("axes", "shape", "scale", "units", "translate", "channels"):
        assert getattr(image, key) == getattr(other, key), key
    assert np.array_equal(image.array(), other.array(), equal_nan=image.dtype.kind == "f")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("round_trips")


@settings(few_runs, max_examples=20)
@given(image=images())
def test_zarr_written_and_read(folder, image):
    check_round_trip(folder, ".zarr", image)


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii"])
@few_runs
@given(image=images())
def test_written_and_read(folder, suffix, image):
    check_round_trip(folder, suffix, image)


def check_round_trip(folder, suffix, image):
    path = write(folder / f"image{suffix}", image)
    again = read(path)
    assert_same(image, again)
    assert again.name == "image"
    assert_same(again, read(write(path, again)))
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("suffix", [".tif", ".ome.tif", ".nii", ".zarr"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
def test_type_is_kept(tmp_path, suffix, dtype):
    image = Image(values(dtype, (3, 4), 0))
    assert read(write(tmp_path / f"image{suffix}", image)).dtype == dtype


@pytest.mark.parametrize(
    "suffix", [".tif", ".TIFF", ".ome.tif", ".ome.tiff", ".nii", ".nii.gz", ".zarr"]
)
def test_every_suffix(tmp_path, suffix):
    image = Image(values("uint8", (3, 4), 0), units=("micrometer",) * 2)
    path = write(str(tmp_path / f"my.image{suffix}"), image)
    assert path == tmp_path / f"my.image{suffix}"
    assert_same(read(str(path)), image)
    assert read(path).name == "my.image"
    assert read(path).meta["source"] == str(path)
    assert len(read_all(path)) == 1


def test_lazy_and_big_endian_arrays(tmp_path):
    array = values("uint16", (3, 4, 5), 0)

    class Lazy:
        shape, dtype = array.shape, array.dtype

        def __getitem__(self, key):
            return array[key]

        def __array__(self, dtype=None, copy=None):
            return array

    for number, data in enumerate((Lazy(), array.astype(">u2"), np.asfortranarray(array))):
        for suffix in (".tif", ".ome.tif", ".nii", ".zarr"):
            path = write(tmp_path / f"{number}{suffix}", Image(data))
            assert np.array_equal(read(path).array(), array)
            assert read(path).dtype.isnative
