"""A batch whose images are processed by workers: Dask's where it is installed, else a pool."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.errors import ConfigError, FileError, FitError
from napari_cellinr.fitting.problem import Fitted, Progress, finish
from napari_cellinr.io.safety import leftovers
from napari_cellinr.io.safety.leftovers import remove_leftovers
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch import cluster, run
from napari_cellinr.macro.batch.cluster import _unseen
from napari_cellinr.macro.batch.run import LINK, iter_batch

QUICK = {"preset": "preview", "steps": 2, "background": "keep"}
RECIPE = Macro((Step("denoise", (Source("embryo"),), QUICK, seed=1),))


class Pool:
    """Workers that are threads of this process."""

    n_workers, link = 1, "http://127.0.0.1:8787/status"

    def __init__(self, wrong=()):
        self._pool, self._wrong, self.closed = ThreadPoolExecutor(1), list(wrong), None

    def submit(self, task, *arguments):
        return self._pool.submit(task, *arguments)

    def ready(self, task, *arguments):
        yield "waiting for the first worker"
        if "none" in self._wrong:
            raise FitError("no worker can compute the plan.")
        return [text for text in (task(*arguments), *self._wrong) if text]

    def close(self, *, stop=False):
        self.closed = stop
        self._pool.shutdown()


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(0)
    return [
        write(tmp_path / f"{n}.tif", Image(generator.poisson(50, (24, 24)).astype(np.uint16), "YX"))
        for n in range(3)
    ]


@pytest.fixture
def job(put_job):
    def denoise(image, config, monitor):
        for step in range(200):
            message = yield Progress("fitting", step, 200)
            if message == "stop" or (step == 3 and not waits.is_set()):
                break
            if waits.is_set():
                reached.set()
                threading.Event().wait(0.02)
        result = image.like(np.asarray(image.data) + 1, name=f"{image.name} denoised")
        return Fitted((result,), config, {}, (), "user" if message == "stop" else "steps", {})

    waits, reached = threading.Event(), threading.Event()
    put_job("denoise", denoise)
    return waits, reached


def test_workers_process_all_images_and_their_page_is_said(files, job, tmp_path, monkeypatch):
    pool, said, told = Pool(["worker b has version 0.0.1"]), [], []
    monkeypatch.setattr(run, "open_workers", lambda *_: pool)
    files[1].write_bytes(b"broken")
    batch = iter_batch(
        RECIPE, files, tmp_path / "out", scheduler="local", tell=told.append, say=said.append
    )
    rows = finish(batch)
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert said == [f"{LINK} {Pool.link}", "worker b has version 0.0.1"]
    assert told[-1] == rows
    assert pool.closed is False
    assert read(tmp_path / "out" / "0 denoised.tif").array().shape == (24, 24)
    monkeypatch.setattr(run, "open_workers", lambda *_: Pool())
    again = finish(iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"))
    assert [row.state for row in again] == ["skipped", "failed", "skipped"]


def test_a_stop_reaches_the_workers(files, job, tmp_path, monkeypatch):
    waits, reached = job
    waits.set()
    pool = Pool()
    monkeypatch.setattr(run, "open_workers", lambda *_: pool)
    batch, message = iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"), None
    while True:
        try:
            batch.send(message)
        except StopIteration as end:
            rows = end.value
            break
        message = "stop" if reached.is_set() else None
    assert [row.state for row in rows] == ["stopped"] * 3
    assert pool.closed is True
    assert not list((tmp_path / "out").glob("*.stop"))
    assert not (tmp_path / "out" / "1 denoised.tif").exists()


def test_a_worker_that_ends_late_still_finds_the_sign_to_stop(files, job, tmp_path, monkeypatch):
    class Late(Pool):
        tasks = ()

        def submit(self, task, *arguments):
            self.tasks = (*self.tasks, (task, arguments))
            return Future()

    pool = Late()
    monkeypatch.setattr(run, "open_workers", lambda *_: pool)
    monkeypatch.setattr(cluster, "_PATIENCE", 0.1)
    batch = iter_batch(RECIPE, files, tmp_path / "out", scheduler="local")
    while not pool.tasks:
        next(batch)
    with pytest.raises(StopIteration):
        batch.send("stop")
    for task, arguments in pool.tasks:
        assert task(*arguments).state == "stopped"
    (sign,) = (tmp_path / "out").glob("*.stop")
    remove_leftovers(tmp_path / "out")
    assert sign.exists()  # this process still runs
    gone = SimpleNamespace(is_gone=True)
    monkeypatch.setattr(leftovers.Writer, "of_mark", lambda _: gone)
    remove_leftovers(tmp_path / "out")
    assert not sign.exists()


def test_workers_get_paths_that_do_not_depend_on_their_current_folder(
    files, job, tmp_path, monkeypatch
):
    class Recording(Pool):
        given = ()

        def ready(self, task, *arguments):
            self.seen = arguments[0]
            return super().ready(task, *arguments)

        def submit(self, task, *arguments):
            self.given = (*self.given, arguments)
            return super().submit(task, *arguments)

    monkeypatch.chdir(tmp_path)
    pool = Recording()
    monkeypatch.setattr(run, "open_workers", lambda *_: pool)
    names = [file.name for file in files]
    finish(iter_batch(RECIPE, names, "out", scheduler="tcp://a:1"))
    assert pool.seen == [str(path) for path in (*files, tmp_path / "out")]
    for _, item, target, protected, stop in pool.given:
        paths = (item.path, target.folder, target.place, *protected, Path(stop))
        assert all(path.is_absolute() for path in paths)
    assert len(pool.given) == 3
    rows = finish(iter_batch(RECIPE, names, "out"))  # the same images, without workers
    assert [row.state for row in rows] == ["skipped"] * 3


def test_a_folder_of_results_that_cannot_be_made_is_named(files, tmp_path, monkeypatch):
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    monkeypatch.setattr(run, "open_workers", lambda *_: Pool())
    with pytest.raises(FileError, match="cannot be made"):
        finish(iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"))


def test_workers_that_cannot_be_used_end_the_batch(files, job, tmp_path, monkeypatch):
    pool = Pool(["none"])
    monkeypatch.setattr(run, "open_workers", lambda *_: pool)
    with pytest.raises(FitError, match="no worker"):
        finish(iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"))
    assert pool.closed is not None


def test_a_lost_worker_fails_its_image_only(files, job, tmp_path, monkeypatch):
    class Losing(Pool):
        def submit(self, task, *arguments):
            if arguments[1].path == files[1]:
                lost = Future()
                lost.set_exception(RuntimeError("KilledWorker"))
                return lost
            return super().submit(task, *arguments)

    monkeypatch.setattr(run, "open_workers", lambda *_: Losing())
    rows = finish(iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"))
    assert [row.state for row in rows] == ["done", "failed", "done"]
    assert "KilledWorker" in rows[1].error


def test_files_that_a_worker_does_not_see_are_named(files, tmp_path):
    assert _unseen([str(path) for path in files]) == ""
    assert f"does not see {tmp_path / 'none.tif'}" in _unseen([str(tmp_path / "none.tif")])


def test_without_the_extra_its_name_is_said(files, job, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match="cluster"):
        finish(iter_batch(RECIPE, files, tmp_path / "out", scheduler="local"))


def test_workers_of_dask_give_what_this_process_gives(files, tmp_path):
    pytest.importorskip("distributed")
    here, there, said = tmp_path / "here", tmp_path / "there", []
    finish(iter_batch(RECIPE, files[:2], here))
    rows = finish(
        iter_batch(RECIPE, files[:2], there, scheduler="local", workers=2, say=said.append)
    )
    assert [row.state for row in rows] == ["done", "done"], rows
    for path in here.glob("*.tif"):
        np.testing.assert_array_equal(read(path).array(), read(there / path.name).array())
