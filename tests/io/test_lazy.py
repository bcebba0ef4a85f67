"""Large files stay where they are; what is read of them is what was asked for."""

import tracemalloc

import dask.array
import nibabel
import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.io import lazy, read, read_all
from napari_cellinr.io.tiff import data as tiff_data

HUGE = (500, 100, 1024, 1024)
"""One hundred gigabytes of 16-bit numbers."""


def sparse(path, **options):
    """Return the path of a BigTIFF of 100 GB, of which only the directories are on the disk."""
    tifffile.imwrite(
        path, shape=HUGE, dtype="uint16", bigtiff=True, photometric="minisblack", **options
    )
    return path


def corner(path):
    """Return the image of a file, and the end of the last rows of its last plane."""
    image = read(path)
    return image, np.asarray(image.data[(-1,) * (len(image.shape) - 2)][-3:, -4:])


@pytest.mark.parametrize("options", [{"metadata": {"axes": "TZYX"}}, {"metadata": None}])
def test_a_sparse_bigtiff(tmp_path, options):
    if options["metadata"] is None:
        shape = (1000, 1024, 1024)
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, shape=shape, dtype="uint8", bigtiff=True, **options)
    else:
        path = sparse(tmp_path / "a.tif", **options)
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        last = series.pages[-1]
        end = (
            series.dataoffset or last.dataoffsets[0] - series.nbytes + last.nbytes
        ) + series.nbytes
    with path.open("r+b") as file:
        file.seek(end - 1)
        file.write(b"\x05")
    del series, last
    tracemalloc.start()
    image, values = corner(path)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
    assert values.shape == (3, 4)
    assert values[-1, -1] == 5 << (8 * image.dtype.itemsize - 8)
    assert values[:-1].max() == 0


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "rowsperstrip": 7},
        {"tile": (16, 32), "compression": "lzw"},
        {"byteorder": ">"},
        {"rowsperstrip": 5, "metadata": None},
    ],
)
@pytest.mark.parametrize("in_parts", [False, True])
def test_any_part(tmp_path, monkeypatch, options, in_parts):
    """Parts of planes, with steps, of arrays whose planes are decoded as a whole or in parts."""
    monkeypatch.setattr("napari_cellinr.io.tiff.data._LARGEST_PLANE", 0 if in_parts else 2**30)
    monkeypatch.setattr(lazy, "_CHUNK", 1000)
    data = np.random.default_rng(0).integers(0, 9999, (4, 3, 50, 70), dtype=np.uint16)
    path = tmp_path / "a.tif"
    options = {"metadata": {"axes": "TZYX"}, **options}
    tifffile.imwrite(path, data, photometric="minisblack", **options)
    image = read(path, axes="TYX" if len(read(path).shape) == 3 else "TZYX", lazy_above=0)
    assert isinstance(image.data, dask.array.Array)
    data = data.reshape(image.shape)
    assert np.array_equal(image.array(), data)
    rng = np.random.default_rng(1)
    for _ in range(10):
        key = []
        for size in data.shape:
            start = int(rng.integers(size))
            key.append(slice(start, int(rng.integers(start, size)) + 1, int(rng.integers(1, 4))))
        assert np.array_equal(np.asarray(image.data[tuple(key)]), data[tuple(key)])


def test_a_crop_reads_only_itself(tmp_path, monkeypatch):
    data = np.zeros((50, 64, 64), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, data, photometric="minisblack", compression="zlib", metadata={"axes": "TYX"}
    )
    monkeypatch.setattr(lazy, "_CHUNK", 64 * 64)
    pages = []
    original = tiff_data._Pages._part

    def counted(self, page, inside):
        pages.append(page)
        return original(self, page, inside)

    monkeypatch.setattr(tiff_data._Pages, "_part", counted)
    read(path, lazy_above=0).crop(T=slice(10, 13), Y=slice(0, 9)).array()
    assert len(pages) == 3


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti(tmp_path, suffix):
    data = np.random.default_rng(0).integers(0, 999, (7, 6, 5, 4), dtype=np.int16)
    image = nibabel.Nifti1Image(data, np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    path = tmp_path / f"a{suffix}"
    nibabel.save(image, path)
    eager, late = read(path), read(path, lazy_above=0)
    assert isinstance(late.data, dask.array.Array)
    assert late.dtype == eager.dtype == np.float32
    assert np.array_equal(late.array(), eager.data)
    assert np.array_equal(np.asarray(late.data[1:3, :, ::2, 3]), eager.data[1:3, :, ::2, 3])


def test_a_damaged_checksum_is_found_when_data_are_read(tmp_path):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 8, 7), np.int16), np.eye(4)), path)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(FileError, match="damaged"):
        read(path)
    late = read(path, lazy_above=0)
    with pytest.raises(FileError, match="damaged"):
        late.array()


def test_a_damaged_plane_is_found_when_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lazy, "_CHUNK", 64 * 64)
    path = tmp_path / "a.tif"
    data = np.random.default_rng(0).integers(0, 255, (4, 64, 64), np.uint8)
    tifffile.imwrite(path, data, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as file:
        place = file.pages[2].dataoffsets[0] + 1000
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 40)
    image = read(path, lazy_above=0)
    assert np.array_equal(np.asarray(image.data[0]), data[0])
    with pytest.raises(FileError, match="damaged"):
        image.array()


def test_the_limit_is_a_setting(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.uint8))
    assert isinstance(read(path).data, np.ndarray)
    monkeypatch.setenv("NAPARI_CELLINR_LAZY_MB", "0")
    assert isinstance(read(path).data, dask.array.Array)
    monkeypatch.setenv("NAPARI_CELLINR_LAZY_MB", "lots")
    with pytest.raises(FileError, match="a number of megabytes"):
        read(path)


def test_pyramids(tmp_path):
    data = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(data, subifds=1, tile=(16, 16), photometric="minisblack", metadata=sizes)
        file.write(data[::2, ::2], subfiletype=1, tile=(16, 16), photometric="minisblack")
    (full,) = read_all(path)
    assert np.array_equal(full.data, data)
    for limit in (None, 0):
        coarse = read(path, level=1, lazy_above=limit)
        assert np.array_equal(coarse.array(), data[::2, ::2])
        assert (coarse.scale, coarse.translate) == ((1.0, 1.0), (0.25, 0.25))
    with pytest.raises(FileError, match="it has levels 0 to 1"):
        read(path, level=2)


@pytest.mark.parametrize(
    ("n_bytes", "file_bytes", "expected"),
    [
        (2**29, 2**29, False),
        (2**29 + 1, 2**29, True),  # above the limit
        (2**27, 1, False),  # strong compression, but small
        (2**28, 2**28 // 20, True),  # more than 20 times the file
        (2**28, 2**28 // 20 + 1, False),
    ],
)
def test_what_is_large_or_suspiciously_small_is_lazy(n_bytes, file_bytes, expected):
    assert lazy.is_lazy_size(n_bytes, file_bytes, 2**29) == expected
