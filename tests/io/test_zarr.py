"""OME-Zarr: what we write others accept, and what they write we read."""

import json

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image import ImageAttrs as ImageAttrs04
from ome_zarr_models.v05.image import ImageAttrs as ImageAttrs05

from napari_cellinr.errors import AxesError, FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, read_all, write
from napari_cellinr.io.zarr import writer as zarr_writer

VERSIONS = zarr_writer.VERSIONS


@pytest.fixture
def movie():
    data = np.random.default_rng(0).integers(0, 4000, (2, 2, 3, 300, 270), dtype=np.uint16)
    return Image(
        data,
        axes="TCZYX",
        scale=(2.0, 1.0, 0.5, 0.2, 0.25),
        units=("second", "pixel", *("micrometer",) * 3),
        translate=(0, 0, 1, 2, 3),
        channels=("DNA", "actin"),
    )


def save(folder, image, version):
    path = folder / "image.ome.zarr"
    zarr_writer.write(path, image, version)
    return path


def facts(path, version):
    attributes = dict(zarr.open_group(path, mode="r").attrs)
    return attributes if version == "0.4" else attributes["ome"]


@pytest.mark.parametrize("version", VERSIONS)
def test_validators_accept_it(tmp_path, movie, version):
    path = save(tmp_path, movie, version)
    model = ImageAttrs04 if version == "0.4" else ImageAttrs05
    model.model_validate(facts(path, version))
    scales = facts(path, version)["multiscales"][0]
    assert [axis["type"] for axis in scales["axes"]] == ["time", "channel", *["space"] * 3]
    for dataset in scales["datasets"]:
        array = zarr.open_group(path, mode="r")[dataset["path"]]
        assert len(array.shape) == len(scales["axes"])
        assert array.metadata.zarr_format == (2 if version == "0.4" else 3)
    if version == "0.4":
        assert (path / "0" / "0" / "0" / "0" / "0" / "0").is_file()  # the separator is a slash


@pytest.mark.parametrize("version", VERSIONS)
def test_levels_keep_their_place(tmp_path, movie, version):
    path = save(tmp_path, movie, version)
    full, coarse = read(path), read(path, level=1)
    assert np.array_equal(full.array(), movie.data)
    assert coarse.shape == (2, 2, 3, 150, 135)
    for axis in "YX":
        i = full.axes.index(axis)
        edge = full.translate[i] - full.scale[i] / 2
        assert coarse.translate[i] - coarse.scale[i] / 2 == pytest.approx(edge)
        assert coarse.scale[i] == 2 * full.scale[i]
    expected = movie.data.reshape(2, 2, 3, 150, 2, 135, 2).mean((4, 6))
    assert np.abs(coarse.array() - expected).max() <= 1
    with pytest.raises(FileError, match="it has levels 0 to 1"):
        read(path, level=2)


@pytest.mark.parametrize("version", VERSIONS)
def test_read_without_our_note(tmp_path, movie, version):
    """What any other program would have said, too."""
    path = save(tmp_path, movie, version)
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    del attributes["napari_cellinr"]
    group.attrs.put(attributes)
    image = read(path)
    for key in ("axes", "shape", "scale", "units", "translate", "channels"):
        assert getattr(image, key) == getattr(movie, key), key
    assert image.meta["channel_colours"] == ["#00ff00", "#ff00ff"]
    assert not isinstance(image.data, np.ndarray)


