"""Work in the background: results, errors, stops and pauses."""

import threading
import time
from concurrent.futures import Executor, Future

import pytest

from napari_cellinr.fitting import background
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import PreviewRequest, finish


def test_the_result_comes_back():
    assert finish(in_background("adding", lambda: 1 + 1, Monitor())) == 2


def test_errors_come_back():
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        finish(in_background("failing", fail, Monitor()))


def test_progress_names_the_stage():
    job = in_background("waiting", lambda: time.sleep(0.3), Monitor())
    assert next(job).stage == "waiting"


def test_work_that_ends_at_once_is_reported_and_can_be_stopped(monkeypatch):
    class AtOnce(Executor):
        def submit(self, work):
            future = Future()
            future.set_result(work())
            return future

    monkeypatch.setattr(background, "_one_thread", AtOnce)
    monitor = Monitor()
    job = in_background("adding", lambda: 1 + 1, monitor)
    assert next(job).stage == "adding"
    with pytest.raises(StopIteration):
        job.send("stop")
    assert monitor.stopped


def test_a_stop_does_not_wait_for_the_work():
    released = threading.Event()
    job = in_background("waiting", released.wait, Monitor())
    next(job)
    with pytest.raises(StopIteration) as finished:
        job.send("stop")
    assert finished.value.value is None
    released.set()


def test_a_stop_waits_for_work_that_is_needed():
    released = threading.Event()
    job = in_background("waiting", lambda: released.wait() and 7, Monitor(), needed=True)
    next(job)
    job.send("stop")
    released.set()
    assert finish(job) == 7


def test_a_request_for_a_preview_is_passed_over():
    job = in_background("waiting", lambda: time.sleep(0.3) or 5, Monitor())
    next(job)
    job.send(PreviewRequest({"Z": 1}))
    assert finish(job) == 5


def test_a_pause_holds_the_job_after_the_work():
    job = in_background("waiting", lambda: time.sleep(0.2) or 5, Monitor())
    next(job)
    job.send("pause")
    time.sleep(0.4)
    assert next(job).stage == "paused"
    assert next(job).stage == "paused"
    with pytest.raises(StopIteration) as finished:
        job.send("resume")
    assert finished.value.value == 5
