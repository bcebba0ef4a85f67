"""TIFF files as other programs write them."""

import logging
import warnings

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import AxesError, FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, read_all, write
from napari_cellinr.io.tiff import writer as tiff_writer

MICRO = ("micrometer",) * 3


@pytest.fixture
def data():
    return np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)


def save(folder, data, name="image.tif", **options):
    """Return the path of a TIFF that tifffile wrote."""
    path = folder / name
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    return path


def imagej(folder, data, resolution=None, **metadata):
    return save(folder, data, imagej=True, resolution=resolution, metadata=metadata)


def test_imagej_stack(tmp_path, data):
    image = read(imagej(tmp_path, data, (4, 2), axes="ZYX", spacing=1.5, unit="um"))
    assert (image.axes, image.scale, image.units) == ("ZYX", (1.5, 0.5, 0.25), MICRO)
    assert np.array_equal(image.data, data)


def test_imagej_time_in_another_unit(tmp_path, data):
    path = imagej(tmp_path, data, (4, 4), axes="TYX", finterval=2, tunit="min", unit="nm")
    assert read(path).scale == (2.0, 0.25, 0.25)
    assert read(path).units == ("minute", "nanometer", "nanometer")


@pytest.mark.parametrize(
    ("resolution", "metadata"),
    [
        (None, {}),
        ((4, 4), {}),
        ((4, 4), {"unit": "pixel", "spacing": 2}),
        ((1, 1), {"unit": "inch"}),
    ],
)
def test_imagej_without_calibration(tmp_path, data, resolution, metadata):
    image = read(imagej(tmp_path, data, resolution, axes="ZYX", **metadata))
    assert image.scale == (1.0, 1.0, 1.0)
    assert image.units == ("pixel",) * 3


def test_missing_z_spacing_stays_unknown(tmp_path, data):
    image = read(imagej(tmp_path, data, (4, 4), axes="ZYX", unit="um"))
    assert image.scale == (1.0, 0.25, 0.25)
    assert image.units == ("pixel", "micrometer", "micrometer")
    assert not image.is_calibrated
    assert read(write(tmp_path / "again.tif", image)).units == image.units


@pytest.mark.parametrize(
    ("labels", "channels"),
    [
        (["DNA", "actin"] * 3, ("DNA", "actin")),
        ([f"c:{c}/2 z:{z}/3 - {n}" for z in "123" for c, n in ("1a", "2b")], ("a", "b")),
        (["same", "same"] * 3, ()),
        (["1", "2", "3", "4", "5", "6"], ()),
        (["DNA", ""] * 3, ()),
    ],
)
def test_labels_name_channels(tmp_path, labels, channels):
    stack = np.zeros((3, 2, 4, 5), np.uint8)
    image = read(imagej(tmp_path, stack, axes="ZCYX", Labels=labels))
    assert (image.axes, image.channels) == ("ZCYX", channels)


def test_what_imagej_is_told(tmp_path):
    image = Image(
        np.zeros((2, 3, 4, 5, 6), np.float32),
        scale=(1500, 1, 0.5, 200, 200),
        units=("millisecond", "pixel", "micrometer", "nanometer", "nanometer"),
        channels=("DNA", "actin", "membrane"),
    )
    with tifffile.TiffFile(write(tmp_path / "image.tif", image)) as file:
        assert (file.series[0].axes, file.series[0].shape) == ("TZCYX", (2, 4, 3, 5, 6))
        stated = file.imagej_metadata
        x = file.pages[0].tags["XResolution"].value
    assert (stated["finterval"], stated["spacing"], stated["unit"]) == (1.5, 500, "nanometer")
    assert x[1] / x[0] == 200
    assert stated["Labels"][:4] == ["DNA", "actin", "membrane", "DNA"]
    assert stated["mode"] == "composite"


def test_another_program_changes_the_calibration(tmp_path, stack):
    """The note of our own writer must not win over what was set later."""
    path = write(tmp_path / "image.tif", stack)
    with tifffile.TiffFile(path) as file:
        description = file.pages[0].description
    tifffile.tiffcomment(path, description.replace("spacing=0.43", "spacing=0.50"))
    assert read(path).scale == (0.5, 0.18, 0.18)


def test_note_of_another_array_is_ignored(tmp_path, stack):
    path = write(tmp_path / "image.tif", stack)
    with tifffile.TiffFile(path) as file:
        record = file.imagej_metadata["napari_cellinr"]
    other = imagej(tmp_path, np.zeros((2, 4, 5), np.uint8), axes="TYX", napari_cellinr=record)
    assert (read(other).axes, read(other).units) == ("TYX", ("pixel",) * 3)
    damaged = imagej(tmp_path, stack.data, axes="ZYX", napari_cellinr=record.replace("Z", "T", 1))
    assert read(damaged).axes == "ZYX"


