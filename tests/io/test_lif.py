"""Leica LIF: images of a project with voxel size, time step, dyes and colours."""

import struct

import numpy as np
import pytest

from napari_cellinr import read, read_all
from napari_cellinr.errors import FileError, FileWarning

pytest.importorskip("liffile", reason="a library of the optional extra formats")

MICRO = "micrometer"
IDS = {"X": 1, "Y": 2, "Z": 3, "T": 4}
STEPS = {"X": 1e-7, "Y": 1e-7, "Z": 5e-7, "T": 2.5}
DYE = "<ChannelProperty><Key>DyeName</Key><Value>Leica/{}</Value></ChannelProperty>"


def described(axes, shape, itemsize, dyes):
    """Return the XML of channels and dimensions; strides follow the order of the axes."""
    strides = [itemsize * int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    channels, dimensions = "", ""
    stride = dict(zip(axes, strides, strict=True)).get("C", 0)
    for i, (dye, lut) in enumerate(dyes):
        channels += (
            f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="{8 * itemsize}" '
            f'NameOfMeasuredQuantity="" Min="0" Max="255" Unit="" LUTName="{lut}" '
            f'IsLUTInverted="0" BytesInc="{i * stride}" BitInc="0">{DYE.format(dye)}'
            "</ChannelDescription>"
        )
    for axis, n, inc in zip(axes, shape, strides, strict=True):
        if axis != "C":
            dimensions += (
                f'<DimensionDescription DimID="{IDS[axis]}" NumberOfElements="{n}" Origin="0" '
                f'Length="{STEPS[axis] * (n - 1)}" Unit="{"s" if axis == "T" else "m"}" '
                f'BitInc="0" BytesInc="{inc}"/>'
            )
    return (
        f"<Image><ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image>"
    )


def block(text, data=b""):
    encoded = text.encode("utf-16-le")
    head = struct.pack("<IIB", 0x70, 18 + len(encoded), 0x2A) + struct.pack("<Q", len(data))
    return head + struct.pack("<BI", 0x2A, len(text)) + encoded + data


def write_lif(path, images):
    """Write images as (name, array, axes, [(dye, colour)])."""
    elements = ""
    for i, (name, data, axes, dyes) in enumerate(images):
        xml = described(axes, data.shape, data.dtype.itemsize, dyes)
        memory = f'<Memory Size="{data.nbytes}" MemoryBlockID="MemBlock_{i}"/>'
        elements += f'<Element Name="{name}"><Data>{xml}</Data>{memory}</Element>'
    text = (
        '<LMSDataContainerHeader Version="2"><Element Name="project"><Data><Experiment/></Data>'
        f"<Children>{elements}</Children></Element></LMSDataContainerHeader>"
    )
    encoded = text.encode("utf-16-le")
    raw = struct.pack("<IIBI", 0x70, 5 + len(encoded), 0x2A, len(text)) + encoded
    raw += b"".join(
        block(f"MemBlock_{i}", data.tobytes()) for i, (_, data, *_) in enumerate(images)
    )
    path.write_bytes(raw)
    return path


TWO = [("DAPI", "Blue"), ("GFP", "Green")]
DATA = np.arange(3 * 2 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 2, 4, 5, 6)


@pytest.mark.parametrize("limit", [10**9, 0])
def test_everything_is_read(tmp_path, limit):
    path = write_lif(tmp_path / "a.lif", [("cell", DATA, "TCZYX", TWO)])
    image = read(path, lazy_above=limit)
    assert (image.axes, image.name) == ("TCZYX", "a")
    np.testing.assert_array_equal(image.array(), DATA)
    assert image.scale == pytest.approx((2.5, 1.0, 0.5, 0.1, 0.1))
    assert image.units == ("second", "pixel", MICRO, MICRO, MICRO)
    assert image.channels == ("DAPI", "GFP")
    assert image.meta["channel_colours"] == ["#0000ff", "#00ff00"]
    part = image.crop(T=slice(1, 2), Z=slice(1, 3), X=slice(2, 4))
    np.testing.assert_array_equal(part.array()[0], DATA[1, :, 1:3, :, 2:4])


def test_every_image_of_a_project(tmp_path):
    one = [("DAPI", "Gray")]
    images = [("first", DATA[:, 0], "TZYX", one), ("second", DATA[0, :, 0], "CYX", TWO)]
    found = read_all(write_lif(tmp_path / "a.lif", images))
    assert [(image.name, image.axes) for image in found] == [
        ("a first", "TZYX"),
        ("a second", "CYX"),
    ]
    np.testing.assert_array_equal(found[0].array(), DATA[:, 0])
    np.testing.assert_array_equal(found[1].array(), DATA[0, :, 0])


def test_a_section_along_z_is_read_with_a_warning(tmp_path):
    path = write_lif(tmp_path / "a.lif", [("xz", DATA[:, 0, :, 0], "TZX", [("DAPI", "Gray")])])
    with pytest.warns(FileWarning, match="its axis z is read as y"):
        image = read(path)
    assert image.axes == "TYX"
    assert image.steps["Y"] == pytest.approx(0.5)


@pytest.mark.parametrize("change", [lambda raw: raw[:60], lambda raw: b"\0" * len(raw)])
def test_damage(tmp_path, change):
    path = write_lif(tmp_path / "a.lif", [("cell", DATA, "TCZYX", TWO)])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FileError, match="Leica LIF, or it is damaged"):
        read(path)


def test_pixels_elsewhere_are_not_read(tmp_path):
    text = (
        '<?xml version="1.0" encoding="utf-8"?><LMSDataContainerHeader Version="2">'
        '<Element Name="x"><Data/><Memory Size="9" MemoryBlockID="m">'
        '<Frame File="../secret.tif" Offset="0" Size="9"/></Memory></Element>'
        "</LMSDataContainerHeader>"
    )
    path = tmp_path / "a.lif"
    path.write_text(text)
    with pytest.raises(FileError):
        read(path)


def test_info_numbers_the_images_as_the_option_series_does(tmp_path, capsys):
    from napari_cellinr.cli import main

    first, second = np.zeros((5, 6), np.uint8), np.ones((4, 7), np.uint8)
    path = tmp_path / "two.lif"
    write_lif(path, [("a", first, "YX", [("DAPI", "Blue")]), ("b", second, "YX", [("x", "Red")])])
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line[0] != " "] == [
        "image 0: two a (uint8, 30 bytes)", "image 1: two b (uint8, 28 bytes)",
    ]  # fmt: skip
    assert main(["convert", str(path), str(tmp_path / "b.tif"), "--series", "1"]) == 0
    np.testing.assert_array_equal(read(tmp_path / "b.tif").array(), second)
