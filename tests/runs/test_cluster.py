"""Parts that are computed by processes and by workers of Dask, some of which are killed."""

import os
import signal

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import ConfigError, FitError
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import executors
from napari_cellinr.runs.scale.executors import of_dask, on_workers
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import check_worker
from napari_cellinr.runs.scale.plan import Plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.slurm import slurm_script
from napari_cellinr.runs.scale.source import Source


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Four frames, each a part."""
    folder = tmp_path_factory.mktemp("cluster")
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 4)).astype(np.uint16)
    write(folder / "in.zarr", Image(frames, axes="TYX"))
    config = CellINRConfig(preset="preview", steps=5)
    return make_plan(
        "denoise",
        Source(str(folder / "in.zarr")),
        config,
        {"result": str(folder / "out.zarr")},
        1e12,
    )


@pytest.fixture(scope="module")
def expected(plan):
    assert len(plan.parts) == 4
    assert finish(run_plan(plan)).is_complete
    return read(plan.places[0]).array()


def run_with_a_kill(plan, workers, pids):
    """Run all parts, and kill a worker as soon as one is finished."""
    job, killed = run_plan(plan, workers, overwrite=True), False
    try:
        while True:
            progress = next(job)
            if progress.step >= 1 and not killed:
                os.kill(pids()[0], signal.SIGKILL)
                killed = True
    except StopIteration as end:
        return end.value, killed
    finally:
        workers.close(stop=True)


def test_a_killed_process_is_replaced(plan, expected):
    workers = executors.open_workers(None, 1, threads=1)
    found, killed = run_with_a_kill(plan, workers, lambda: list(workers._pool._processes))
    assert killed
    assert found.is_complete
    np.testing.assert_array_equal(read(plan.places[0]).array(), expected)


def test_a_killed_worker_of_dask_is_replaced(plan, expected):
    pytest.importorskip("distributed")
    workers = executors.open_workers("local", 2, threads=1)
    found, _ = run_with_a_kill(
        plan, workers, lambda: [one.pid for one in workers._cluster.workers.values()]
    )
    assert found.is_complete
    np.testing.assert_array_equal(read(plan.places[0]).array(), expected)


def test_a_scheduler_that_cannot_be_reached_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(of_dask, "CONNECT", 0.2)
    with pytest.raises(FitError, match=r"tcp://127.0.0.1:9 cannot be reached"):
        executors.open_workers("tcp://127.0.0.1:9", 1)


def test_without_the_extra_its_name_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match="cluster"):
        executors.open_workers("local", 1)


def test_workers_check_version_and_recording(plan):
    assert check_worker(plan) == ""
    older = Plan(**{**vars(plan), "version": "0.0.1"})
    assert "the plan was made with 0.0.1" in check_worker(older)
    absent = Plan(**{**vars(plan), "source": Source("/nowhere/in.zarr")})
    assert "cannot read the recording" in check_worker(absent)
    other = Plan(**{**vars(plan), "digest": "0"})
    assert "another recording" in check_worker(other)
    assert "has napari-cellinr" in on_workers.checked("0.0.1", str, "")


def test_the_script_for_slurm_covers_all_parts(plan):
    script = slurm_script(plan, "my plan.json")
    assert "--array=0-3" in script
    assert "--dependency=afterok:$parts" in script
    assert "run-part 'my plan.json'" in script
    many = Plan(**{**vars(plan), "parts": plan.parts * 1000})
    assert "--array=0-999" in slurm_script(many, "plan.json")
    assert "SLURM_ARRAY_TASK_ID * 4" in slurm_script(many, "plan.json")
