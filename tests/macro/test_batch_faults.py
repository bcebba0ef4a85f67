"""Inputs that change, damaged marks, files of others, and a parent that is killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.errors import FileError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.io.safety import process
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch import run as batch_run
from napari_cellinr.macro.batch import worker_process
from napari_cellinr.macro.batch.run import iter_batch

ONE = Macro((Step("denoise", (Source("a"),), {}, ("a denoised",), seed=1),))
SAVING = Macro((*ONE.steps, Step("save", (Source("a denoised"),), {"path": "clean.tif"})))
TWICE = Macro(
    (*ONE.steps, Step("denoise", (Source("a denoised"),), {}, ("a denoised denoised",), seed=2))
)


def stack(value):
    return Image(np.full((2, 4, 5), value, np.float32), "ZYX")


@pytest.fixture
def calls(put_job):
    """The images that were fitted; a function in it is called in the middle of each fit."""
    found = []
    found_hooks = []

    def job(image, config, monitor):
        found.append(float(image.array().max()))
        for hook in found_hooks:
            hook(found[-1])
        yield Progress("fitting", 1, 2)
        result = image.like(image.array() + 1, name=f"{image.name} denoised")
        return Fitted((result,), config, {}, (), "steps", {})

    put_job("denoise", job)
    job.calls, job.hooks = found, found_hooks
    return job


@pytest.fixture
def files(tmp_path):
    return [write(tmp_path / f"{number}.tif", stack(number)) for number in range(3)]


def states(macro, inputs, out, **options):
    return [row.state for row in finish(iter_batch(macro, inputs, out, **options))]


def results(out):
    return {str(path.relative_to(out)): read(path).array().max() for path in out.rglob("*.tif")}


def test_a_file_that_changes_meanwhile_fails_alone_and_is_done_next_time(files, calls, tmp_path):
    out = tmp_path / "out"
    calls.hooks.append(lambda value: value == 1 and write(files[1], stack(7)))
    rows = finish(iter_batch(ONE, files, out))
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert "1.tif has changed while it was being processed" in rows[1].error
    assert states(ONE, files, out) == ["skipped", "done", "skipped"]
    assert results(out) == {"0 denoised.tif": 1, "1 denoised.tif": 8, "2 denoised.tif": 3}


def test_a_file_that_changes_after_it_was_read_is_noticed_at_the_end(files, calls, tmp_path):
    job = iter_batch(ONE, files[:1], tmp_path / "out")
    next(job)
    write(files[0], stack(7))
    (row,) = finish(job)
    assert row.state == "failed"


def test_a_file_that_is_gone_fails_alone(files, calls, tmp_path):
    out = tmp_path / "out"
    calls.hooks.append(lambda value: value == 0 and files[1].unlink(missing_ok=True))
    rows = finish(iter_batch(ONE, files, out))
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert rows[1].error == f"{files[1]} cannot be read: No such file or directory."
    write(files[1], stack(1))
    assert states(ONE, files, out) == ["skipped", "done", "skipped"]


@pytest.mark.parametrize("macro", [ONE, SAVING])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2], lambda text: text[:1], lambda text: b"",
        lambda text: b"\0" * len(text), lambda text: b"[1, 2]",
        lambda text: text.replace(b"]", b""),
        lambda text: text.replace(b'"written": [', b'"written": [3, '),
    ],
)  # fmt: skip
def test_a_damaged_mark_is_done_again_under_the_same_name(files, calls, tmp_path, macro, damage):
    out = tmp_path / "out"
    assert states(macro, files, out) == ["done"] * 3
    before = results(out)
    mark = out / ".done" / "1.json"
    mark.write_bytes(damage(mark.read_bytes()))
    assert states(macro, files, out) == ["skipped", "done", "skipped"]
    assert states(macro, files, out) == ["skipped"] * 3
    assert results(out) == before


def test_a_mark_that_a_killed_batch_has_not_put_in_place_is_none(files, calls, tmp_path):
    """Its temporary file is removed later, and a mark written under its name would go with it."""
    out = tmp_path / "out"
    assert states(ONE, files, out) == ["done"] * 3
    mark = out / ".done" / "1.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    writer = process.Writer(ended.pid, 1, process.this_process().host)
    ended.wait()
    mark.rename(mark.with_name(f".cellinr-{writer.mark}-0123456789ab.json"))
    assert states(ONE, files, out) == ["skipped", "done", "skipped"]
    assert states(ONE, files, out) == ["skipped"] * 3
    assert sorted(path.name for path in mark.parent.iterdir()) == ["0.json", "1.json", "2.json"]


@pytest.mark.parametrize(
    "name", ["../elsewhere", "..", ".", "", "{tmp_path}/elsewhere", "a\0b", "\ud800"]
)
def test_a_planted_mark_does_not_lead_out_of_the_folder(files, calls, tmp_path, name):
    out = tmp_path / "results" / "out"
    assert states(SAVING, files[:1], out) == ["done"]
    (mark,) = (out / ".done").glob("*.json")
    values = {**json.loads(mark.read_text()), "key": "", "name": name.format(tmp_path=tmp_path)}
    mark.write_text(json.dumps(values))
    assert states(SAVING, files[:1], out) == ["done"]
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("clean.tif")}
    assert made == {"results/out/0/clean.tif"}


def test_a_change_inside_of_a_zarr_or_a_series_is_noticed(calls, tmp_path):
    zarr = write(tmp_path / "z.zarr", stack(1))
    folder = tmp_path / "series"
    folder.mkdir()
    for number in range(2):
        write(folder / f"t{number}.tif", stack(2))
    macro, out = Macro((Step("denoise", (Source("a", along="T"),), seed=1),)), tmp_path / "out"
    assert states(macro, [zarr, folder], out) == ["done", "done"]
    assert states(macro, [zarr, folder], out) == ["skipped", "skipped"]
    chunk = next(path for path in (zarr / "0").rglob("*") if path.is_file())
    os.utime(chunk, ns=(1, 1))
    write(folder / "t1.tif", stack(3))
    assert states(macro, [zarr, folder], out) == ["done", "done"]


def test_no_image_writes_the_result_of_another(calls, tmp_path):
    (tmp_path / "other").mkdir()  # some file systems do not distinguish A and a
    names = ("a", "a denoised", "other/A")
    inputs = [write(tmp_path / f"{name}.tif", stack(10 * n)) for n, name in enumerate(names)]
    for order in (inputs, inputs[::-1]):
        out = tmp_path / f"out of {order[0].stem}"
        for again in (False, True):
            rows = finish(iter_batch(TWICE, order, out, again=again))
            assert [row.state for row in rows] == ["done"] * 3
            assert len({path.lower() for row in rows for path in row.written}) == 6
            for row in rows:
                value = read(row.source).array().max()
                found = [read(path).array().max() for path in row.written]
                assert found == [value + 1, value + 2]


def test_a_later_batch_leaves_the_results_of_an_earlier_one(calls, tmp_path):
    inputs = []
    for number, folder in enumerate("ab"):
        (tmp_path / folder).mkdir()
        inputs.append(write(tmp_path / folder / "1.tif", stack(number)))
    out = tmp_path / "out"
    assert states(ONE, inputs[:1], out) == ["done"]
    assert states(ONE, inputs[1:], out) == ["done"]
    assert results(out) == {"1 denoised.tif": 1, "1-2 denoised.tif": 2}
    assert states(ONE, inputs[::-1], out) == ["skipped", "skipped"]


def test_files_that_no_batch_has_written_are_kept(files, calls, tmp_path):
    out = tmp_path / "out"
    (out / "0").mkdir(parents=True)
    precious = [out / "0 denoised.tif", out / "0" / "clean.tif"]
    for path in precious:
        path.write_bytes(b"precious")
    for _ in range(2):
        rows = finish(iter_batch(ONE, files[:1], out, again=True))
        assert [Path(path).name for path in rows[0].written] == ["0 denoised-2.tif"]
        (row,) = finish(iter_batch(SAVING, files[:1], out))
        assert (row.state, "--overwrite" in row.error) == ("failed", True)
    assert {path.read_bytes() for path in precious} == {b"precious"}
    assert states(SAVING, files[:1], out, overwrite=True) == ["done"]
    assert read(precious[1]).array().max() == 1
    assert states(SAVING, files[:1], out, again=True) == ["done"]


def test_two_layers_in_one_file_are_refused_before_anything_runs(files, calls, tmp_path):
    saves = [
        Step("save", (Source(layer),), {"path": path})
        for layer, path in (("a denoised", "x/../clean.tif"), ("a denoised denoised", "clean.tif"))
    ]
    with pytest.raises(FileError, match="only the second would remain"):
        finish(iter_batch(Macro((*TWICE.steps, *saves)), files, tmp_path / "out"))
    assert calls.calls == []


def test_what_was_stopped_is_done_again(files, calls, tmp_path):
    job = iter_batch(SAVING, files[:1], tmp_path / "out")
    next(job)
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert [row.state for row in end.value.value] == ["stopped"]
    assert states(SAVING, files[:1], tmp_path / "out") == ["done"]


def test_a_summary_that_cannot_be_written_stops_no_image(files, calls, tmp_path, monkeypatch):
    def full(path, rows):
        raise FileError(f"{path} cannot be written: No space left on device.")

    monkeypatch.setattr(batch_run, "write_summary", full)
    with pytest.raises(FileError, match="No space left"):
        finish(iter_batch(ONE, files, tmp_path / "out"))
    assert len(results(tmp_path / "out")) == 3
    monkeypatch.undo()


def test_the_summary_is_written_after_each_image(files, calls, tmp_path):
    """Read from within the fits, and as a process of its own reads it when the batch is killed."""
    summary, seen = tmp_path / "out" / batch_run.SUMMARY, []

    def look(_):
        table = summary.read_text("utf-8").splitlines() if summary.exists() else []
        seen.append([row["state"] for row in csv.DictReader(table)])

    calls.hooks.append(look)
    calls.hooks.append(lambda value: value == 1 and files[2].unlink(missing_ok=True))
    rows = finish(iter_batch(ONE, files, tmp_path / "out"))
    assert [row.state for row in rows] == ["done", "done", "failed"]
    assert seen == [[], ["done", "waiting", "waiting"]]
    look(None)
    assert seen[-1] == ["done", "done", "failed"]


PARENT = """
import sys
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch.run import iter_batch