def test_other_programs(tmp_path):
    """Two transformations, axes by name only, units in another spelling."""
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("s0", data=np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    axes = [
        {"name": "z", "type": "space", "unit": "nanometer"},
        {"name": "y", "type": "space", "unit": "micron"},
        {"name": "x", "type": "space"},
    ]
    own = [
        {"type": "scale", "scale": [2, 3, 4]},
        {"type": "translation", "translation": [1, 1, 1]},
    ]
    datasets = [{"path": "s0", "coordinateTransformations": own}]
    both = [{"type": "scale", "scale": [10, 1, 1]}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": datasets, "coordinateTransformations": both}
    ]
    with pytest.warns(FileWarning, match="along Y, but not along X"):
        image = read(tmp_path / "a.zarr")
    assert (image.axes, image.scale, image.translate) == ("ZYX", (20, 3, 4), (10, 1, 1))
    assert image.units == ("nanometer", "micrometer", "pixel")


def test_several_images(tmp_path, stack):
    root = zarr.create_group(tmp_path / "many.zarr", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for index in (0, 1, 10):
        zarr_writer.write(tmp_path / "many.zarr" / str(index), stack, "0.4")
    names = [image.name for image in read_all(tmp_path / "many.zarr")]
    assert names == ["many 0", "many 1", "many 10"]


def test_plate(tmp_path, stack):
    root = zarr.create_group(tmp_path / "plate.zarr", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    for well in ("A/1", "B/2"):
        root.create_group(well).attrs["well"] = {"images": [{"path": "0"}]}
        zarr_writer.write(tmp_path / "plate.zarr" / well / "0", stack, "0.4")
    assert [i.name for i in read_all(tmp_path / "plate.zarr")] == ["plate A/1/0", "plate B/2/0"]


def test_plain_arrays_have_unknown_axes(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((3, 4, 5)))
    assert read(tmp_path / "a.zarr").axes == "QYX"
    with pytest.raises(AxesError, match="--axes ZYX"):
        read(tmp_path / "a.zarr").canonical()
    assert read(tmp_path / "a.zarr", axes="TYX").axes == "TYX"
    zarr.create_array(tmp_path / "b.zarr", data=np.zeros((3, 4)), dimension_names=["x", "y"])
    assert read(tmp_path / "b.zarr").axes == "XY"


def test_a_damaged_chunk_is_found_when_it_is_read(tmp_path, stack):
    path = write(tmp_path / "a.zarr", stack)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    for place in range(len(content)):
        chunk.write_bytes(
            bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        )
        try:
            values = read(path).array()
        except FileError as error:
            assert "is damaged" in str(error)  # noqa: PT017 some bits are not used
        else:
            assert np.array_equal(values, stack.data)


@pytest.mark.parametrize("codec", ["gzip", "zlib", "zstd", "blosc"])
def test_a_chunk_that_inflates_without_end(tmp_path, codec):
    import numcodecs

    array = zarr.create_array(
        tmp_path / "a.zarr", shape=(64, 64), chunks=(64, 64), dtype="u1", zarr_format=2,
        compressors={"gzip": numcodecs.GZip(), "zlib": numcodecs.Zlib(),
                     "zstd": numcodecs.Zstd(), "blosc": numcodecs.Blosc()}[codec],
    )  # fmt: skip
    array[:] = 1
    bomb = array.metadata.compressor.encode(np.zeros(2**28, np.uint8))
    (tmp_path / "a.zarr" / "0.0").write_bytes(bytes(bomb))
    with pytest.raises(FileError, match=r"decompresses to|has \d+ bytes"):
        read(tmp_path / "a.zarr").array()


def test_hostile_metadata(tmp_path):
    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, shape=(64, 64), chunks=(64, 64), dtype="u1", zarr_format=2)
    facts = json.loads((folder / ".zarray").read_text())
    for change in ({"chunks": [10**6, 10**6]}, {"shape": [-1, 5]}, {"dtype": "<c8"}, {"shape": 7}):
        (folder / ".zarray").write_text(json.dumps(facts | change))
        with pytest.raises(FileError):
            read(folder)
    (folder / ".zarray").write_text("[" * 100_000)
    with pytest.raises(FileError):
        read(folder)


def test_sparse(tmp_path):
    """100 GB, of which nothing is there."""
    shape = (1000, 100, 1000, 1000)
    zarr.create_array(
        tmp_path / "a.zarr", shape=shape, chunks=(1, 1, 500, 500), dtype="u1", fill_value=7
    )
    image = read(tmp_path / "a.zarr", axes="TZYX")
    part = image.crop(T=slice(5, 6), Y=slice(10, 20)).array()
    assert part.shape == (1, 100, 10, 1000)
    assert (part == 7).all()


def test_only_a_zarr_is_replaced(tmp_path, stack):
    path = write(tmp_path / "a.zarr", stack)
    write(path, stack.like(stack.data + 1))
    assert np.array_equal(read(path).array(), stack.data + 1)
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "own.zarr").mkdir()
    (tmp_path / "own.zarr" / "thesis.txt").write_text("precious")
    with pytest.raises(FileError, match="it is left alone"):
        write(tmp_path / "own.zarr", stack)
    assert (tmp_path / "own.zarr" / "thesis.txt").read_text() == "precious"


def test_a_failure_leaves_the_old_folder(tmp_path, stack, monkeypatch):
    path = write(tmp_path / "a.zarr", stack)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr_writer, "_write_piece", fail)
    with pytest.raises(FileError, match="No space left"):
        write(path, stack.like(stack.data + 1))
    assert np.array_equal(read(path).array(), stack.data)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("step", "scale", "unit", "said"),
    [
        (0.0, 1.0, "pixel", "a step of 0 along Z; it is read as unknown"),
        (float("nan"), 1.0, "pixel", "read as unknown"),
        (-0.4, 0.4, "micrometer", "a step of -0.4 along Z.*read as 0.4"),
    ],
)
def test_steps_that_no_image_has(tmp_path, step, scale, unit, said):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group.create_array("0", shape=(4, 6, 7), dtype="u2")[...] = 1
    changes = [{"type": "scale", "scale": [step, 0.1, 0.1]}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": c, "type": "space", "unit": "micrometer"} for c in "zyx"],
            "datasets": [{"path": "0", "coordinateTransformations": changes}],
        }
    ]
    with pytest.warns(FileWarning, match=said):
        image = read(tmp_path / "a.zarr")
    assert (image.scale, image.units) == ((scale, 0.1, 0.1), (unit, *("micrometer",) * 2))