def test_ome(tmp_path, data):
    metadata = {
        "axes": "TYX",
        "PhysicalSizeX": 65,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.065,
        "TimeIncrement": 2,
        "TimeIncrementUnit": "min",
        "Channel": {"Name": ["GFP"]},
    }
    image = read(save(tmp_path, data, "image.ome.tif", metadata=metadata))
    assert (image.axes, image.scale) == ("TYX", (2.0, 0.065, 65.0))
    assert image.units == ("minute", "micrometer", "nanometer")
    assert image.channels == ("GFP",)


def test_ome_with_several_series(tmp_path, data):
    path = tmp_path / "image.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, step in (("left", 0.1), ("right", 0.2)):
            metadata = {"axes": "ZYX", "Name": name, "PhysicalSizeX": step, "PhysicalSizeY": 1}
            file.write(data + (name == "right"), photometric="minisblack", metadata=metadata)
    images = read_all(path)
    assert [image.name for image in images] == ["image left", "image right"]
    assert [image.steps["X"] for image in images] == [0.1, 0.2]
    assert np.array_equal(images[1].data, data + 1)
    assert read(path).name == "image left"


def test_what_ome_is_told(tmp_path, stack):
    with tifffile.TiffFile(write(tmp_path / "image.ome.tif", stack)) as file:
        text = file.ome_metadata
        assert file.series[0].kind == "ome"
    assert 'PhysicalSizeZ="0.43"' in text
    assert 'PhysicalSizeZUnit="µm"' in text


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float64"])
def test_types_that_imagej_lacks_become_ome(tmp_path, caplog, dtype):
    caplog.set_level(logging.INFO)
    path = write(tmp_path / "image.tif", Image(np.zeros((3, 4), dtype)))
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
    assert "written as OME-TIFF" in caplog.text


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([[True, False]]), "uint8"),
        (np.array([[0.1, np.nan]], "float16"), "float32"),
        (np.array([[-5, 7]], "int64"), "int32"),
        (np.array([[5, 2**32 - 1]], "uint64"), "uint32"),
        (np.array([[-1, 2**40]], "int64"), "float64"),
    ],
)
def test_other_types_are_stored_without_loss(tmp_path, values, dtype):
    image = read(write(tmp_path / "image.tif", Image(values)))
    assert image.dtype == dtype
    assert np.array_equal(image.data, values, equal_nan=True)


def test_numbers_that_no_tiff_holds(tmp_path):
    with pytest.raises(FileError, match="no TIFF type holds exactly"):
        write(tmp_path / "image.tif", Image(np.array([[1, 2**60 + 1]])))
    assert list(tmp_path.iterdir()) == []


def test_too_large_for_imagej(tmp_path, monkeypatch, stack):
    monkeypatch.setattr(tiff_writer, "IMAGEJ_BYTES", 100)
    path = write(tmp_path / "image.tif", stack)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.is_bigtiff
    assert np.array_equal(read(path).data, stack.data)


@pytest.mark.parametrize("letters", ["QYX", "IYX"])
def test_unknown_axes_are_kept(tmp_path, data, letters):
    path = save(tmp_path, data, metadata=None if letters == "IYX" else {})
    assert read(path).axes == letters
    with pytest.raises(AxesError, match="--axes ZYX"):
        read(path).canonical()
    with pytest.raises(AxesError, match="--axes ZYX"):
        write(tmp_path / "again.tif", read(path))
    assert read(path, axes="tyx").axes == "TYX"


def test_repeated_unknown_axes_get_letters(tmp_path):
    image = read(save(tmp_path, np.zeros((2, 3, 4, 5), np.uint8)))
    assert len(set(image.axes)) == 4
    assert image.axes.endswith("YX")
    assert read(tmp_path / "image.tif", axes="TZYX").sizes == {"T": 2, "Z": 3, "Y": 4, "X": 5}


def test_time_lapse_saved_as_stack(tmp_path, data):
    """Its z step is no time, but the frame interval is."""
    path = imagej(tmp_path, data, (4, 4), axes="ZYX", spacing=3, unit="um", finterval=7)
    assert read(path).scale == (3.0, 0.25, 0.25)
    image = read(path, axes="TYX")
    assert (image.scale, image.units[0]) == ((7.0, 0.25, 0.25), "second")


@pytest.mark.parametrize("axes", ["YX", "QYX", "ZZX", "TZYX", ""])
def test_axes_that_do_not_fit(tmp_path, data, axes):
    with pytest.raises(AxesError):
        read(save(tmp_path, data), axes=axes)


