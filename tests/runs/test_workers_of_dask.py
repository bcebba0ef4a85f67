"""Workers of a real scheduler: waited for, checked, left out, and lost; what is said of each."""

import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import run
from napari_cellinr.runs.scale.executors import (
    WorkersLostError,
    of_dask,
    on_workers,
    open_workers,
    roster,
)
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import compute, finish_plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State

pytest.importorskip("distributed")

SEEN = "/proc/self/cwd/in.zarr"
"""A file that a process sees only if it was started in its folder."""


class Client:
    """A scheduler with some workers, each of which has a version of the package and of others."""

    def __init__(self, **workers):
        self.workers, self.status, self.dashboard_link = workers, "running", ""
        self.asked = []

    def scheduler_info(self, n_workers):
        return {"workers": dict.fromkeys(self.workers)}

    def run(self, task, *arguments, workers, on_error):
        self.asked.append((task, workers))
        found = {}
        for one in workers:
            own = on_workers.libraries() | self.workers[one]
            said = own if task is on_workers.libraries else own.get("wrong", "")
            found[one] = said
        return found

    def close(self, **_):
        pass


@pytest.fixture
def connected(monkeypatch):
    """Return a function that returns workers of a client."""

    def connected(client, scheduler="tcp://a:1"):
        distributed = SimpleNamespace(Client=lambda *_, **__: client)
        monkeypatch.setattr(of_dask, "_distributed", lambda: distributed)
        monkeypatch.setattr(of_dask, "_silence", lambda: None)
        return open_workers(scheduler, 2, threads=1)

    return connected


def ended(job):
    """Return what a generator yields, and what it returns."""
    found = []
    try:
        while True:
            found.append(next(job))
    except StopIteration as end:
        return found, end.value


def exhaust(waiting):
    for _ in waiting:
        time.sleep(0.01)


def test_whoever_has_other_libraries_computes_with_a_warning(connected):
    workers = connected(Client(a={}, b={"torch": "1.0"}, c={"wrong": "it reads another file."}))
    _, texts = ended(workers.ready(str))
    assert sorted(workers._usable()) == ["a", "b"]
    other, own = sorted(texts)
    assert own == "it reads another file."
    assert f"torch 1.0 instead of {version('torch')}" in other
    assert "numpy" not in other
    assert "may differ" in other


def test_workers_that_come_later_are_checked(connected):
    client = Client(a={})
    workers = connected(client)
    ended(workers.ready(str))
    client.workers |= {"b": {"wrong": "it is too old."}, "c": {}}
    assert workers.check(str) == ["it is too old."]
    assert sorted(workers._usable()) == ["a", "c"]
    client.asked.clear()
    assert workers.check(str) == []
    assert client.asked == []


def test_a_scheduler_without_workers_is_waited_for_and_then_named(connected, monkeypatch):
    waiting = connected(Client()).ready(str)
    assert next(waiting) == "waiting for the first worker of tcp://a:1"
    monkeypatch.setattr(of_dask, "PATIENCE", 0.0)
    with pytest.raises(FitError, match=r"no worker has come .* `dask worker tcp://a:1 --nthreads"):
        exhaust(waiting)


def test_jobs_of_slurm_wait_as_long_as_their_queue(connected, monkeypatch):
    monkeypatch.setattr(of_dask, "PATIENCE", 0.0)
    client = Client()
    workers = connected(client)
    workers._scheduler = "slurm"
    workers._cluster = SimpleNamespace(workers={0: SimpleNamespace(job_id="7")})
    waiting = workers.ready(str)
    assert [next(waiting) for _ in range(50)] == ["waiting for the first worker of slurm"] * 50
    client.workers["a"] = {}
    assert ended(waiting) == ([], [])


def test_after_a_restart_nobody_is_left_out(connected, monkeypatch):
    """Addresses are given anew: that of a worker that was left out may be that of another one."""
    client = Client(a={"wrong": "it is too old."}, b={})
    workers = connected(client)
    ended(workers.ready(str))
    client.workers = {"a": {}}
    assert workers._usable() == []
    with pytest.raises(WorkersLostError):
        workers.submit(str)
    workers.restart()
    assert ended(workers.ready(str)) == ([], [])
    assert workers._usable() == ["a"]
    client.workers = {"c": {"wrong": "it is too old."}}
    workers.restart()
    waiting = workers.ready(str)
    next(waiting)  # others may still come
    monkeypatch.setattr(of_dask, "OTHERS", 0.0)
    with pytest.raises(FitError, match="no worker can compute the plan: it is too old"):
        exhaust(waiting)


def test_a_worker_that_never_answers_is_left_out_instead_of_waited_for(connected, monkeypatch):
    monkeypatch.setattr(of_dask, "OTHERS", 0.02)
    broken = Client(**{"tcp://b:1": {"wrong": OSError("libcudart.so: cannot open it")}})
    job = connected(broken).ready(len)
    with pytest.raises(FitError, match=r"tcp://b:1 cannot be checked .libcudart"):
        exhaust(zip(job, range(300), strict=False))
    assert [len(on) for _, on in broken.asked] == [1] * roster.TRIES


