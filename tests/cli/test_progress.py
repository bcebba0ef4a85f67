"""The progress of a job in a terminal."""

import sys
from types import SimpleNamespace

import pytest

from napari_cellinr.cli.shared import progress
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


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch, capsys):
    times = iter([0.0, 10.0, 31.0, 31.0, 40.0, 50.0])
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert follow(job([]), Interruption()) == "result"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fitting")
    assert "2/2" in lines[0]
