"""`info` prints what a file says, and what it does not say."""

import json

import numpy as np
import tifffile

from napari_cellinr import Image, read, write
from napari_cellinr.cli import main


def printed(capsys, *arguments):
    assert main(["info", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_what_is_known_and_what_is_not(tmp_path, capsys):
    image = Image(
        np.zeros((2, 3, 4, 5), np.uint8),
        "CZYX",
        scale=(1, 1, 0.1, 0.1),
        units=("pixel", "pixel", "micrometer", "micrometer"),
        translate=(0, 0, 12.5, 0),
        channels=("DAPI", "GFP"),
        meta={"channel_colours": ["#0000ff", "#00ff00"]},
    )
    path = write(tmp_path / "a.ome.tif", image)
    text = printed(capsys, path)
    assert "channels: DAPI (#0000ff), GFP (#00ff00)" in text
    assert "step 0.1 micrometer, from 12.5 micrometer" in text
    assert "not stated: voxel size along Z" in text
    facts = json.loads(printed(capsys, path, "--json"))
    assert facts["colours"] == ["#0000ff", "#00ff00"]
    assert facts["position"] == [0, 0, 12.5, 0]
    assert facts["not_stated"] == ["voxel size along Z"]


def test_times_of_the_frames(tmp_path, capsys):
    import tifffile

    path = tmp_path / "movie.ome.tif"
    planes = {"DeltaT": [0.0, 2.0, 4.2], "DeltaTUnit": ["s"] * 3}
    tifffile.imwrite(
        path, np.zeros((3, 4, 5), np.uint8), ome=True, metadata={"axes": "TYX", "Plane": planes}
    )
    text = printed(capsys, path)
    assert "frames recorded from 0 to 4.2 s, 2 to 2.2 s apart" in text
    assert json.loads(printed(capsys, path, "--json"))["times"] == [0.0, 2.0, 4.2]


def test_channels_without_names(tmp_path, capsys):
    path = write(tmp_path / "a.ome.tif", Image(np.zeros((2, 4, 5), np.uint8), "CYX"))
    assert "names of the channels, colours of the channels" in printed(capsys, path)


def test_several_images_have_the_numbers_of_the_option_series(tmp_path, capsys):
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for size in (16, 20):
            file.write(np.full((size, 17), size, np.uint8), metadata={"axes": "YX"})
    lines = [line for line in printed(capsys, path).splitlines() if line[0] != " "]
    assert [line[:9] for line in lines] == ["image 0: ", "image 1: "]
    assert main(["convert", str(path), str(tmp_path / "b.tif"), "--series", "1"]) == 0
    assert read(tmp_path / "b.tif").shape == (20, 17)
