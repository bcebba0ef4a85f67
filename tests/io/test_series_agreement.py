"""What the files of a series state about the axis along which they are stacked is kept."""

import numpy as np
import pytest
import tifffile

from napari_cellinr.errors import FileWarning
from napari_cellinr.image import Image
from napari_cellinr.io import read, write
from napari_cellinr.io.metadata.times import times_of

PLANE = np.zeros((4, 5), np.uint16)


def ome_files(folder, names, **metadata):
    """Write planes; a value that is a list has one item for each file."""
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        of_file = {k: v[i] if isinstance(v, list) else v for k, v in metadata.items()}
        size = {"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
        tifffile.imwrite(folder / name, PLANE + i, ome=True, metadata={**size, **of_file})
    return folder


@pytest.mark.parametrize("lazy_above", [None, 0])
def test_steps_along_the_new_axis(tmp_path, lazy_above):
    planes = ome_files(tmp_path / "z", ["z0.ome.tif", "z1.ome.tif"], PhysicalSizeZ=0.5)
    image = read(planes, stack_axis="Z", lazy_above=lazy_above)
    assert (image.axes, image.scale, image.units[0]) == ("ZYX", (0.5, 0.1, 0.1), "micrometer")
    frames = ome_files(tmp_path / "t", ["t0.ome.tif", "t1.ome.tif"], TimeIncrement=5)
    image = read(frames, stack_axis="T", lazy_above=lazy_above)
    assert (image.axes, image.scale, image.units[0]) == ("TYX", (5.0, 0.1, 0.1), "second")


def test_steps_that_differ_are_unknown(tmp_path):
    files = ome_files(tmp_path / "z", ["z0.ome.tif", "z1.ome.tif"], PhysicalSizeZ=[0.5, 0.6])
    assert read(files, stack_axis="Z").units[0] == "pixel"


def test_times_that_count_from_the_beginning_of_each_file_are_put_together(tmp_path):
    began = ["2026-11-29T09:00:00", "2026-11-29T09:01:00", "2026-11-29T09:02:00"]
    stated = [{"DeltaT": time} for time in (0.010, 0.012, 0.011)]
    names = [f"t{i}.ome.tif" for i in range(3)]
    files = ome_files(tmp_path / "t", names, Plane=stated, AcquisitionDate=began)
    image = read(files, stack_axis="T")
    assert (image.scale[0], image.units[0]) == (pytest.approx(60, abs=0.01), "second")


def test_times_do_not_replace_a_step_that_they_contradict(tmp_path):
    stated = [{"DeltaT": time} for time in (0.010, 0.012, 0.015)]
    names = [f"t{i}.ome.tif" for i in range(3)]
    files = ome_files(tmp_path / "t", names, Plane=stated, TimeIncrement=60)
    assert read(files, stack_axis="T").scale[0] == 60


def test_every_second_frame_of_a_recording_is_two_steps_apart(tmp_path):
    data = np.zeros((6, 4, 5), np.uint16)
    whole = Image(data, "TYX", (5.0, 1, 1), ("second", "micrometer", "micrometer"))
    (tmp_path / "t").mkdir()
    for t in (0, 2, 4):
        write(tmp_path / "t" / f"t{t}.tif", whole.crop(T=slice(t, t + 1)))
    assert read(tmp_path / "t", stack_axis="T").scale[0] == 10


def test_a_step_is_not_that_between_files_that_are_counted_by_tens(tmp_path):
    names = ["t000.ome.tif", "t010.ome.tif", "t020.ome.tif"]
    files = ome_files(tmp_path / "t", names, TimeIncrement=5)
    assert read(files, stack_axis="T").units[0] == "pixel"


def test_pixels_of_a_series_known_along_one_axis_are_warned_of(tmp_path):
    names = ["t0.ome.tif", "t1.ome.tif"]
    files = ome_files(tmp_path / "t", names, PhysicalSizeY=None)
    with pytest.warns(FileWarning, match="along X, but not along Y"):
        read(files, stack_axis="T")


def test_times_of_the_files(tmp_path):
    stated = [{"DeltaT": time} for time in (10.0, 12.0, 20.0)]
    files = ome_files(tmp_path / "t", [f"t{i}.ome.tif" for i in range(3)], Plane=stated)
    with pytest.warns(FileWarning, match="not equally spaced in time"):
        image = read(files, stack_axis="T")
    assert times_of(image) == (0.0, 2.0, 10.0)


def test_channels_have_the_names_in_the_files(tmp_path):
    names = [f"t{t}_c{c}.ome.tif" for t in (0, 1) for c in (0, 1)]
    files = ome_files(tmp_path / "c", names, Channel=[{"Name": n} for n in ["DNA", "actin"] * 2])
    image = read(files, stack_axis="T")
    assert (image.axes, image.channels) == ("TCYX", ("DNA", "actin"))
    assert image.array()[:, :, 0, 0].tolist() == [[0, 1], [2, 3]]


def test_names_that_contradict_each_other(tmp_path):
    names = [f"t{t}_c{c}.ome.tif" for t in (0, 1) for c in (0, 1)]
    stated = [{"Name": n} for n in ("DNA", "actin", "actin", "DNA")]
    image = read(ome_files(tmp_path / "c", names, Channel=stated), stack_axis="T")
    assert image.channels == ("c0", "c1")


def test_files_of_another_voxel_size(tmp_path):
    names = ["t0.ome.tif", "t1.ome.tif", "t2.ome.tif"]
    files = ome_files(tmp_path / "t", names, PhysicalSizeX=[0.1, 0.1, 0.2])
    said = r"1 of 3 files states another voxel size than the first: .*t2.ome.tif y=0.1 .* x=0.2"
    with pytest.warns(FileWarning, match=said):
        image = read(files, stack_axis="T")
    assert image.steps["X"] == 0.1


@pytest.mark.parametrize(
    ("names", "axis", "said"),
    [
        (("img_c1.tif", "img_c2.tif"), "T", "'c' .* usually means channels; .* as time points"),
        (("img_z1.tif", "img_z2.tif"), "T", "'z' .* usually means z planes; .* as time points"),
        (("t1.tif", "t2.tif"), "Z", "'t' .* usually means time points; .* as z planes"),
    ],
)
def test_names_that_count_something_else(tmp_path, names, axis, said):
    for name in names:
        tifffile.imwrite(tmp_path / name, PLANE, metadata=None)
    with pytest.warns(FileWarning, match=said):
        assert read(tmp_path, stack_axis=axis).axes == f"{axis}YX"
