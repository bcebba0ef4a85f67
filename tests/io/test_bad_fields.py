"""One image of a file that cannot be read does not take the others with it."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_cellinr import Image, read, read_all, write
from napari_cellinr.cli import main
from napari_cellinr.errors import FileError, FileWarning
from napari_cellinr.fitting.problem import Fitted, Progress
from napari_cellinr.io.reading import read_parts


@pytest.fixture
def plate(tmp_path):
    """Return a plate of three fields, each an OME-Zarr image of one value."""
    place = tmp_path / "plate.zarr"
    group = zarr.open_group(place, mode="w")
    wells = [{"path": "A/1"}, {"path": "A/2"}]
    group.attrs["ome"] = {"version": "0.5", "plate": {"wells": wells}}
    for well, fields in (("A/1", ("0", "1")), ("A/2", ("0",))):
        images = [{"path": field} for field in fields]
        group.create_group(well).attrs["ome"] = {"well": {"images": images}}
        for field in fields:
            value = 10 + 10 * len(list(place.glob("*/*/*/zarr.json")))
            image = Image(np.full((16, 16), value, np.uint16), "YX")
            write(place / well / f"{field}.zarr", image)
            (place / well / f"{field}.zarr").rename(place / well / field)
    return place


def damage(plate, place):
    (plate / place / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group"}))


def test_every_field_of_a_good_plate(plate):
    assert [image.array()[0, 0] for image in read_all(plate)] == [10, 20, 30]


@pytest.mark.parametrize("place", ["A/1/1", "A/2"])
def test_the_others_are_read_and_the_bad_one_is_named(plate, place):
    damage(plate, place)
    with pytest.warns(FileWarning, match="one of 3 images is left out|one of 2 images"):
        images = read_all(plate)
    assert 10 in [image.array()[0, 0] for image in images]


def test_a_missing_field(plate):
    (plate / "A/1/1").rename(plate / "A/1/elsewhere")
    with pytest.warns(FileWarning, match=r"A.1.1 is missing or damaged"):
        assert [image.array()[0, 0] for image in read_all(plate)] == [10, 30]
    parts = read_parts(plate)
    assert [type(part).__name__ for part in parts] == ["Image", "FileError", "Image"]


def test_a_plate_without_a_good_field(plate):
    for place in ("A/1/0", "A/1/1", "A/2/0"):
        damage(plate, place)
    with pytest.raises(FileError):
        read_all(plate)
    with pytest.raises(FileError):
        read(plate)


def job(image, config, monitor):
    yield Progress("fitting", 1, 2)
    result = image.like(np.asarray(image.data, np.float32) + 1, name=f"{image.name} denoised")
    return Fitted((result,), config, {}, (), "steps", {}, roles=("result",))


def test_a_batch_lists_the_bad_field_as_failed(plate, put_job, tmp_path, monkeypatch):
    put_job("denoise", job)
    monkeypatch.chdir(tmp_path)
    damage(plate, "A/1/1")
    Path("m.py").write_text('cellinr.open("plate.zarr")\ncellinr.denoise("plate A/1/0")\n')
    assert main(["batch", "m.py", str(plate), "--every-series", "--folder", "out"]) == 1
    rows = Path("out/summary.csv").read_text().splitlines()[1:]
    assert [row.split(",")[3] for row in rows] == ["done", "failed", "done"]
    values = sorted(read(path).array()[0, 0] for path in Path("out").glob("*.tif"))
    assert values == [11, 31]
