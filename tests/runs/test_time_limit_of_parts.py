"""The time limit of a run in parts is that of the whole run; a pause is no time of the run."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_cellinr import FitError, Image, compute_in_parts, read, write
from napari_cellinr.cli import main
from napari_cellinr.config import CellINRConfig, NSTMConfig
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import run
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.methods import denoise, reconstruct
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State

EACH = 0.3  # seconds of a part


class Fitted:
    """A result that has the values of the recording."""

    roles, report = ("result",), {}

    def __init__(self, block, stopped):
        self.stopped, self._block = stopped, block

    def image(self, role):
        return self._block.like(np.asarray(self._block.array(), np.float32))


def slow(block, plan, part, monitor):
    """Compute for a while; end as soon as that is requested."""
    assert plan.config.max_seconds is None  # it is not that of a part
    end = time.monotonic() + EACH
    while time.monotonic() - monitor.paused_seconds < end and not monitor.stopped:
        time.sleep(0.01)
        yield from monitor.report("computing")
    return Fitted(block, "user" if monitor.stopped else "steps")


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Six frames, each a part that takes a while."""
    monkeypatch.setattr(denoise.METHOD, "job", slow)
    monkeypatch.setattr(denoise.METHOD, "frames", lambda plan, part: list(range(*part.near)))
    monkeypatch.setattr(denoise.METHOD, "measured", lambda image, config: ([{"settings": {}}], []))
    image = Image(np.random.default_rng(0).poisson(50, (6, 32, 32)).astype(np.uint16), "TYX")
    write(tmp_path / "in.zarr", image)
    return tmp_path / "in.zarr"


def planned(recording, **settings):
    config = CellINRConfig(preset="preview", **settings)
    outputs = {"result": str(recording.with_name("out.zarr"))}
    return make_plan("denoise", Source(str(recording)), config, outputs, 1e12)


def test_the_run_ends_at_its_limit(recording):
    plan = planned(recording, max_seconds=2.5 * EACH)
    assert len(plan.parts) == 6
    began = time.monotonic()
    found = finish(run_plan(plan))
    assert time.monotonic() - began < 1.1 * 2.5 * EACH + 2
    assert (found.stopped, found.is_late, found.failed) == (True, True, {})
    assert 1 <= found.done < 6
    finish(run_plan(plan, started=time.monotonic() + 60))  # goes on with a limit of its own
    assert read(plan.places[0]).shape == (6, 32, 32)
    assert not plan.folder.exists()


def test_time_before_the_first_part_counts(recording):
    found = finish(run_plan(planned(recording, max_seconds=5), started=time.monotonic() - 5))
    assert (found.is_late, found.done) == (True, 0)


def test_the_limit_of_workers_is_that_of_the_run(recording, monkeypatch):
    class Threads:
        n_workers, link = 2, ""
        pool = ThreadPoolExecutor(2)

        def ready(self, *_):
            yield "waiting for the first worker"
            return []

        def check(self, *_):
            return []

        @property
        def are_lost(self):
            return False

        def submit(self, task, *arguments):
            return self.pool.submit(task, *arguments)

    monkeypatch.setattr("napari_cellinr.runs.scale.parts.POLL", 0.05)
    plan, began = planned(recording, max_seconds=1.5 * EACH), time.monotonic()
    found = finish(run_plan(plan, Threads()))
    assert time.monotonic() - began < 1.1 * 1.5 * EACH + 2
    assert (found.is_late, found.failed) == (True, {})
    assert found.done < 6
    Threads.pool.shutdown()
    assert State(plan).is_stopped  # so workers elsewhere end their parts


def test_an_open_image_has_the_same_limit(recording):
    place = recording.with_name("grown.zarr")
    with pytest.raises(FitError, match=r"stopped by its time limit of 0\.75 s\. .* of 7 parts"):
        compute_in_parts("denoise", read(recording), place, preset="preview", max_seconds=0.75)
    assert place.with_name("grown.zarr.parts").is_dir()


def test_the_command_says_how_to_go_on(recording, capsys):
    words = ["denoise", str(recording), str(recording.with_name("out.zarr")), "--parts"]
    status = main([*words, "--preset", "preview", "--max-seconds", "0.8"])
    told = capsys.readouterr().err
    assert status == 130
    assert "stopped by the time limit of 0.8 s after " in told
    assert f"go on with --resume {recording.with_name('out.zarr.parts')}" in told


def test_a_plan_does_not_depend_on_the_limit(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        reconstruct.METHOD, "measured",
        lambda image, config: (seen.append(config.max_seconds), ([{"frame_times": None}], []))[1],
    )  # fmt: skip
    path = write(tmp_path / "in.zarr", Image(np.ones((4, 32, 32), np.uint16), "TYX"))
    outputs = {"result": str(tmp_path / "out.zarr")}
    plans = [
        make_plan("reconstruct", Source(str(path)), NSTMConfig(max_seconds=limit), outputs, 1e12)
        for limit in (None, 1e-3)
    ]
    assert seen == [None, None]
    assert plans[0].seconds == plans[1].seconds > 1e-3  # of a part, which has no limit


def test_the_time_left_does_not_grow_in_a_pause(recording, monkeypatch):
    monkeypatch.setattr(run, "COARSER", 0.0)
    job = run_plan(planned(recording))
    progress = next(job)
    while progress.step < 2:
        progress = next(job)
    first = job.send("pause").eta
    time.sleep(2 * EACH)
    later = next(job).eta
    assert later == pytest.approx(first, abs=0.1 * EACH)
    job.close()
