"""Kills at random moments: of the process that runs a plan, and of its workers.

`python kills.py N [local]` kills N times; `python kills.py scheduler` kills a scheduler with four
workers, one of them of another version, while parts are computed, and starts all again.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from recordings import frames

from napari_cellinr import read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.io.zarr.parts import remove_zarr
from napari_cellinr.io.zarr.regions import unfinished
from napari_cellinr.runs.scale import state
from napari_cellinr.runs.scale.executors import Workers, open_workers
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

if TYPE_CHECKING:
    from napari_cellinr.runs.scale.plan import Plan

FRAMES, SHAPE = 8, (32, 32)


def run(tries: int, seed: int, scheduler: str | None = None) -> dict[str, int]:
    """Kill the process of a run, and a worker of a run, half of the times each.

    Parameters
    ----------
    tries
        Number of kills.
    seed
        Of their moments.
    scheduler
        Of the workers, as for the command line; processes of this computer if not given.

    Returns
    -------
    dict
        Numbers of kills, of those that met a running plan, and of results that differed.
    """
    draw, met, wrong = random.Random(seed), 0, 0
    state._PATIENCE = 2.0  # a process that is killed while it creates the results is replaced then
    with tempfile.TemporaryDirectory() as folder:
        plan = planned(Path(folder).resolve())
        started = time.monotonic()
        first = finish(run_plan(plan))
        assert first.is_complete, first.failed
        seconds, expected = time.monotonic() - started, result(plan)
        for _ in range(tries // 2):
            remove_zarr(plan.places[0])
            met += killed_process(plan, draw.uniform(0, seconds))
            if not (plan.places[0].exists() and not unfinished(plan.places[0])):
                assert finish(run_plan(plan)).is_complete
            wrong += not same(plan, expected)
        workers = open_workers(scheduler, 2, threads=1)
        try:
            assert finish(run_plan(plan, workers, overwrite=True)).is_complete
            for _ in range(tries - tries // 2):
                complete, killed = killed_worker(plan, workers, draw.uniform(0, seconds / 2), draw)
                met += killed
                wrong += not (complete and same(plan, expected))
        finally:
            workers.close(stop=True)
    return {"kills": tries, "met": met, "wrong": wrong}


def planned(folder: Path) -> Plan:
    """Return the plan of a small recording, each frame of which is a part."""
    write(folder / "in.zarr", frames(FRAMES, SHAPE))
    outputs = {"result": str(folder / "out.zarr")}
    config = CellINRConfig(preset="preview", steps=5)
    return make_plan("denoise", Source(str(folder / "in.zarr")), config, outputs, 1e12)


def result(plan: Plan) -> np.ndarray:
    """Return the values of the result."""
    return read(plan.places[0]).array()


def same(plan: Plan, expected: np.ndarray) -> bool:
    """Return whether the result is complete and equal."""
    return not unfinished(plan.places[0]) and bool(np.array_equal(result(plan), expected))


def killed_process(plan: Plan, seconds: float) -> bool:
    """Kill a process that runs all parts after some time; return whether it was still running."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            finish(run_plan(plan))
        os._exit(0)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def killed_worker(
    plan: Plan, workers: Workers, seconds: float, draw: random.Random
) -> tuple[bool, bool]:
    """Run all parts and kill a worker after some time.

    Returns
    -------
    tuple
        Whether the result is complete, and whether the run had not ended when it was killed.
    """
    job, killed, started = run_plan(plan, workers, overwrite=True), False, time.monotonic()
    while True:
        try:
            next(job)
        except StopIteration as end:
            return end.value.is_complete, killed
        pids = pids_of(workers)
        if not killed and pids and time.monotonic() - started > seconds:
            os.kill(draw.choice(pids), signal.SIGKILL)
            killed = True


def pids_of(workers: Workers) -> list[int]:
    """Return the processes of workers that were started here."""
    pool = getattr(workers, "_pool", None)
    if pool is not None:
        return list(pool._processes or {})
    return [one.pid for one in workers._cluster.workers.values() if one.pid]


def killed_scheduler() -> dict[str, object]:
    """Kill a scheduler of four workers while parts are computed, and start all again.

    Returns
    -------
    dict
        Whether the result is complete, and equal to that of one process; what was said of workers;
        seconds from the kill to the next part.
    """
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name).resolve()
        (folder / "sitecustomize.py").write_text(
            "import napari_cellinr\nnapari_cellinr.__version__ = '0.0.1'\n"
        )
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        plan = planned(folder)
        assert finish(run_plan(plan)).is_complete
        expected = result(plan)
        processes = _started(folder, port)
        try:
            workers = _opened(f"tcp://127.0.0.1:{port}")
            job, killed, again = run_plan(plan, workers, overwrite=True), 0.0, 0.0
            before = 0
            while True:
                try:
                    progress = next(job)
                except StopIteration as end:
                    found = end.value
                    break
                if progress.step >= 1 and not killed:
                    killed, before = time.monotonic(), progress.step
                    _end(processes)
                    processes = _started(folder, port)
                elif killed and not again and progress.step > before:
                    again = time.monotonic()
            workers.close()
        finally:
            _end(processes)
        return {
            "complete": found.is_complete,
            "equal": same(plan, expected),
            "said": found.warnings,
            "seconds": again - killed,
        }


def _started(folder: Path, port: str) -> list[subprocess.Popen[bytes]]:
    """Return a scheduler, a worker of another version, and three others."""
    paths = os.pathsep.join(filter(None, sys.path))
    address, found = f"tcp://127.0.0.1:{port}", []
    others = os.pathsep.join([str(folder), paths])
    worker = ("worker", address, "--nthreads", "1", "--no-nanny")
    scheduler = ("scheduler", "--host", "tcp://127.0.0.1", "--port", port)
    for path, (kind, *words) in ((paths, scheduler), (others, worker), *[(paths, worker)] * 3):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        quiet = subprocess.DEVNULL
        found.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))
    return found


def _opened(address: str) -> Workers:
    """Return the workers of a scheduler that has just been started."""
    for _ in range(12):
        with contextlib.suppress(FitError):
            return open_workers(address, 4, threads=1)
    raise TimeoutError(address)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


if __name__ == "__main__":
    import json

    if sys.argv[1] == "scheduler":
        print(json.dumps(killed_scheduler(), indent=1))
    else:
        print(json.dumps(run(int(sys.argv[1]), 0, *sys.argv[2:3])))
