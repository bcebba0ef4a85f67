"""Many files, one recipe: order, failures, what is passed over, the table."""

import csv

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.errors import ConfigError
from napari_cellinr.fit import Fitted, Progress, finish
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch import SUMMARY, iter_batch

RECIPE = Macro((Step("denoise", (Source("embryo"),), {"background": "keep"}, seed=1),))
MADE = Step("denoise", (Source("embryo"),), {}, ("embryo denoised",), seed=1)
SAVING = Macro((MADE, Step("save", (Source("embryo denoised"),), {"path": "clean.tif"})))


@pytest.fixture
def calls(monkeypatch):
    names = []

    def job(image, config, *, started=None):
        names.append(config.background)
        yield Progress("fitting", 1, 2)
        result = image.like(np.asarray(image.data) + 1, name=f"{image.name} denoised")
        return Fitted((result,), config, {}, (), "steps", {})

    monkeypatch.setattr("napari_cellinr.api.iter_denoise", job)
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
