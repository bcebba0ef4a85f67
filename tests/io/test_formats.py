"""Files of microscopes are read with axes, voxel size, times and channels."""

import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from czi_writer import write_czi

from napari_cellinr.errors import FileError
from napari_cellinr.io import read, read_all, write
from napari_cellinr.io.formats import FORMATS
from napari_cellinr.io.names import MICROSCOPES

MICRO = "micrometer"


def test_every_extension_is_listed():
    assert set(FORMATS) == set(MICROSCOPES)


@pytest.mark.parametrize("suffix", sorted(s for s, kind in FORMATS.items() if kind.library))
def test_a_missing_library_names_the_extra(tmp_path, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, FORMATS[suffix].library, None)
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    with pytest.raises(FileError, match=r"pip install 'napari-cellinr\[formats\]'.*reader plugin"):
        read(tmp_path / f"a{suffix}")


def mrc(path, data, order="<", mode=1, extended=0, **numbers):
    """Write an MRC file; `numbers` are other entries of the header as `at_BYTE=(kind, value)`."""
    header = bytearray(1024)
    planes, rows, columns = data.shape
    struct.pack_into(f"{order}4i", header, 0, columns, rows, planes, mode)
    struct.pack_into(f"{order}3i", header, 28, columns, rows, planes)
    struct.pack_into(f"{order}i", header, 92, extended)
    for place, (kind, *values) in numbers.items():
        struct.pack_into(f"{order}{kind}", header, int(place.removeprefix("at_")), *values)
    body = data.astype(data.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(bytes(header) + bytes(extended) + body)
    return path


DATA = np.arange(12 * 4 * 5, dtype=np.int16).reshape(12, 4, 5)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("lazy_above", [None, 0])
def test_mrc(tmp_path, order, lazy_above):
    path = mrc(tmp_path / "a.mrc", DATA, order, extended=80, at_40=("3f", 50.0, 40.0, 240.0))
    image = read(path, lazy_above=lazy_above)
    assert np.array_equal(image.array(), DATA)
    assert image.axes == "ZYX"
    assert image.scale == pytest.approx((2.0, 1.0, 1.0))  # 20 Å, 10 Å
    assert image.units == ("nanometer",) * 3


@pytest.mark.parametrize(
    ("sequence", "axes", "shape"), [(0, "CTZYX", (2, 3, 2)), (1, "TZCYX", (3, 2, 2))]
)
def test_deltavision(tmp_path, sequence, axes, shape):
    path = mrc(
        tmp_path / "a.dv", DATA, at_40=("3f", 0.1, 0.2, 0.5), at_96=("h", -16224),
        at_180=("h", 3), at_182=("h", sequence), at_196=("h", 2), at_198=("2h", 457, 528),
    )  # fmt: skip
    image = read(path)
    assert (image.axes, image.shape) == (axes, (*shape, 4, 5))
    assert image.steps["X"] == pytest.approx(0.1)
    assert image.steps["Z"] == pytest.approx(0.5)
    assert image.units[-1] == MICRO
    assert image.channels == ("457 nm", "528 nm")
    assert np.array_equal(image.array().reshape(12, 4, 5), DATA)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw[:-10], "not complete"),
        (lambda raw: raw[:100], "a header has 1024"),
        (lambda raw: bytes(1024), "is not an MRC"),
        (lambda raw: raw[:12] + struct.pack("<i", 4) + raw[16:], "MRC mode 4"),
        (lambda raw: struct.pack("<3i", 2**20, 2**20, 2**20) + raw[12:], "not complete"),
    ],
)
def test_damaged_mrc(tmp_path, change, said):
    path = mrc(tmp_path / "a.mrc", DATA)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FileError, match=said):
        read(path)


XML = """<ImageDocument><Metadata>
<Information><Image><Dimensions><Channels><Channel Id="Channel:0" Name="DAPI"/>
<Channel Id="Channel:1" Name="GFP"/></Channels>
<T><Positions><Interval><Increment>2.5</Increment></Interval></Positions></T>
</Dimensions></Image></Information>
<DisplaySetting><Channels><Channel><Color>#FF0000FF</Color></Channel>
<Channel><Color>#FF00FF00</Color></Channel></Channels></DisplaySetting>
<Scaling><Items><Distance Id="X"><Value>1e-07</Value></Distance>
<Distance Id="Y"><Value>1e-07</Value></Distance>
<Distance Id="Z"><Value>5e-07</Value></Distance></Items></Scaling>
</Metadata></ImageDocument>"""


@pytest.fixture
def czifile():
    return pytest.importorskip("czifile", reason="a library of the optional extra formats")


def test_czi(czifile, tmp_path):
    data = np.arange(3 * 2 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 2, 4, 5, 6)
    image = read(write_czi(tmp_path / "a.czi", data, "TCZYX", XML))
    assert image.axes == "TCZYX"
    assert np.array_equal(image.array(), data)
    assert image.scale == pytest.approx((2.5, 1.0, 0.5, 0.1, 0.1))
    assert image.units == ("second", "pixel", MICRO, MICRO, MICRO)
    assert image.channels == ("DAPI", "GFP")
    assert image.meta["channel_colours"] == ["#0000ff", "#00ff00"]


def test_scenes_of_czi(czifile, tmp_path):
    data = np.arange(2 * 3 * 5 * 6, dtype=np.uint8).reshape(2, 3, 5, 6)
    images = read_all(write_czi(tmp_path / "a.czi", data, "SZYX"))
    assert [image.name for image in images] == ["a scene 0", "a scene 1"]
    assert np.array_equal(images[1].array(), data[1])
    assert images[0].units == ("pixel",) * 3