@pytest.mark.parametrize(
    ("unit", "dots", "steps"),
    [
        (None, 1, (1.0, "pixel")),
        ("INCH", 72, (1.0, "pixel")),
        ("INCH", 300, (1.0, "pixel")),
        ("CENTIMETER", 20_000, (0.5, "micrometer")),
        ("NONE", 20_000, (1.0, "pixel")),
    ],
)
def test_resolution_tags(tmp_path, data, unit, dots, steps):
    path = save(
        tmp_path, data[0], metadata=None, resolution=(dots, dots), resolutionunit=unit or "NONE"
    )
    assert (read(path).scale[0], read(path).units[0]) == steps


def test_shaped_metadata(tmp_path, data):
    metadata = {"axes": "TYX", "unit": "um", "finterval": 0.5}
    image = read(save(tmp_path, data, metadata=metadata, resolution=(5, 5)))
    assert (image.axes, image.scale) == ("TYX", (0.5, 0.2, 0.2))


@pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd", "packbits"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_codecs_and_layouts(tmp_path, data, compression, byteorder, bigtiff):
    path = save(tmp_path, data, compression=compression, byteorder=byteorder, bigtiff=bigtiff)
    assert np.array_equal(read(path).data, data)
    assert read(path).dtype == np.uint16
    assert read(path).dtype.isnative


@pytest.mark.parametrize(("axes", "shape"), [("YXC", (4, 5, 3)), ("CYX", (3, 4, 5))])
def test_colour_pictures(tmp_path, axes, shape):
    path = tmp_path / "image.tif"
    planes = "contig" if axes == "YXC" else "separate"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="rgb", planarconfig=planes)
    with pytest.raises(FileError, match=f"colour.*--axes {axes}"):
        read(path)
    assert read(path, axes=axes).sizes == {"C": 3, "Y": 4, "X": 5}


def test_complex_numbers(tmp_path):
    with pytest.raises(FileError, match="complex64; real numbers are needed"):
        read(save(tmp_path, np.zeros((4, 5), np.complex64)))


def test_missing_planes_are_missing(tmp_path, data):
    """One file of an OME-TIFF that was spread over two: no plane of zeros is made up."""
    path = save(tmp_path, data, "image.ome.tif", metadata={"axes": "ZYX"})
    tifffile.tiffcomment(
        path, tifffile.tiffcomment(path).replace('SizeZ="3"', 'SizeZ="4"').encode()
    )
    with pytest.warns(FileWarning, match="lacks 1 of its 4 planes; read are only Z 0 to 2"):
        assert np.array_equal(read(path).data, data)


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped", "plain", "lzw"])
@pytest.mark.parametrize("part", [0.02, 0.2, 0.5, 0.9])
def test_truncated(tmp_path, kind, part):
    """A part of a file is refused, whatever tifffile would still make of it."""
    data = np.arange(6 * 16 * 20, dtype=np.uint16).reshape(6, 16, 20)
    options = {
        "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
        "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
        "shaped": {},
        "plain": {"metadata": None},
        "lzw": {"metadata": None, "compression": "lzw"},
    }
    path = save(tmp_path, data, **options[kind])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(FileError, match="damaged or not complete"):
        read(path)


def test_a_compression_that_cannot_be_read_is_not_called_damage(tmp_path, data):
    path = save(tmp_path, data)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["Compression"].overwrite(32809)  # ThunderScan
    with pytest.raises(FileError, match=r"compressed in a way .* Convert it .* or update"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(100), b"text"])
def test_not_a_tiff(tmp_path, content):
    path = tmp_path / "image.tif"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"image\.tif is not a TIFF file"):
        read(path)


def test_colours_of_channels(tmp_path):
    stack = np.zeros((2, 3, 4, 5), np.uint8)
    colours = ["#ff0000", "#00ff80"]
    image = Image(stack.transpose(1, 0, 2, 3), axes="ZCYX", meta={"channel_colours": colours})
    for name in ("image.tif", "image.ome.tif"):
        assert read(write(tmp_path / name, image)).meta["channel_colours"] == colours
    assert "channel_colours" not in read(write(tmp_path / "a.tif", Image(stack[0]))).meta


