"""A command that takes the first of several images of a file says so."""

import warnings

import numpy as np
import pytest
import tifffile
import zarr

from napari_cellinr import read, read_all
from napari_cellinr.cli import main
from napari_cellinr.errors import FileWarning


def several(path, n=3):
    with tifffile.TiffWriter(path) as file:
        for number in range(n):
            values = np.full((2, 8, 9), number, np.uint16)
            file.write(values, metadata={"axes": "ZYX", "Name": f"position {number}"})
    return path


def test_it_is_named_and_others_can_be_chosen(tmp_path, capsys):
    path, out = several(tmp_path / "a.ome.tif"), tmp_path / "b.tif"
    assert main(["convert", str(path), str(out)]) == 0
    assert "holds several images; the first, a position 0, is used" in capsys.readouterr().err
    for number in (0, 2):
        chosen = ["convert", str(path), str(out), "--series", str(number), "--overwrite"]
        assert main(chosen) == 0
        assert "several images" not in capsys.readouterr().err
        assert read(out).array().max() == number


def test_a_file_with_one_image_is_read_in_silence(tmp_path, capsys):
    path = several(tmp_path / "a.ome.tif", 1)
    assert main(["convert", str(path), str(tmp_path / "b.tif")]) == 0
    assert "several images" not in capsys.readouterr().err


def test_images_of_a_folder_of_zarr(tmp_path, capsys):
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=2)
    axes = [{"name": name, "type": "space"} for name in "yx"]
    for number in range(2):
        field = group.create_group(str(number))
        field.create_array("0", shape=(8, 9), dtype="uint16")[...] = number
        field.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    assert main(["convert", str(tmp_path / "a.ome.zarr"), str(tmp_path / "b.tif")]) == 0
    assert "holds several images" in capsys.readouterr().err


def test_python_reads_the_first_as_documented(tmp_path):
    path = several(tmp_path / "a.ome.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FileWarning)
        assert read(path).array().max() == 0
        assert len(read_all(path)) == 3


def test_files_of_several_images_that_are_stacked(tmp_path):
    for number in range(2):
        with tifffile.TiffWriter(tmp_path / f"t{number}.tif") as file:
            file.write(np.full((8, 9), number, np.uint16), metadata=None)
            file.write(np.full((5, 6), 77, np.uint16), metadata=None)
    with pytest.warns(FileWarning, match="holds several images; the first one is stacked"):
        found = read(tmp_path, stack_axis="T")
    assert found.shape == (2, 8, 9)
