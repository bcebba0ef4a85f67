"""CZI files as microscopes write them: compressed, in tiles, scenes apart, planes missing."""

import imagecodecs
import numpy as np
import pytest
from czi_writer import write_czi

from napari_cellinr import read, read_all
from napari_cellinr.errors import FileError, FileWarning

pytest.importorskip("czifile", reason="a library of the optional extra formats")

DATA = np.random.default_rng(0).integers(0, 60000, (2, 3, 5, 6)).astype(np.uint16)


def packed(raw):
    """Zstandard with the low bytes of all samples before the high bytes, and a header."""
    low_first = np.frombuffer(raw, np.uint8).reshape(-1, 2).T.tobytes()
    return bytes([3, 1, 1]) + imagecodecs.zstd_encode(low_first)


def plain_header(raw):
    return bytes([1]) + imagecodecs.zstd_encode(raw)


@pytest.mark.parametrize("compress", [(5, imagecodecs.zstd_encode), (6, packed), (6, plain_header)])
def test_compressed_blocks(tmp_path, compress):
    image = read(write_czi(tmp_path / "a.czi", DATA, "TZYX", compress=compress))
    np.testing.assert_array_equal(image.array(), DATA)


def test_blocks_that_hold_more_than_they_announce_are_refused(tmp_path):
    bomb = (5, lambda raw: imagecodecs.zstd_encode(bytes(10**7)))
    with pytest.raises(FileError, match="damaged"):
        read(write_czi(tmp_path / "a.czi", DATA, "TZYX", compress=bomb))


def test_an_unknown_compression_is_named(tmp_path):
    with pytest.raises(FileError, match="number 77"):
        read(write_czi(tmp_path / "a.czi", DATA, "TZYX", compress=(77, bytes)))


@pytest.mark.parametrize("limit", [0, 10**9])
def test_scenes_far_apart_have_their_own_size(tmp_path, limit):
    path = write_czi(tmp_path / "a.czi", DATA, "SZYX", corners=[(0, 0), (10**6, 3 * 10**6)])
    images = read_all(path, lazy_above=limit)
    assert [image.shape for image in images] == [(3, 5, 6)] * 2
    for image, expected in zip(images, DATA, strict=True):
        np.testing.assert_array_equal(image.array(), expected)
        np.testing.assert_array_equal(image.crop(Z=slice(1, 2), X=slice(2, 4)).array()[0],
                                      expected[1, :, 2:4])  # fmt: skip


def test_tiles_are_put_together_and_later_ones_are_on_top(tmp_path):
    tiles = DATA[:, 0]
    image = read(write_czi(tmp_path / "a.czi", tiles, "MYX", corners=[(2, 1), (3, 5)]))
    expected = np.zeros((6, 10), np.uint16)
    expected[:5, :6] = tiles[0]
    expected[1:6, 4:10] = tiles[1]
    np.testing.assert_array_equal(image.array(), expected)


def test_missing_planes_are_named_and_zero(tmp_path):
    path = write_czi(tmp_path / "a.czi", DATA, "TZYX", skip=[(1, 2)])
    with pytest.warns(FileWarning, match="lacks 1 of 6 planes of .*; what is missing is 0. Crop"):
        image = read(path)
    np.testing.assert_array_equal(image.array()[1, 2], 0)
    np.testing.assert_array_equal(image.array()[1, :2], DATA[1, :2])


def test_times_of_frames_are_read_from_a_list(tmp_path):
    text = (
        "<ImageDocument><Metadata><Information><Image><Dimensions><T><Positions><List>"
        "<Offsets>0 60.075</Offsets></List></Positions></T></Dimensions></Image></Information>"
        "</Metadata></ImageDocument>"
    )
    image = read(write_czi(tmp_path / "a.czi", DATA, "TZYX", text))
    assert (image.scale[0], image.units[0]) == (pytest.approx(60.075), "second")
