"""An image that is open, computed in parts: from its file or from memory, watched and resumed."""

import dask.array
import numpy as np
import pytest
import zarr

from napari_cellinr import Image, compute_in_parts, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io.lazy import lazy_array
from napari_cellinr.io.series.channels import PART
from napari_cellinr.runs.scale.in_parts import GROWTH, PartsRequest, parts_job
from napari_cellinr.runs.scale.layout import Needs, boxes
from napari_cellinr.runs.scale.methods import denoise
from napari_cellinr.runs.scale.opened import file_of, growing, levels_of, limits_of
from napari_cellinr.runs.scale.plan import load_plan
from napari_cellinr.runs.scale.source import digest

KNOWN = {"gain": 1.0, "read_noise": 2.0, "offset": 100.0, "pattern": "none"}


def movie(shape=(6, 40, 48)):
    """Return a noisy movie of a blob that moves."""
    generator = np.random.default_rng(0)
    t, y, x = np.meshgrid(*map(np.arange, shape), indexing="ij")
    light = 20 + 150 * np.exp(-((y - 15 - t) ** 2 + (x - 20) ** 2) / 30)
    data = generator.poisson(light) + generator.normal(0, 2, shape) + 100
    return Image(
        data.astype(np.uint16), "TYX", (2.0, 0.2, 0.2), ("second", "micrometer", "micrometer"),
        name="movie",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Blocks have two frames."""

    def layout(image, config, channels, memory):
        return boxes(image, Needs(0.0, 1.0, 0.0, 2, 2, others=1), memory)

    monkeypatch.setattr(denoise.METHOD, "layout", layout)


def request(image, path, **settings):
    return PartsRequest("denoise", image, CellINRConfig(**{**KNOWN, **settings}), path)


def progress_of(job, message=None, until=lambda progress: False):
    """Return the progress of a job up to its end, or until a stop is sent; and what it returns."""
    found = []
    try:
        found.append(next(job))
        while True:
            found.append(job.send("stop" if until(found[-1]) else message))
    except StopIteration as end:
        return found, end.value


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    write(folder / "in.zarr", movie())
    write(folder / "in.tif", movie())
    return folder


@pytest.mark.parametrize("name", ["in.zarr", "in.tif"])
@pytest.mark.parametrize("limit", [0, None])
def test_an_image_is_found_in_the_file_that_it_was_read_from(files, name, limit):
    image = read(files / name, lazy_above=limit)
    source = file_of(image)
    assert source.path == str(files / name)
    np.testing.assert_array_equal(source.image().array(), image.array())


def test_another_voxel_size_is_that_of_the_source(files):
    steps = {"T": 3.0, "Y": 0.5}
    image = read(files / "in.tif").with_voxel_size("micrometer", **steps)
    source = file_of(image)
    assert dict(source.voxel) == steps
    assert source.image().scale == image.scale


def test_an_image_with_other_values_or_places_is_not_that_in_the_file(files):
    image = read(files / "in.zarr")
    assert file_of(image) is not None
    assert file_of(image.like(image.array() + 1)) is None
    assert file_of(image.crop(Y=slice(3, 30))) is None
    assert file_of(image.like(image.data, meta={})) is None
    assert file_of(image.like(image.data, meta={"source": "missing.tif"})) is None


def test_a_channel_of_a_file_is_found(tmp_path):
    one = movie()
    data = np.stack([one.array(), one.array()[::-1]], axis=1)
    write(tmp_path / "two.zarr", Image(data, "TCYX", name="two"))
    image = read(tmp_path / "two.zarr")
    channel = image.take("C", 1)
    source = file_of(channel.like(channel.data, meta={**channel.meta, PART: {"channel": 1}}))
    assert source.channel == 1
    np.testing.assert_array_equal(source.image().array(), data[:, 1])


def test_memory_and_file_give_the_same(files, tmp_path):
    lazy = movie().like(dask.array.from_array(movie().array(), chunks=(1, 40, 48)))
    results = []
    for number, image in enumerate((read(files / "in.zarr"), lazy, movie())):
        found = finish(parts_job(request(image, tmp_path / f"{number}.zarr")))
        assert found.finished.is_complete
        assert bool(found.plan.source.path) == (number == 0)
        results.append(found.levels[0])
    for other in results[1:]:
        np.testing.assert_array_equal(other.array(), results[0].array())
        assert (other.axes, other.scale, other.units) == ("TYX", (2.0, 0.2, 0.2), movie().units)


def test_the_result_grows_while_parts_finish(tmp_path):
    found, result = progress_of(parts_job(request(movie(), tmp_path / "out.zarr")))
    shown = [one.preview for one in found if one.preview is not None]
    growth = [one.meta[GROWTH] for one in shown]
    total = result.finished.total
    assert [one.done for one in growth] == list(range(total))
    assert {one.total for one in growth} == {total}
    assert growth[0].limits == limits_of(movie())
    assert shown[0].shape == movie().shape
    assert isinstance(shown[0].data, dask.array.Array)


def test_what_is_not_finished_is_zero_and_a_stop_keeps_the_rest(tmp_path):
    path = tmp_path / "out.zarr"
    _, result = progress_of(parts_job(request(movie(), path)), until=lambda one: one.step == 1)
    assert result.finished.stopped
    assert result.finished.done == 1
    first = result.levels[0].array()
    assert first[:2].any()
    assert not first[2:].any()
    again, result = progress_of(parts_job(request(movie(), path)))
    assert result.finished.is_complete
    assert min(one.step for one in again if one.steps) == 1  # the first part is not computed again
    whole = finish(parts_job(request(movie(), tmp_path / "whole.zarr"))).levels[0]
    np.testing.assert_array_equal(result.levels[0].array(), whole.array())


def test_a_cancelled_run_keeps_its_parts(tmp_path):
    path = tmp_path / "out.zarr"
    job = parts_job(request(movie(), path))
    while next(job).step < 2:
        pass
    job.close()
    growth = []
    for progress in parts_job(request(movie(), path)):
        growth += [] if progress.preview is None else [progress.preview.meta[GROWTH].done]
    assert growth[0] == 2


def test_a_run_with_other_settings_or_image_leaves_the_unfinished_one_alone(tmp_path):
    path = tmp_path / "out.zarr"
    progress_of(parts_job(request(movie(), path)), until=lambda one: one.step == 1)
    plan = load_plan(tmp_path / "out.zarr.parts" / "plan.json")
    others = [request(movie(), path, seed=3), request(movie().like(movie().array() + 1), path)]
    for other in others:
        with pytest.raises(FileError, match="unfinished result of another run"):
            finish(parts_job(other))
    assert load_plan(tmp_path / "out.zarr.parts" / "plan.json").identity() == plan.identity()


def test_a_finished_result_is_not_replaced(tmp_path):
    path = tmp_path / "out.zarr"
    finish(parts_job(request(movie(), path)))
    before = read(path).array()
    with pytest.raises(FileError, match="exists; choose another name"):
        finish(parts_job(request(movie(), path, seed=3)))
    np.testing.assert_array_equal(read(path).array(), before)


def test_the_function_returns_the_result_and_tells_what_failed(tmp_path, monkeypatch):
    image = compute_in_parts("denoise", movie(), tmp_path / "out.zarr", **KNOWN)
    assert image.shape == movie().shape
    assert isinstance(image.data, dask.array.Array)

    def fails(*_):
        raise FitError("no luck.")
        yield

    monkeypatch.setattr(denoise.METHOD, "job", fails)
    with pytest.raises(FitError, match=r"part 0: no luck\..* 0 of 4 parts are finished and kept"):
        compute_in_parts("denoise", movie(), tmp_path / "failed.zarr", **KNOWN)


def test_what_is_not_possible_in_parts_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="bleaching=correct"):
        finish(parts_job(request(movie(), tmp_path / "out.zarr", bleaching="correct")))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_if_the_run_is_stopped_while_it_is_planned(tmp_path):
    _, result = progress_of(
        parts_job(request(movie(), tmp_path / "out.zarr")), until=lambda one: True
    )
    assert result is None
    assert list(tmp_path.iterdir()) == []


def test_levels_of_a_complete_result_are_halved(tmp_path):
    write(tmp_path / "big.zarr", Image(np.ones((2, 600, 700), np.float32), "TYX"))
    image = read(tmp_path / "big.zarr")
    levels = levels_of(tmp_path / "big.zarr", image)
    assert [one.shape[-2:] for one in levels][:2] == [(600, 700), (300, 350)]
    assert growing(tmp_path / "big.zarr", image).array().shape == image.shape


def test_contrast_limits_need_no_more_than_a_sample():
    class Counted:
        shape, dtype, ndim, read = (400, 1000, 1000), np.dtype("f4"), 3, 0

        def __getitem__(self, key):
            sizes = [one.stop - one.start for one in key]
            type(self).read += np.prod(sizes)
            return np.full(sizes, 7, np.float32)

    image = Image(lazy_array(Counted(), (1, 256, 256)), "TYX")
    assert limits_of(image) == (7.0, 8.0)
    assert 0 < Counted.read < 0.02 * np.prod(Counted.shape)


def edited(values):
    """Return values of which three voxels differ, outside the blocks of a digest."""
    changed = values.copy()
    changed[1, 20, 100:103] = 7
    return changed


@pytest.mark.parametrize("name", ["wide.tif", "wide.zarr"])
def test_an_edit_of_a_few_voxels_is_not_lost(tmp_path, name):
    values = np.random.default_rng(1).integers(100, 900, (16, 40, 300)).astype(np.uint16)
    write(tmp_path / name, Image(values, "TYX", name="wide"))
    whole, lazy = read(tmp_path / name), read(tmp_path / name, lazy_above=0)
    assert digest(whole.like(edited(values))) == digest(whole)
    assert file_of(whole) == file_of(lazy)
    assert file_of(whole).path == str(tmp_path / name)
    assert file_of(whole.like(edited(values))) is None
    mask = edited(np.ones_like(values))
    assert file_of(lazy.like(lazy.data * mask)) is None
    assert file_of(lazy.like(dask.array.from_array(edited(values), chunks=(1, 40, 300)))) is None


def test_a_run_does_not_go_on_with_an_image_that_was_edited(tmp_path):
    values = np.random.default_rng(1).integers(100, 900, (16, 40, 300)).astype(np.uint16)
    write(tmp_path / "wide.tif", Image(values, "TYX", name="wide"))
    image, path = read(tmp_path / "wide.tif"), tmp_path / "out.zarr"
    progress_of(parts_job(request(image, path)), until=lambda one: one.step == 1)
    with pytest.raises(FileError, match="unfinished result of another run"):
        finish(parts_job(request(image.like(edited(values)), path)))


def test_the_plan_of_a_file_holds_in_another_folder(files, tmp_path, monkeypatch):
    monkeypatch.chdir(files)
    source = file_of(read("in.tif"))
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(source.image().array(), movie().array())


@pytest.mark.parametrize("result", ["in.zarr", "in.zarr/0", "outer.zarr"])
def test_the_recording_is_never_replaced_by_its_result(tmp_path, result):
    outer = tmp_path / "outer.zarr"
    zarr.create_group(outer)
    place = outer / "in.zarr" if result == "outer.zarr" else tmp_path / "in.zarr"
    write(place, movie())
    image = read(place, lazy_above=0)
    for given in (image, image.like(image.array())):
        with pytest.raises(FileError, match="from which the recording is read"):
            compute_in_parts("denoise", given, tmp_path / result, overwrite=True, **KNOWN)
    np.testing.assert_array_equal(read(place).array(), movie().array())


def test_a_lazy_folder_of_files_is_found(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(3):
        write(tmp_path / "frames" / f"t{number}.tif", movie().take("T", number))
    image = read(tmp_path / "frames", stack_axis="T", lazy_above=0)
    source = file_of(image)
    assert (source.path, source.stack) == (str(tmp_path / "frames"), "T")
    np.testing.assert_array_equal(source.image().array(), image.array())
