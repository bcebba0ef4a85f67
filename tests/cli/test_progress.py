"""The progress of a job in a terminal."""

import sys

import pytest

from napari_cellinr.cli.shared.progress import Interruption, follow
from napari_cellinr.fitting.problem import Progress


class BrokenPipe:
    """A terminal that has gone."""

    def isatty(self):
        return True

    def write(self, text):
        raise BrokenPipeError

    def flush(self):
        """Do nothing."""


def job(closed, error=None):
    """Return a job of two steps, the second of which may fail, and note its end."""
    try:
        yield Progress("fitting", 1, 2)
        if error is not None:
            raise error
        yield Progress("fitting", 2, 2)
    finally:
        closed.append(True)
    return "result"


def test_a_job_goes_on_if_its_progress_cannot_be_written(monkeypatch):
    closed = []
    monkeypatch.setattr(sys, "stderr", BrokenPipe())
    assert follow(job(closed), Interruption()) == "result"
    assert closed == [True]


def test_a_job_is_closed_if_it_fails():
    closed = []
    with pytest.raises(MemoryError):
        follow(job(closed, MemoryError()), Interruption())
    assert closed == [True]
