"""The time left of a run in parts: one number for all, in which coarser levels are little work."""

from dataclasses import replace

import numpy as np
import pytest

from napari_cellinr import Image, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.problem import Progress
from napari_cellinr.runs.scale import run
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.plan import FRAMES_AT_ONCE
from napari_cellinr.runs.scale.source import Source

MAIN, COARSE, PIXELS = 30.0, 1.0, 64  # seconds of a part, and of one of coarser levels


@pytest.fixture
def plan(tmp_path):
    """Return a plan of three parts, and as many again for the coarser levels."""
    values = np.random.default_rng(0).poisson(50, (3 * FRAMES_AT_ONCE, PIXELS, PIXELS))
    path = tmp_path / "in.zarr"
    write(path, Image(values.astype(np.uint16), "TYX", (1.0, 0.1, 0.1)))
    outputs = {"result": str(tmp_path / "out.zarr")}
    made = make_plan("denoise", Source(str(path)), CellINRConfig(), outputs, 1e12)
    made = replace(made, parts=made.parts[:1] * 3)
    assert made.n_coarse == 3
    return made


def test_the_time_left_is_what_is_left(plan, monkeypatch):
    """It was ten times as much when all parts counted alike: 128 of 160 were of coarser levels."""
    now = 0.0
    monkeypatch.setattr(run.time, "monotonic", lambda: now)
    monkeypatch.setattr(run, "COARSER", COARSE / (FRAMES_AT_ONCE * PIXELS**2))
    monkeypatch.setattr(run._Run, "finished", lambda _: None)

    def part_job(plan, number, *_):
        nonlocal now
        yield Progress("begun", 0, 1)
        now += MAIN if number < len(plan.parts) else COARSE

    monkeypatch.setattr(run, "part_job", part_job)
    left = [progress.eta for progress in run.run_plan(plan)]
    assert left[0] is None
    assert left[1:] == pytest.approx([2 * MAIN + 3, MAIN + 3, 3, 2, 1])
