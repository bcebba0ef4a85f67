"""Numbered files become one series, in the order in which people count."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import AxesError, FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, write
from napari_cellinr.io.series.counters import grid_of
from napari_cellinr.io.series.sequences import in_order, is_numbered, read_files


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "movie"
    place.mkdir()
    for number in (8, 9, 10):
        image = Image(
            np.full((2, 3, 4), number, np.uint8), scale=(0.5, 0.2, 0.2), units=("micrometer",) * 3
        )
        write(place / f"embryo_t{number}.tif", image)
    return place


@pytest.mark.parametrize("lazy_above", [None, 0])
def test_a_folder_along_time(folder, lazy_above):
    image = read(folder, stack_axis="T", lazy_above=lazy_above)
    assert (image.axes, image.shape, image.name) == ("TZYX", (3, 2, 3, 4), "movie")
    assert image.scale == (1.0, 0.5, 0.2, 0.2)
    assert image.units == ("pixel", *("micrometer",) * 3)
    assert image.array()[:, 0, 0, 0].tolist() == [8, 9, 10]
    assert isinstance(image.data, np.ndarray) == (lazy_above is None)


def test_a_folder_needs_to_be_told(folder):
    with pytest.raises(FileError, match=r"time points \(--stack T.*z planes \(--stack Z"):
        read(folder)
    with pytest.raises(AxesError, match="already has an axis Z"):
        read(folder, stack_axis="Z")
    with pytest.raises(AxesError, match="T and Z are allowed"):
        read(folder, stack_axis="C")


def test_planes_along_z(tmp_path):
    for number in range(3):
        tifffile.imwrite(tmp_path / f"z{number}.tif", np.full((4, 5), number, np.uint16))
    assert read(tmp_path, stack_axis="Z").sizes == {"Z": 3, "Y": 4, "X": 5}


def test_a_selection_is_called_after_what_it_has_in_common(folder):
    paths = sorted(folder.iterdir(), reverse=True)[:2]
    assert read_files(paths, "T", None, 2**30).name == "embryo_t"
    assert is_numbered(paths)
    assert not is_numbered(paths[:1])
    assert not is_numbered([folder / "a1.tif", folder / "b2.tif"])
    assert [p.name for p in in_order([folder / "a10", folder / "a9"])] == ["a9", "a10"]


@pytest.mark.parametrize("lazy_above", [None, 0])
def test_files_that_differ(folder, lazy_above):
    tifffile.imwrite(folder / "embryo_t7.tif", np.zeros((5, 5), np.uint8))
    with pytest.raises(FileError, match="all files of a series need the same"):
        read(folder, stack_axis="T", lazy_above=lazy_above).array()


def test_folders_without_a_series(tmp_path, folder):
    with pytest.raises(FileError, match="holds no TIFF file"):
        read(tmp_path, stack_axis="T")
    (folder / "other.tif").write_bytes(b"")
    with pytest.raises(FileError, match="differ in more than numbers"):
        read(folder, stack_axis="T")


def test_a_series_says_how_to_read_it_again(folder):
    whole = sorted(folder.iterdir())
    some = [folder / "embryo_t8.tif", folder / "embryo_t10.tif"]
    pattern = folder / "embryo_t*.tif"
    told = {
        "folder": read(folder, stack_axis="T").meta["series"],
        "files": read(whole, stack_axis="T").meta["series"],
        "some": read(some, stack_axis="T").meta["series"],
    }
    assert told["folder"] == {"path": str(folder), "along": "T"}
    assert told["files"] == {"path": str(pattern), "along": "T"}
    names = ["embryo_t8.tif", "embryo_t10.tif"]
    assert told["some"] == {"path": str(folder), "along": "T", "files": names}
    again = read(pattern, stack_axis="T")
    assert (again.name, again.array()[:, 0, 0, 0].tolist()) == ("embryo_t", [8, 9, 10])
    with pytest.raises(FileError, match="stack_axis"):
        read(pattern)
    with pytest.raises(FileError, match="a number for each"):
        read(folder / "embryo_z*.tif", stack_axis="T")


def test_suffixes_in_other_spellings_are_one_series(tmp_path):
    for number, suffix in enumerate((".TIF", ".tif", ".tiff", ".Tiff")):
        path = tmp_path / f"t{number}{suffix}"
        tifffile.imwrite(path, np.full((3, 4), number, np.uint8), metadata=None)
    image = read(tmp_path, stack_axis="T")
    assert image.array()[:, 0, 0].tolist() == [0, 1, 2, 3]
    assert is_numbered([tmp_path / "t0.TIF", tmp_path / "t1.tiff"])


def test_numbers_of_many_digits_are_told_apart(tmp_path):
    """A date with a time in milliseconds has 17 digits, more than a floating-point number."""
    for number in (1, 2, 3):
        path = tmp_path / f"20240301120000{number:03d}.tif"
        tifffile.imwrite(path, np.full((3, 4), number, np.uint8), metadata=None)
    image = read(tmp_path, stack_axis="T")
    assert image.array()[:, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "names",
    [
        ("20240301_235950", "20240302_000000", "20240302_000010"),
        ("a 2024-03-31 x", "a 2024-04-01 x", "a 2024-04-02 x"),
        ("2024-02-29T23-30", "2024-03-01T00-00", "2024-03-01T00-30"),
        ("2023-12-31", "2024-01-01", "2024-01-02"),
    ],
)
def test_dates_across_midnight_and_the_end_of_a_month(tmp_path, names):
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, np.full((3, 4), number, np.uint8), metadata=None)
    image = read(tmp_path, stack_axis="T")
    assert image.array()[:, 0, 0].tolist() == [0, 1, 2]


def test_dates_with_a_gap_are_named(tmp_path):
    for number, name in enumerate(("20240301_235950", "20240302_000000", "20240302_000030")):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, np.full((3, 4), number, np.uint8), metadata=None)
    said = "20240302_000000.tif is followed by 20240302_000030.tif after 30 s, others after 10 s"
    with pytest.warns(FileWarning, match=said):
        read(tmp_path, stack_axis="T")


@pytest.mark.parametrize(
    "names",
    [
        ("1_1", "1_2", "2_1"),
        ("20240301_s1", "20240301_s2", "20240302_s1"),
        ("20240301_0000", "20240301_0001", "20240302_0000", "20240302_0001"),
    ],
)
def test_two_counters_that_are_no_date_are_not_mixed(tmp_path, names):
    for name in names:
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((3, 4), np.uint8), metadata=None)
    with pytest.raises(FileError, match="count 2 things"):
        read(tmp_path, stack_axis="T")


@pytest.mark.parametrize(
    ("names", "gap"),
    [
        (("z1", "z2", "z4", "z5"), "numbers are missing in the names of the files (3): 2 is "
         "followed by 4"),
        (("z1", "z2", "z3"), None),
        (("t1_z1", "t1_z2", "t2_z1", "t2_z2", "t6_z1", "t6_z2"), "numbers are missing in the "
         "names of the files (3, 4, 5): 2 is followed by 6"),
    ],
)  # fmt: skip
def test_gaps_are_told_apart_from_other_warnings(names, gap):
    found = grid_of([Path(f"{name}.tif") for name in names], "T")
    assert found.gaps == (() if gap is None else (gap,))
    for_other_axis = found.axis_in_names == "Z"
    assert len(found.warnings) == len(found.gaps) + for_other_axis
    assert [text.startswith(f"{gap}. ") for text in found.warnings].count(True) == len(found.gaps)
