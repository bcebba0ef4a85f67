"""A recording that changes while its parts are computed: they say so, and nothing is mixed."""

import os
from types import SimpleNamespace

import dask.array
import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import changes
from napari_cellinr.runs.scale.changes import stamp_of
from napari_cellinr.runs.scale.in_parts import PartsRequest, parts_job
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import part_job
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source, digest
from napari_cellinr.runs.scale.state import State

KNOWN = {"gain": 1.0, "read_noise": 2.0, "offset": 100.0, "pattern": "none", "coupling": False}
SHAPE = (16, 24, 80)


def values():
    generator = np.random.default_rng(0)
    y, x = np.indices(SHAPE[1:])
    light = 50 + 40 * np.sin(y / 3) * np.sin(x / 3)
    return (generator.poisson(np.stack([light] * SHAPE[0])) + 100).astype(np.uint16)


def edited(given, frame):
    """Return values of which three differ, outside the blocks of a digest."""
    changed = given.copy()
    changed[frame, 20, 72:75] = 7
    return changed


def config():
    return CellINRConfig(preset="preview", steps=5, **KNOWN)


def planned(folder, name="in.zarr"):
    outputs = {"result": str(folder / "out.zarr")}
    return make_plan("denoise", Source(str(folder / name)), config(), outputs, 1e12)


def run_first(plan, count):
    for number in range(count):
        finish(part_job(plan, number, Monitor()))


@pytest.fixture(params=["in.zarr", "in.tif"])
def name(request, tmp_path):
    write(tmp_path / request.param, Image(values(), "TYX", name="a"))
    return request.param


def write_again(folder, name, data):
    (folder / "new").mkdir()
    write(folder / "new" / name, Image(data, "TYX", name="a"))
    (folder / name).rename(folder / "before")
    (folder / "new" / name).rename(folder / name)


def test_blocks_of_the_digest_do_not_have_the_edit():
    one, other = (Image(data, "TYX") for data in (values(), edited(values(), 1)))
    assert digest(one) == digest(other)


def test_a_finished_part_that_read_something_else_is_named_once(tmp_path, name):
    plan = planned(tmp_path, name)
    run_first(plan, 3)
    write_again(tmp_path, name, edited(values(), 1))
    found = finish(run_plan(plan))
    assert list(found.failed) == [3]
    assert "has changed since part 1 was computed from it" in found.failed[3]
    assert State(plan).done == {0, 1, 2}
    if name == "in.tif":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).rename(tmp_path / "edited")
    (tmp_path / "before").rename(tmp_path / name)
    found = finish(run_plan(plan))
    assert found.is_complete
    assert found.warnings == []


def test_a_file_that_was_only_touched_goes_on_with_a_sentence(tmp_path, name):
    plan = planned(tmp_path, name)
    run_first(plan, 3)
    for path in [tmp_path / name, *(tmp_path / name).rglob("*")]:
        os.utime(path)
    found = finish(run_plan(plan))
    assert found.is_complete
    (text,) = found.warnings
    assert "another size or modification time than when the run was planned" in text
    assert "finished before have read the same values" in text


def test_values_that_no_finished_part_has_read_may_change_with_a_sentence(tmp_path, name):
    plan = planned(tmp_path, name)
    run_first(plan, 3)
    write_again(tmp_path, name, edited(values(), 8))
    found = finish(run_plan(plan))
    assert found.is_complete
    assert "another size or modification time" in found.warnings[0]
    other = make_plan(
        "denoise", Source(str(tmp_path / name)), config(), {"result": str(tmp_path / "b.zarr")},
        1e12,
    )  # fmt: skip
    finish(run_plan(other))
    np.testing.assert_array_equal(read(plan.places[0]).array(), read(other.places[0]).array())


