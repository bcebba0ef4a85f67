"""Numbered files become one series, in the order in which people count."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_cellinr import superresolve
from napari_cellinr.acquisition.measurement import frame_starts
from napari_cellinr.errors import AxesError, FileError, FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, write
from napari_cellinr.io.metadata.times import places_of, times_of
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


@pytest.fixture
def gap(tmp_path):
    """Return a folder of frames that grow by 2 from number to number, of which two are missing."""
    for number in (0, 1, 2, 3, 6, 7, 8):
        frame = np.full((12, 14), 50 + 2 * number, np.float32)
        frame += np.arange(14, dtype=np.float32)
        tifffile.imwrite(tmp_path / f"img_{number:03d}.tif", frame, metadata=None)
    return tmp_path


def test_missing_numbers_are_a_gap_in_time(gap):
    with pytest.warns(FileWarning, match="3 is followed by 6. That is a gap in time, 2 frames are"):
        image = read(gap, stack_axis="T")
    assert times_of(image) == ()
    assert places_of(image) == (0, 1, 2, 3, 6, 7, 8)
    timed = image.with_voxel_size(T=0.5)
    assert times_of(timed) == (0, 0.5, 1, 1.5, 3, 3.5, 4)
    assert times_of(timed.crop(T=(3, 6))) == (0, 1.5, 2)
    assert places_of(timed[::2]) == (0, 1, 3, 4)
    assert places_of(timed.with_axes("ZYX")) == ()
    with pytest.warns(FileWarning, match="not equally spaced"):
        kept = read(write(gap.parent / "kept.tif", timed.with_voxel_size(Y=1, X=1)))
    assert kept.meta["times"] == [0, 0.5, 1, 1.5, 3, 3.5, 4]


def test_missing_numbers_along_z_are_no_gap_in_time(gap):
    with pytest.warns(FileWarning, match="z planes are therefore not equally spaced"):
        assert "frame_places" not in read(gap, stack_axis="Z").meta


@pytest.mark.parametrize("numbers", [(0, 1, 2, 3), (3, 6, 9)])
def test_a_series_without_gaps_has_no_places(tmp_path, numbers):
    for number in numbers:
        tifffile.imwrite(tmp_path / f"t{number}.tif", np.zeros((3, 4), np.uint8), metadata=None)
    assert "frame_places" not in read(tmp_path, stack_axis="T").meta


@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_frames_are_made_at_equal_steps_across_a_gap(gap):
    image = read(gap, stack_axis="T").with_voxel_size(T=0.5)
    found = superresolve(image, "preview", scale={"t": 2}, motion="never").images[0]
    assert (found.shape, found.steps["T"]) == ((17, 12, 14), 0.25)
    ramp = image.array()[0] + np.arange(17)[:, None, None]
    np.testing.assert_allclose(found.array(), ramp, atol=1e-4)


def test_motion_goes_on_at_its_speed_across_a_gap():
    y, x = np.mgrid[:20, :32].astype(float)

    def at(time):
        return np.float32(
            100 * np.exp(-((y - 9) ** 2 + (x - 8 - time) ** 2) / 12)
            + 60 * np.exp(-((y - 14) ** 2 + (x - 16 - time) ** 2) / 8)
        )

    places = [0, 1, 2, 3, 6, 7, 8]
    movie = Image(np.stack([at(p) for p in places]), "TYX", meta={"frame_places": places})
    made = superresolve(movie, "preview", scale={"t": 2}).images[0].array()
    truth = np.stack([at(t / 2) for t in range(17)])
    blended = superresolve(movie, "preview", scale={"t": 2}, motion="never").images[0].array()
    errors = [np.abs(found - truth).mean(axis=(1, 2)) for found in (made, blended)]
    assert (errors[0][5:14] <= 0.4 * errors[1][5:14]).all(), errors


@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_a_reconstruction_knows_the_gap(gap):
    image = read(gap, stack_axis="T").with_voxel_size(T=0.5)
    starts, timed = frame_starts(7, image, None)
    assert timed
    assert starts.tolist() == [0, 0.5, 1, 1.5, 3, 3.5, 4]
    assert frame_starts(7, image, 2.0)[0].tolist() == [0, 2, 4, 6, 12, 14, 16]


SECONDS = ("second", "pixel", "pixel")


def test_repeats_that_would_overlap_are_taken_as_equally_spaced():
    image = Image(np.zeros((4, 3, 3), np.float32), "TYX", scale=(1.0, 1, 1), units=SECONDS)
    image = image.like(image.data, meta={"times": [0, 0.6, 2, 3]})
    assert frame_starts(4, image, None)[0].tolist() == [0, 0.6, 2, 3]
    assert frame_starts(4, image, None, lasting=0.9)[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "names",
    [
        ("095950", "095955", "100000", "100005"),
        ("20261130_095950", "20261130_095955", "20261130_100000"),
        ("20261130095950", "20261130095955", "20261130100000"),
        ("20260131", "20260201", "20260202"),
    ],
)
def test_times_of_day_that_are_even_have_no_gap(names):
    """By their numbers alone, 808 frames would be missing between 095955 and 100000."""
    found = grid_of([Path(f"img_{name}.tif") for name in names], "T")
    assert (found.places, found.gaps, found.warnings) == ((), (), ())


def test_a_gap_between_times_of_day_is_named():
    names = ("095950", "095955", "100000", "100030")
    found = grid_of([Path(f"img_{name}.tif") for name in names], "T")
    assert found.places == ()
    assert "img_100000.tif is followed by img_100030.tif after 30 s" in found.gaps[0]


@pytest.mark.parametrize("word", ["z", "c", "pos", "xy", "field"])
def test_numbers_of_planes_channels_and_places_are_no_times(word):
    found = grid_of([Path(f"img_{word}{number}.tif") for number in (1, 2, 4)], "T")
    assert found.places == ()
    assert "not equally spaced" in found.warnings[-1]


@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_a_gap_is_forgotten_with_the_time_axis(gap):
    image = read(gap, stack_axis="T")
    assert image.meta["warnings"]
    assert image.with_axes("ZYX").meta["warnings"] == ()


@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_every_fifth_frame_with_a_gap_has_no_known_step(tmp_path):
    for number in (0, 5, 15, 20):
        described = {"axes": "YX", "TimeIncrement": 1.0, "TimeIncrementUnit": "s"}
        path = tmp_path / f"t{number:03d}.ome.tif"
        tifffile.imwrite(path, np.full((3, 4), number, np.uint8), metadata=described)
    image = read(tmp_path, stack_axis="T")
    assert (image.units[0], times_of(image)) == ("pixel", ())
    assert places_of(image) == (0, 1, 3, 4)


@pytest.mark.parametrize("name", ["kept.tif", "kept.ome.zarr"])
@pytest.mark.filterwarnings("ignore::napari_cellinr.errors.FileWarning")
def test_a_gap_is_kept_in_a_file_without_a_time_step(gap, name):
    image = read(gap, stack_axis="T")
    kept = read(write(gap.parent / name, image))
    assert (times_of(kept), places_of(kept)) == ((), (0, 1, 2, 3, 6, 7, 8))


@pytest.mark.parametrize("times", [["10:00", "10:05"], [0, None]])
def test_times_that_are_no_numbers_are_not_known(times):
    image = Image(np.zeros((2, 3, 3)), "TYX", units=SECONDS, meta={"times": times})
    assert (times_of(image), places_of(image)) == ((), ())
    assert frame_starts(2, image, None)[0].tolist() == [0, 1]
