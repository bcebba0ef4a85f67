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


def test_a_job_is_closed_if_its_progress_cannot_be_written(monkeypatch):
    closed = []

    def job():
        try:
            yield Progress("fitting", 1, 2)
        finally:
            closed.append(True)

    running = job()
    monkeypatch.setattr(sys, "stderr", BrokenPipe())
    with pytest.raises(BrokenPipeError):
        follow(running, Interruption())
    assert closed == [True]