def test_a_change_behind_the_last_part_is_found_before_the_result_is_complete(tmp_path, name):
    """A part that began before a change, and ended after others had noticed it, is found, too."""
    plan = planned(tmp_path, name)
    run_first(plan, len(plan.parts))
    write_again(tmp_path, name, edited(values(), len(plan.parts) - 1))
    found = finish(run_plan(plan))
    (text,) = found.failed.values()
    assert f"since part {len(plan.parts) - 1} was computed" in text
    assert not found.is_complete
    assert State(plan).done == set(range(len(plan.parts)))


def test_parts_that_workers_compute_notice_it(tmp_path):
    from napari_cellinr.runs.scale.executors import open_workers

    write(tmp_path / "in.zarr", Image(values(), "TYX", name="a"))
    plan = planned(tmp_path)
    run_first(plan, 3)
    write_again(tmp_path, "in.zarr", edited(values(), 1))
    workers = open_workers(None, 1)
    try:
        found = finish(run_plan(plan, workers))
    finally:
        workers.close(stop=True)
    assert not found.is_complete
    assert any("has changed since part 1" in text for text in found.failed.values())


def test_a_recording_that_is_gone_is_no_obstacle_to_the_end(tmp_path):
    write(tmp_path / "in.zarr", Image(values(), "TYX", name="a"))
    plan = planned(tmp_path)
    run_first(plan, len(plan.parts))
    (tmp_path / "in.zarr").rename(tmp_path / "archive")
    assert finish(run_plan(plan)).is_complete


def stopped_after(image, path, count):
    """Run an image that is open in parts until so many are finished."""
    job = parts_job(PartsRequest("denoise", image, config(), path))
    while next(job).step < count:
        pass
    job.close()


def resumed(image, path):
    return finish(parts_job(PartsRequest("denoise", image, config(), path))).finished


@pytest.mark.parametrize("is_lazy", [False, True])
def test_a_layer_that_was_edited_between_stop_and_run_is_refused(tmp_path, is_lazy):
    def layer(data):
        return Image(dask.array.from_array(data, chunks=(1, 24, 80)) if is_lazy else data, "TYX")

    path = tmp_path / "out.zarr"
    stopped_after(layer(values()), path, 3)
    with pytest.raises(FileError, match="was edited after part 1 of"):
        resumed(layer(edited(values(), 1)), path)
    assert resumed(layer(values()), path).is_complete


def test_a_layer_that_is_edited_while_it_is_computed_is_no_mixture(tmp_path):
    data, path = values(), tmp_path / "out.zarr"
    job = parts_job(PartsRequest("denoise", Image(data, "TYX"), config(), path))
    while next(job).step < 3:
        pass
    data[1, 20, 72:75] = 7
    found = finish(job).finished
    assert not found.is_complete
    assert any("has changed since part 1" in text for text in found.failed.values())


def test_a_folder_of_very_many_files_is_not_looked_at_for_each_part(tmp_path, monkeypatch):
    write(tmp_path / "in.zarr", Image(values(), "TYX", name="a"))
    source = Source(str(tmp_path / "in.zarr"))
    clock = SimpleNamespace(now=100.0)

    def now():
        clock.now += 1.0  # each look takes seconds
        return clock.now

    monkeypatch.setattr(changes, "time", SimpleNamespace(time=now))
    first = stamp_of(source, source.image())
    write_again(tmp_path, "in.zarr", edited(values(), 1))
    assert stamp_of(source, source.image(), None) == first
    assert stamp_of(source, source.image()) != first
    second = stamp_of(source, source.image())
    (tmp_path / "in.zarr" / "0" / "c" / "1" / "0" / "0").unlink()
    assert stamp_of(source, source.image(), None) == second
    clock.now += 100  # a while later
    assert stamp_of(source, source.image(), None) != second