@pytest.mark.parametrize("change", [lambda raw: raw[:40], lambda raw: b"\0" * len(raw)])
def test_damaged_czi(czifile, tmp_path, change):
    path = write_czi(tmp_path / "a.czi", np.zeros((2, 5, 6), np.uint8), "ZYX")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FileError, match="Zeiss CZI, or it is damaged"):
        read(path)


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py", reason="a library of the optional extra formats")


def imaris(h5py, path, data, unit="um"):
    """Write data T, C, Z, Y, X, padded to multiples of 8 as Imaris does."""

    def characters(text):
        return np.frombuffer(str(text).encode(), "S1")

    with h5py.File(path, "w") as file:
        for t, c in np.ndindex(data.shape[:2]):
            padded = np.pad(data[t, c], [(0, -size % 8) for size in data.shape[2:]])
            place = f"DataSet/ResolutionLevel 0/TimePoint {t}/Channel {c}/Data"
            file.create_dataset(place, data=padded, chunks=padded.shape, compression="gzip")
        info = file.create_group("DataSetInfo/Image").attrs
        for number, (axis, size) in enumerate(zip("XYZ", data.shape[:1:-1], strict=True)):
            info[axis] = characters(size)
            info[f"ExtMin{number}"] = characters(0)
            info[f"ExtMax{number}"] = characters(size * (0.5 if axis == "Z" else 0.1))
        info["Unit"] = characters(unit)
        for c in range(data.shape[1]):
            channel = file.create_group(f"DataSetInfo/Channel {c}").attrs
            channel["Name"], channel["Color"] = characters(f"dye {c}"), characters(f"{c} 1 0")
        times = file.create_group("DataSetInfo/TimeInfo").attrs
        for t in range(data.shape[0]):
            times[f"TimePoint{t + 1}"] = characters(f"2026-01-01 00:00:{3 * t:02d}.000")
    return path


@pytest.mark.parametrize("lazy_above", [None, 0])
def test_imaris(h5py, tmp_path, lazy_above):
    data = np.arange(3 * 2 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 2, 4, 5, 6)
    image = read(imaris(h5py, tmp_path / "a.ims", data), lazy_above=lazy_above)
    assert image.axes == "TCZYX"
    assert np.array_equal(image.array(), data)
    assert image.scale == pytest.approx((3.0, 1.0, 0.5, 0.1, 0.1))
    assert image.units == ("second", "pixel", MICRO, MICRO, MICRO)
    assert image.channels == ("dye 0", "dye 1")
    assert image.meta["channel_colours"] == ["#00ff00", "#ffff00"]


def test_damaged_imaris(h5py, tmp_path):
    path = imaris(h5py, tmp_path / "a.ims", np.zeros((1, 1, 4, 5, 6), np.uint8))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileError, match=r"a\.ims"):
        read(path)


class FakeND2:
    """What the library nd2 offers, with three frames of two positions."""

    data = np.arange(3 * 2 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 2, 4, 5)
    sizes = {"T": 3, "P": 2, "C": 2, "Y": 4, "X": 5}  # noqa: RUF012
    dtype = data.dtype
    experiment = (SimpleNamespace(parameters=SimpleNamespace(periodMs=2000.0)),)
    metadata = SimpleNamespace(
        channels=[
            SimpleNamespace(
                channel=SimpleNamespace(name=name, color=SimpleNamespace(r=r, g=g, b=0))
            )
            for name, r, g in (("DAPI", 0, 255), ("GFP", 255, 0))
        ]
    )

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def asarray(self):
        return self.data

    def voxel_size(self):
        return SimpleNamespace(x=0.1, y=0.1, z=0.5)

    def events(self, orient):
        return [
            {"T Index": t, "P Index": p, "Time [s]": 2.0 * t + 0.5 * p}
            for t in range(3)
            for p in range(2)
        ]


def test_nd2(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=FakeND2))
    (tmp_path / "a.nd2").write_bytes(b"")
    images = read_all(tmp_path / "a.nd2")
    assert [image.name for image in images] == ["a 0", "a 1"]
    assert images[1].axes == "TCYX"
    assert np.array_equal(images[1].array(), FakeND2.data[:, 1])
    assert images[0].scale == pytest.approx((2.0, 1.0, 0.1, 0.1))
    assert images[0].channels == ("DAPI", "GFP")
    assert images[0].meta["channel_colours"] == ["#00ff00", "#ff0000"]
    assert images[1].meta["times"] == pytest.approx([0.0, 2.0, 4.0])


def test_nd2_of_one_channel_has_its_name(tmp_path, monkeypatch):
    class OneChannel(FakeND2):
        data = FakeND2.data[:, 0, 0]
        sizes = {"T": 3, "Y": 4, "X": 5}  # noqa: RUF012
        metadata = SimpleNamespace(channels=FakeND2.metadata.channels[:1])

    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=OneChannel))
    (tmp_path / "a.nd2").write_bytes(b"")
    image = read(tmp_path / "a.nd2")
    assert (image.axes, image.channels) == ("TYX", ("DAPI",))
    for suffix in (".ome.tif", ".tif", ".ome.zarr", ".nii.gz"):
        again = read(write(tmp_path / f"b{suffix}", image))
        assert again.channels == ("DAPI",)
        assert again.meta["channel_colours"] == ["#00ff00"]
