"""Many files, one recipe: order, failures, what is passed over, the table."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_cellinr import Image, read, write
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch.run import SUMMARY, iter_batch

RECIPE = Macro((Step("denoise", (Source("embryo"),), {"background": "keep"}, seed=1),))
MADE = Step("denoise", (Source("embryo"),), {}, ("embryo denoised",), seed=1)
SAVING = Macro((MADE, Step("save", (Source("embryo denoised"),), {"path": "clean.tif"})))


@pytest.fixture
def calls(put_job):
    names = []

    def job(image, config, monitor):
        names.append(config.background)
        yield Progress("fitting", 1, 2)
        result = image.like(np.asarray(image.data) + 1, name=f"{image.name} denoised")
        return Fitted((result,), config, {}, (), "steps", {})

    put_job("denoise", job)
    return names


@pytest.fixture
def files(tmp_path):
    paths = []
    for number in range(3):
        data = np.full((2, 4, 5), number, np.float32)
        paths.append(write(tmp_path / f"{number}.tif", Image(data, "ZYX")))
    paths[1].write_bytes(b"broken")
    return paths


def table(folder):
    with (folder / SUMMARY).open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_file_that_fails_does_not_stop_the_rest(files, calls, tmp_path):
    told = []
    out = tmp_path / "out"
    rows = finish(iter_batch(RECIPE, files, out, tell=told.append))
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert "1.tif" in rows[1].error
    assert (out / "0 denoised.tif").is_file()
    assert [row["state"] for row in table(out)] == ["done", "failed", "done"]
    assert [row.state for row in told[0]] == ["running", "waiting", "waiting"]


def test_what_is_done_is_passed_over_until_it_changes(files, calls, tmp_path):
    out = tmp_path / "out"
    finish(iter_batch(SAVING, files, out))
    assert (out / "0" / "clean.tif").is_file()
    rows = finish(iter_batch(SAVING, files, out))
    assert [row.state for row in rows] == ["skipped", "failed", "skipped"]
    assert len(calls) == 2
    (out / "0" / "clean.tif").unlink()
    write(files[1], Image(np.ones((2, 4, 5), np.float32), "ZYX"))
    rows = finish(iter_batch(SAVING, files, out))
    assert [row.state for row in rows] == ["done", "done", "skipped"]
    other = Macro((Step("denoise", (Source("embryo"),), seed=2),))
    assert {row.state for row in finish(iter_batch(other, files, out))} == {"done"}


def test_a_stop_ends_with_the_present_file(files, calls, tmp_path):
    job = iter_batch(RECIPE, [files[0], files[2]], tmp_path / "out")
    next(job)
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert [row.state for row in end.value.value] == ["stopped", "stopped"]


def test_nothing_to_do_is_said(files, tmp_path):
    with pytest.raises(ConfigError, match="0 files"):
        finish(iter_batch(RECIPE, [], tmp_path))
    with pytest.raises(ConfigError, match="0 steps"):
        finish(iter_batch(Macro(), files, tmp_path))


@pytest.fixture
def series(tmp_path):
    """A file with two images of three time points each."""
    path = tmp_path / "series.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for number in (10, 20):
            data = np.arange(number, number + 3, dtype=np.float32)[:, None, None]
            file.write(np.broadcast_to(data, (3, 6, 7)).copy(), metadata={"axes": "TYX"})
    return path


def test_positions_and_time_points_are_done_one_by_one(series, calls, tmp_path):
    out = tmp_path / "out"
    rows = finish(iter_batch(RECIPE, [series], out, every_series=True))
    assert [(row.series, row.time, row.state) for row in rows] == [
        (0, None, "done"),
        (1, None, "done"),
    ]
    assert read(out / "series-s1 denoised.tif").shape == (3, 6, 7)
    both = {"every_series": True, "every_time": True}
    rows = finish(iter_batch(SAVING, [series], out, **both))
    assert [(row.series, row.time) for row in rows] == [(s, t) for s in (0, 1) for t in range(3)]
    last = read(out / "series-s1-t002" / "clean.tif").array()
    np.testing.assert_array_equal(last, np.full((6, 7), 22 + 1))
    assert [(row["series"], row["time"]) for row in table(out)][3] == ("1", "0")
    (out / "series-s1-t001" / "clean.tif").unlink()
    rows = finish(iter_batch(SAVING, [series], out, **both))
    assert [row.state for row in rows] == ["skipped"] * 4 + ["done", "skipped"]
    rows = finish(iter_batch(SAVING, [series], out, every_time=True))
    assert [(row.series, row.time, row.state) for row in rows] == [
        (None, time, "done") for time in range(3)
    ]
    rows = finish(iter_batch(SAVING, [series], out, every_time=True, again=True))
    assert {row.state for row in rows} == {"done"}


def test_files_of_one_name_get_results_of_their_own(calls, tmp_path):
    paths = []
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        data = np.full((2, 4, 5), number, np.float32)
        paths.append(write(tmp_path / folder / "1.tif", Image(data, "ZYX")))
    finish(iter_batch(RECIPE, paths, tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out").glob("*.tif"))
    assert names == ["1 denoised.tif", "1-2 denoised.tif"]


@pytest.fixture
def begun(monkeypatch):
    """The processes that were begun."""
    found, real = [], subprocess.Popen

    def begin(*words, **options):
        found.append(real(*words, **options))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", begin)
    return found


def test_workers_do_the_same_as_one(files, tmp_path, monkeypatch):
    """Real processes: three files, one of them broken.

    napari makes a script that was dropped onto it the main one: it must not run in each of them.
    """
    dropped = tmp_path / "dropped.py"
    dropped.write_text("raise SystemExit(7)")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(dropped), raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    recipe = Macro((Step("denoise", (Source("a"),), {"steps": 1, "estimate": "gaussian"}, seed=0),))
    noise = np.random.default_rng(0)
    for place in (0, 2):
        data = noise.poisson(30, (2, 10, 10)).astype(np.float32)
        write(files[place], Image(data, "ZYX"))
    one, two = tmp_path / "one", tmp_path / "two"
    rows = finish(iter_batch(recipe, files, two, workers=2))
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert [row["state"] for row in table(two)] == ["done", "failed", "done"]
    assert all(row.seconds > 0 for row in rows)
    finish(iter_batch(recipe, files, one))
    for name in ("0 denoised.tif", "2 denoised.tif"):
        np.testing.assert_array_equal(read(one / name).array(), read(two / name).array())
    rows = finish(iter_batch(recipe, [files[0], files[2]], two, workers=2))
    assert [row.state for row in rows] == ["skipped", "skipped"]


def test_a_process_that_dies_is_one_row(files, tmp_path, begun):
    job = iter_batch(RECIPE, [files[1], files[1]], tmp_path / "out", workers=2)
    next(job)
    begun[0].kill()
    rows = finish(job)
    assert [row.state for row in rows] == ["failed", "failed"]
    assert sum("ended with status -9" in row.error for row in rows) == 1


def test_a_stop_ends_the_processes(files, tmp_path, begun):
    job = iter_batch(RECIPE, [files[0], files[2]], tmp_path / "out", workers=2)
    next(job)
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert [row.state for row in end.value.value] == ["stopped", "stopped"]
    assert all(process.poll() is not None for process in begun)
