"""The thread of a job: its warnings, its share of the cores, and the memory that it gives back."""

import gc
import importlib
import logging
import os
import sys
import threading
import time
import warnings
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr.errors import FileError, FitError
from napari_cellinr.fitting.problem import PreviewRequest, Progress
from napari_cellinr.image import Image
from napari_cellinr.ui.session.job import worker
from napari_cellinr.ui.session.job.worker import Run

pytestmark = pytest.mark.gui

LEAVE_A_CORE = worker._leave_a_core_to_the_viewer
"""As it is; a fixture of every test replaces it."""


class Tensor:
    """What takes memory."""


@pytest.fixture
def torch(monkeypatch):
    """Return a torch with a GPU that notes which tensors are left when it empties its cache."""
    importlib.import_module("napari_cellinr.fitting.resources.memory")  # needs the real torch
    fake = SimpleNamespace(threads=[], tensors=[], left=[])
    fake.set_num_threads = lambda n: fake.threads.append((n, threading.get_ident()))
    fake.cuda = SimpleNamespace(
        is_available=lambda: True,
        empty_cache=lambda: fake.left.append(sum(one() is not None for one in fake.tensors)),
    )
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


@pytest.fixture
def ending(qtbot):
    """Return a function that runs a job to its end, and what it ended with."""

    def run(job, during=None):
        one = Run(job, "a job")
        if during is not None:
            one.progressed.connect(lambda _: during(one))
        with qtbot.waitSignal(one.ended, timeout=5000) as signal:
            one.start()
        return signal.args[0]

    return run


def test_a_warning_of_the_thread_is_logged(ending, caplog):
    def job():
        warnings.warn("odd voxels", UserWarning, stacklevel=1)
        yield Progress("fitting", 1, 1)

    with caplog.at_level(logging.WARNING, worker.__name__):
        assert ending(job).error is None
    assert "UserWarning: odd voxels" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("cores", "used"), [(8, 7), (2, 1), (1, 1), (None, 1)])
def test_torch_leaves_a_core_to_the_viewer(torch, ending, monkeypatch, cores, used):
    monkeypatch.setattr(worker, "_leave_a_core_to_the_viewer", LEAVE_A_CORE)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    seen = []

    def job():
        seen.extend(torch.threads)  # set before anything is computed
        yield Progress("fitting", 1, 1)

    ending(job)
    ((threads, where),) = seen
    assert threads == used
    assert where != threading.get_ident()


def fails(job):
    """Raise what a job raises whose failures are explained: the cause holds its frames."""
    try:
        yield from job
    except RuntimeError as error:
        raise FitError("the fit failed; try a crop.") from error


@pytest.mark.parametrize("end", ["done", "cancelled", "error", "explained error"])
def test_memory_of_the_gpu_is_given_back(torch, ending, end):
    def steps():
        tensor = Tensor()
        torch.tensors.append(weakref.ref(tensor))
        while True:
            yield Progress("fitting", 1, 10)
            if end == "done":
                return "result"
            if end != "cancelled":
                raise RuntimeError("all tensors must be on one device")

    def job():
        return fails(steps()) if end == "explained error" else steps()

    found = ending(job, Run.cancel if end == "cancelled" else None)
    assert torch.left == [0]
    assert len(torch.tensors) == 1
    assert found.result == ("result" if end == "done" else None)
    assert (found.error is not None) == ("error" in end)


def test_a_job_that_cannot_be_closed_is_logged_and_its_memory_given_back(torch, ending, caplog):
    def job():
        try:
            while True:
                yield Progress("fitting", 1, 10)
        finally:
            raise FileError("no space left on the device")

    with caplog.at_level(logging.WARNING, worker.__name__):
        found = ending(job, Run.cancel)
    assert (found.result, found.error) == (None, None)
    assert torch.left == [0]
    assert "no space left" in caplog.text


def test_nothing_of_a_job_is_kept_once_it_has_ended(viewer, qtbot):
    """The window lists all workers that it has had: their images must not stay with them."""
    image = Tensor()
    gone = weakref.ref(image)

    def made(image):
        def job():
            yield Progress("fitting", 1, 1)
            return len([image])

        return job

    one = Run(made(image), "a job")
    del image
    with qtbot.waitSignal(one.ended, timeout=5000):
        one.start()
    del one
    gc.collect()
    assert gone() is None


def test_previews_that_take_long_leave_the_job_most_of_its_time(qtbot):
    def job():
        message = yield Progress("fitting")
        for _ in range(100):
            preview = None
            if isinstance(message, PreviewRequest):
                time.sleep(0.05)
                preview = Image(np.zeros((2, 2), np.float32), "YX")
            message = yield Progress("fitting", preview=preview)

    run = Run(job, "a job")
    run.request_preview(PreviewRequest())
    with qtbot.waitSignals([run.previewed, run.ended], timeout=5000):
        run.start()
    took = run._mailbox.preview_seconds
    assert took >= 0.05
    run._mailbox.preview_seconds = 3600.0
    assert not run.preview_is_due(0)
    run.pause()
    assert run.preview_is_due(0)
