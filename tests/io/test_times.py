"""The times of the planes give the time step, and say where it is not constant."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, read
from napari_cellinr.errors import FileWarning
from napari_cellinr.io.findings import warnings_of
from napari_cellinr.io.metadata.times import with_times
from napari_cellinr.io.tiff.times import frame_times


def movie(n=4, **changes):
    return Image(np.zeros((n, 3, 4)), "TYX", **changes)


def ome(folder, times, unit="s", increment=None, n_z=1):
    path = folder / "movie.ome.tif"
    planes = {
        "DeltaT": [t + 0.1 * z for t in times for z in range(n_z)],
        "DeltaTUnit": [unit] * len(times) * n_z,
    }
    metadata = {"axes": "TZYX" if n_z > 1 else "TYX", "Plane": planes}
    if increment is not None:
        metadata |= {"TimeIncrement": increment, "TimeIncrementUnit": "s"}
    shape = (len(times), n_z, 4, 5) if n_z > 1 else (len(times), 4, 5)
    tifffile.imwrite(path, np.zeros(shape, np.uint16), ome=True, metadata=metadata)
    return path


def test_a_step_from_the_planes(tmp_path):
    image = read(ome(tmp_path, [0.0, 2.0, 4.1, 6.0]))
    assert image.steps["T"] == pytest.approx(2.0)
    assert image.units[0] == "second"
    assert image.meta["times"] == pytest.approx([0.0, 2.0, 4.1, 6.0])


def test_planes_of_a_volume_and_other_units(tmp_path):
    image = read(ome(tmp_path, [500.0, 1500.0, 2500.0], "ms", n_z=2))
    assert image.steps["T"] == pytest.approx(1.0)
    assert image.meta["times"] == pytest.approx([0.0, 1.0, 2.0])


def test_frames_that_are_not_equally_spaced(tmp_path):
    path = ome(tmp_path, [0.0, 2.0, 4.0, 30.0], increment=2.0)
    with pytest.warns(FileWarning, match="not equally spaced.*after frame 2"):
        image = read(path)
    assert image.steps["T"] == pytest.approx(2.0)


def test_of_planes_no_times_are_said(tmp_path):
    path = ome(tmp_path, [0.0, 2.0, 4.0, 30.0], increment=2.0)
    image = read(path, axes="ZYX")  # a warning would be an error
    assert warnings_of(image) == ()
    assert "times" not in image.meta


def test_a_stated_step_that_the_planes_deny(tmp_path):
    path = ome(tmp_path, [0.0, 3.0, 6.0, 9.0], increment=1.0)
    with pytest.warns(FileWarning, match="states a time step of 1 s.*were recorded 3 s apart"):
        assert read(path).steps["T"] == pytest.approx(3.0)


def test_a_stated_step_that_the_planes_confirm(tmp_path):
    assert read(ome(tmp_path, [0.0, 1.01, 2.0], increment=1.0)).steps["T"] == 1.0


@pytest.mark.parametrize("times", [[], [0, 1, 2], [0, 1, 1, 2], [0, 2, 1, 3], [0, 1, 2, np.nan]])
def test_times_that_say_nothing(times):
    assert with_times(movie(), times, "a.tif").units[0] == "pixel"


def test_times_that_go_back_are_named():
    (text,) = warnings_of(with_times(movie(), [0, 4, 1, 3], "a.tif"))
    assert "do not increase (frame 1 at 4 s is followed by 1 s)" in text
    assert not warnings_of(with_times(movie(), [0, 0, 0, 0], "a.tif"))  # not recorded


class Page:
    parent = SimpleNamespace(filehandle=SimpleNamespace(closed=False))

    def __init__(self, seconds):
        self.seconds = seconds

    def aspage(self):
        return self

    @property
    def tags(self):
        return self

    def valueof(self, name):
        return {"ElapsedTime-ms": 1000 * self.seconds}


class File:
    is_micromanager = True


class Series:
    kind, axes, shape = "mmstack", "TCYX", (3, 2, 4, 5)
    pages = tuple(Page(t + 0.2 * c) for t in (0, 5, 10) for c in range(2))


def test_micro_manager():
    assert frame_times(File(), Series()) == (0.0, 5.0, 10.0)