@pytest.mark.parametrize("how", ["folder", "pattern"])
def test_numbered_files_that_are_written_again_are_no_mixture(tmp_path, how):
    folder = tmp_path / "series"
    folder.mkdir()
    for number, frame in enumerate(values()):
        write(folder / f"t{number:02}.tif", Image(frame, "YX", name="a"))
    path = folder if how == "folder" else folder / "t*.tif"
    outputs = {"result": str(tmp_path / "out.zarr")}
    plan = make_plan("denoise", Source(str(path), stack="T"), config(), outputs, 1e12)
    run_first(plan, 3)
    write(tmp_path / "new.tif", Image(edited(values(), 1)[1], "YX", name="a"))
    (folder / "t01.tif").write_bytes((tmp_path / "new.tif").read_bytes())
    found = finish(run_plan(plan))
    assert list(found.failed) == [3]
    assert "has changed since part 1" in found.failed[3]


def test_files_that_exchange_their_names_have_another_stamp(tmp_path):
    for number, second in enumerate((100, 200, 300)):
        write(tmp_path / f"t{number}.tif", Image(values()[number], "YX"))
        os.utime(tmp_path / f"t{number}.tif", (second, second))
    source = Source(str(tmp_path / "t*.tif"), stack="T")
    before = stamp_of(source, source.image())
    (tmp_path / "t0.tif").rename(tmp_path / "new")
    (tmp_path / "t1.tif").rename(tmp_path / "t0.tif")
    (tmp_path / "new").rename(tmp_path / "t1.tif")
    assert stamp_of(source, source.image()) != before


def test_the_other_files_of_an_ome_tiff_are_looked_at(tmp_path):
    parts = "".join(
        f'<TiffData FirstT="{t}" IFD="0"><UUID FileName="t{t}.ome.tif">urn:{t}</UUID></TiffData>'
        for t in range(2)
    )
    for t in range(2):
        text = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:{t}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
            'Type="uint16" SizeX="80" SizeY="24" SizeC="1" SizeZ="1" SizeT="2">'
            f"{parts}</Pixels></Image></OME>"
        )
        tifffile.imwrite(tmp_path / f"t{t}.ome.tif", values()[t], metadata=None, description=text)
    source = Source(str(tmp_path / "t0.ome.tif"))
    assert source.image().sizes["T"] == 2
    before = stamp_of(source, source.image())
    os.utime(tmp_path / "t1.ome.tif", (1, 1))
    assert stamp_of(source, source.image()) != before


def test_a_run_can_be_stopped_while_finished_parts_are_compared(tmp_path):
    write(tmp_path / "in.tif", Image(values(), "TYX", name="a"))
    plan = planned(tmp_path, "in.tif")
    run_first(plan, 3)
    os.utime(tmp_path / "in.tif")
    job = run_plan(plan)
    while "comparing" not in next(job).stage:
        pass
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert end.value.value.stopped
    assert State(plan).compared == ""
    assert finish(run_plan(plan)).is_complete


@pytest.mark.parametrize("is_file", [False, True])
def test_to_overwrite_begins_again_if_values_were_edited(tmp_path, is_file):
    def given(data):
        if not is_file:
            return Image(data, "TYX")
        if (tmp_path / "in.zarr").exists():
            write_again(tmp_path, "in.zarr", data)
        else:
            write(tmp_path / "in.zarr", Image(data, "TYX", name="a"))
        return read(tmp_path / "in.zarr", lazy_above=0)

    path = tmp_path / "out.zarr"
    stopped_after(given(values()), path, 3)
    new = given(edited(values(), 1))
    request = PartsRequest("denoise", new, config(), path, overwrite=True)
    assert finish(parts_job(request)).finished.is_complete
    finish(parts_job(PartsRequest("denoise", new, config(), tmp_path / "other.zarr")))
    np.testing.assert_array_equal(read(path).array(), read(tmp_path / "other.zarr").array())


def test_no_stamp_where_there_are_no_files():
    image = Image(np.zeros((2, 8, 8)), "TYX")
    assert stamp_of(Source(""), image) == ""
    assert stamp_of(Source("https://example.org/a.zarr"), image) == ""