steps = {"steps": 1000000, "estimate": "gaussian"}
recipe = Macro((Step("denoise", (Source("a"),), steps, seed=0),))
finish(iter_batch(recipe, sys.argv[2:], sys.argv[1], workers=2))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_processes_end_when_their_parent_is_killed(files, tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path / "out"), *map(str, files[:2])]
    parent = subprocess.Popen(command)
    try:
        children = wait_for(lambda: psutil.Process(parent.pid).children(), 2)
        time.sleep(1)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    try:
        wait_for(lambda: [one for one in children if not is_running(one)], 2)
    finally:
        for child in filter(is_running, children):
            child.kill()


GRANDCHILD = """
import subprocess, sys
code = "import time; time.sleep(600)"
started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
with open({path!r}, "w") as file:
    file.write(str(started.pid))
from napari_cellinr.macro.batch.worker_process import main
main()
"""


def grandchild_of(path):
    """Return the process whose number a worker process has written."""
    wait_for(lambda: path.read_text() if path.exists() else "", 1)
    return psutil.Process(int(path.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("end", ["finished", "stopped", "its parent is killed"])
def test_what_a_process_has_started_ends_with_it(files, tmp_path, end, monkeypatch):
    """Such as the processes of a library, which wait for work that never comes."""
    number = tmp_path / "number"
    code = GRANDCHILD.format(path=str(number))
    steps = "2" if end == "finished" else "1000000"
    if end == "its parent is killed":
        told = "from napari_cellinr.macro.batch import worker_process\n"
        told += f"worker_process._CODE = {code!r}\n"
        text = told + PARENT.replace("sys.argv[2:]", "sys.argv[2:] * 2")
        parent = subprocess.Popen(
            [sys.executable, "-c", text, str(tmp_path / "out"), str(files[0])]
        )
        try:
            grandchild = grandchild_of(number)
            time.sleep(1)
        finally:
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
    else:
        monkeypatch.setattr(worker_process, "_CODE", code)
        recipe = Macro((Step("denoise", (Source("a"),), {"steps": int(steps)}, seed=0),))
        job = iter_batch(recipe, [files[0], files[0]], tmp_path / "out", workers=2)
        next(job)
        grandchild = grandchild_of(number)
        if end == "stopped":
            with pytest.raises(StopIteration):
                job.send("stop")
        else:
            finish(job)
    try:
        wait_for(lambda: [] if is_running(grandchild) else [True], 1)
    finally:
        if is_running(grandchild):
            grandchild.kill()


def wait_for(found, n_wanted):
    """Return what `found` returns as soon as that are so many."""
    for _ in range(600):
        if len(here := found()) >= n_wanted:
            return here
        time.sleep(0.1)
    raise AssertionError("waited for a minute in vain")


def is_running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