def test_colour_pictures_if_they_are_wanted(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    (image,) = read_all(path, colours=True)
    assert image.axes == "YXS"
    with pytest.raises(AxesError, match="--axes YXC"):
        image.canonical()


def test_metamorph(tmp_path, monkeypatch):
    from napari_cellinr.io.tiff.tags import _from_metamorph

    stated = {
        "SpatialCalibration": 1, "CalibrationUnits": "um", "XCalibration": 0.2,
        "YCalibration": 0.2, "ZDistance": np.array([0.5, 0.5]),
    }  # fmt: skip
    micro = "micrometer"
    assert _from_metamorph(stated) == {"Z": (0.5, micro), "Y": (0.2, micro), "X": (0.2, micro)}
    assert "Z" not in _from_metamorph({**stated, "ZDistance": np.array([0.5, 1.5])})
    assert _from_metamorph({**stated, "SpatialCalibration": 0}) == {}


@pytest.mark.parametrize("values", [[1.4, 2.6, -3.0, 300.0], [0.0, 1.0, 2.0, 3.0]])
def test_rounding_and_clipping_are_told(tmp_path, values):
    image = Image(np.array([values], np.float32))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        again = read(write(tmp_path / "a.tif", image, dtype="uint8"))
    assert again.array().tolist() == [[min(255, max(0, round(v))) for v in values]]
    said = "2 of 4 values were rounded, 2 clipped to 0 … 255"
    assert [said in str(one.message) for one in told] == [True] * (values[3] > 3)
    with pytest.raises(FileError, match="not a number"):
        write(tmp_path / "a.tif", Image(np.array([[np.nan, 1]])), dtype="uint8")


def test_ome_follows_its_schema(tmp_path):
    """Checked against the schema of June 2016, which ome-types brings along."""
    from ome_types import validate_xml

    image = Image(
        np.zeros((2, 3, 4, 5, 6), np.float32),
        scale=(2, 1, 0.5, 0.2, 0.2),
        units=("second", "pixel", "micrometer", "nanometer", "micrometer"),
        channels=("DNA <405>", "actin & co", "µ"),
        meta={"channel_colours": ["#ff0000", "#00ff00", "#0000ff"]},
        name="ein Würmchen",
    )
    for name, one in (("a.ome.tif", image), ("b.tif", image.like(image.data.astype("int16")))):
        with tifffile.TiffFile(write(tmp_path / name, one)) as file:
            validate_xml(file.ome_metadata)


def test_lazy_arrays_are_written_plane_by_plane(tmp_path):
    import dask.array

    data = np.random.default_rng(0).integers(0, 99, (2, 3, 8, 9), dtype=np.uint16)
    image = Image(dask.array.from_array(data, chunks=(1, 1, 8, 9)), axes="TZYX")
    assert np.array_equal(read(write(tmp_path / "a.ome.tif", image)).data, data)


def test_micro_manager():
    """What its summary says wins over what its ImageJ description says."""
    from types import SimpleNamespace

    from napari_cellinr.io.tiff.tags import facts_about

    summary = {
        "PixelSize_um": 0.1, "z-step_um": 0.5, "Interval_ms": 2000,
        "ChNames": ["DAPI", "GFP"], "ChColors": [-16776961, 65280],
    }  # fmt: skip
    tags = SimpleNamespace(valueof=lambda name, default=None: default)
    series = SimpleNamespace(
        kind="mmstack", axes="TZCYX", shape=(2, 3, 2, 4, 5), keyframe=SimpleNamespace(tags=tags)
    )
    file = SimpleNamespace(
        imagej_metadata={"unit": "um", "spacing": 9.0}, micromanager_metadata={"Summary": summary}
    )
    facts = facts_about(file, series)
    assert facts.steps["Z"] == (0.5, "micrometer")
    assert facts.steps["X"] == (0.1, "micrometer")
    assert facts.steps["T"] == (2000.0, "millisecond")
    assert facts.channels == ("DAPI", "GFP")
    assert facts.colours == ("#0000ff", "#00ff00")


def test_more_planes_than_ome_describes(tmp_path, data):
    """Some microscopes write such files: what is described is read, and the rest is told."""
    path = save(tmp_path, data, "image.ome.tif", metadata={"axes": "ZYX"})
    text = tifffile.tiffcomment(path).replace('SizeZ="3"', 'SizeZ="2"')
    tifffile.tiffcomment(path, text.encode())
    with pytest.warns(FileWarning, match="has 1 plane that its OME description does not mention"):
        assert np.array_equal(read(path).data, data[:2])


def test_the_axes_that_are_suggested_for_colours_are_allowed(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.full((4, 8, 9, 3), 7, np.uint8), photometric="rgb")
    with pytest.raises(FileError, match=r"with --axes ZYXC\.$"):
        read(path)
    assert read(path, axes="ZYXC").shape == (4, 8, 9, 3)


def test_three_planes_that_are_marked_as_colours_can_be_read_as_planes(tmp_path):
    """Some programs mark every stack of three or four planes as red, green, and blue."""
    path = tmp_path / "stack.tif"
    data = np.arange(3 * 8 * 9, dtype=np.uint16).reshape(3, 8, 9)
    tifffile.imwrite(path, data, photometric="rgb", planarconfig="separate", metadata=None)
    said = "--axes CYX; if they are no colours, but planes, with --axes ZYX"
    with pytest.raises(FileError, match=said):
        read(path)
    assert np.array_equal(read(path, axes="ZYX").array(), data)