def test_a_lost_connection_is_a_sentence(connected):
    client = Client(a={})
    workers = connected(client)
    ended(workers.ready(str))
    client.status = "closed"
    assert workers.are_lost
    assert workers.n_workers == 2
    for call in (lambda: next(workers.ready(str)), lambda: workers.submit(str)):
        with pytest.raises(WorkersLostError, match=r"the scheduler tcp://a:1 does not answer"):
            call()


def test_without_sbatch_one_sentence_says_so(monkeypatch, tmp_path):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="needs the command sbatch of SLURM") as caught:
        open_workers("slurm", 2)
    assert "\n" not in str(caught.value)


def test_a_queue_that_takes_no_jobs_is_named(connected, monkeypatch):
    monkeypatch.setattr(of_dask, "OTHERS", 0.02)
    workers = connected(Client())
    workers._scheduler = "slurm"
    for job_id, told in (("7", False), (None, True)):
        jobs = {0: SimpleNamespace(job_id=job_id)}
        workers._cluster = SimpleNamespace(workers=jobs, close=lambda **_: None)
        waiting, error = workers.ready(str), ""
        try:
            for _ in range(5):
                next(waiting)
                time.sleep(0.01)
        except FitError as caught:
            error = str(caught)
        assert ("SLURM has taken none of the jobs" in error) is told


def test_jobs_of_slurm_get_the_memory_of_a_part():
    from dask import config

    pytest.importorskip("dask_jobqueue")
    options, cores = of_dask.job_options(10e9)
    assert options == {"cores": 1, "processes": 1, "job_cpu": 4, "memory": "15000MB"}
    assert cores == 4
    with config.set({"jobqueue.slurm.memory": "64GB", "jobqueue.slurm.cores": 16}):
        options, cores = of_dask.job_options(10e9)
    assert (options["memory"], options["job_cpu"], cores) == ("64GB", 16, 16)


@pytest.fixture
def recording(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 3)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(folder, name, source=SEEN):
    config, outputs = CellINRConfig(preset="preview", steps=5), {"result": str(folder / name)}
    return make_plan("denoise", Source(source), config, outputs, 1e12)


def test_an_error_that_ends_a_run_says_how_to_go_on(recording, connected, monkeypatch):
    monkeypatch.setattr(of_dask, "PATIENCE", 0.0)
    plan = planned(recording, "out.zarr", str(recording / "in.zarr"))
    with pytest.raises(FitError, match=r"no worker has come") as caught:
        finish(run_plan(plan, connected(Client())))
    assert f"Finished parts are kept; go on with --resume {plan.folder}." in str(caught.value)
    assert State(plan).done == set()


def test_waiting_can_be_stopped(recording, connected):
    plan = planned(recording, "out.zarr", str(recording / "in.zarr"))
    job = run_plan(plan, connected(Client()))
    assert next(job).stage == "waiting for the first worker of tcp://a:1"
    with pytest.raises(StopIteration) as end:
        job.send("stop")
    assert (end.value.value.stopped, end.value.value.done) == (True, 0)


@pytest.mark.skipif(not Path("/proc/self/cwd").is_dir(), reason="needs the folder of a process")
def test_workers_of_a_scheduler_are_checked_and_compute_the_same(recording, monkeypatch):
    """One has another version, one does not see the recording, one computes: bit by bit."""
    expected = planned(recording, "expected.zarr")
    for number in range(expected.n_parts):
        compute(expected, number)
    finish_plan(expected)
    plan = planned(recording, "out.zarr")
    other = recording / "other"
    other.mkdir()
    (other / "sitecustomize.py").write_text(
        "import napari_cellinr\nnapari_cellinr.__version__ = '0.0.1'\n"
    )
    levels = {name: logging.getLogger(name).level for name in ("distributed", "asyncio")}
    monkeypatch.setattr(of_dask, "OTHERS", 300.0)
    monkeypatch.setattr(run, "NEWS", 0.2)
    started, address = [], f"tcp://127.0.0.1:{free_port()}"

    def start(kind, *words, folder=recording, path=()):
        paths = os.pathsep.join([*map(str, path), *filter(None, sys.path)])
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=folder, env=environment, **quiet))

    def worker(**where):
        start("worker", address, "--nthreads", "1", "--no-nanny", **where)

    workers = None
    try:
        start("scheduler", "--host", address.rpartition(":")[0], "--port", address.split(":")[2])
        worker(path=[other])
        worker(folder=other)
        workers = opened(address)
        job, n_started = run_plan(plan, workers), 3
        try:
            while True:
                next(job)
                if n_started == 3 and len(workers._roster.left_out) == 2:
                    worker()
                    n_started = 4
        except StopIteration as end:
            found = end.value
    finally:
        if workers is not None:
            workers.close()
        for process in started:
            process.kill()
            process.wait()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
    assert found.is_complete
    assert any("has napari-cellinr 0.0.1, not " in text for text in found.warnings)
    assert any("cannot read the recording" in text for text in found.warnings)
    np.testing.assert_array_equal(read(plan.places[0]).array(), read(expected.places[0]).array())


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def opened(address):
    """Return the workers of a scheduler that has just been started."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(FitError):
            return open_workers(address, 1, threads=1)
    raise AssertionError("the scheduler has not started")
