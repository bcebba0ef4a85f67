"""Workers that take a part and never answer: another one computes it, and the run ends."""

import os
import signal
import time
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from napari_cellinr import Image, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FileError, FitError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale import parts, patience, run
from napari_cellinr.runs.scale.executors import late, of_dask, open_workers, roster
from napari_cellinr.runs.scale.executors.late import Late
from napari_cellinr.runs.scale.executors.on_workers import libraries
from napari_cellinr.runs.scale.executors.questions import NoAnswerError, Question
from napari_cellinr.runs.scale.executors.roster import Roster
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.parts import compute, part_job
from napari_cellinr.runs.scale.patience import Patience
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source
from napari_cellinr.runs.scale.state import State


@pytest.fixture
def plan(tmp_path):
    """Four frames, each a part."""
    generator = np.random.default_rng(0)
    light = 50 + 40 * np.sin(np.arange(32) / 3)[:, None] * np.sin(np.arange(32) / 3)
    frames = generator.poisson(np.stack([light] * 4)).astype(np.uint16)
    write(tmp_path / "in.zarr", Image(frames, axes="TYX"))
    return planned(tmp_path, "out.zarr")


def planned(folder, name):
    config, outputs = CellINRConfig(preset="preview", steps=5), {"result": str(folder / name)}
    return make_plan("denoise", Source(str(folder / "in.zarr")), config, outputs, 1e12)


class Hanging:
    """Workers that never end some parts, or not the first time that they get them."""

    n_workers, link, are_lost = 2, "", False

    def __init__(self, hangs):
        self._hangs, self._held, self.limits = dict(hangs), {}, []

    def submit(self, task, plan, number):
        found = Future()
        if self._hangs.get(number, 0) > 0:
            self._hangs[number] -= 1
            self._held[found] = number
        else:
            found.set_result(task(plan, number))
        return found

    def ready(self, task, plan):
        yield from ()
        return []

    def check(self, task, plan):
        return []

    def overdue(self, limit):
        self.limits.append(limit)
        held, self._held = self._held, {}
        return [(future, f"a worker hangs with {number}.") for future, number in held.items()]


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(run, "NEWS", 0.0)
    monkeypatch.setattr(run, "POLL", 0.001)


def test_a_part_of_a_worker_that_hangs_is_given_to_another_one(plan, at_once):
    expected = planned(plan.places[0].parent, "expected.zarr")
    finish(run_plan(expected))
    workers = Hanging({2: 1})
    found = finish(run_plan(plan, workers))
    assert found.is_complete
    assert found.warnings.count("a worker hangs with 2.") == 1
    assert workers.limits[0] == patience.FLOOR
    np.testing.assert_array_equal(read(plan.places[0]).array(), read(expected.places[0]).array())


def test_a_part_with_which_all_workers_hang_fails_and_the_others_are_kept(plan, at_once):
    found = finish(run_plan(plan, Hanging({1: 100})))
    assert set(found.failed) == {1}
    assert found.failed[1].startswith("part 1: 2 workers had not finished it within 10 minutes")
    assert State(plan).done == {0, 2, 3}
    assert finish(run_plan(plan)).is_complete


def test_the_limit_is_ten_times_the_longest_part(plan):
    def limit(expected, *taken):
        facts = dict(enumerate(taken))
        state = SimpleNamespace(facts=lambda number: {"seconds": facts[number]})
        found = Patience(SimpleNamespace(seconds=expected), state)
        for number in facts:
            found.note(number)
        return found.limit

    assert limit(1.0) == patience.FLOOR
    assert limit(100.0) == limit(100.0, 50.0) == 1000.0
    assert limit(100.0, 300.0, None) == 3000.0


def test_a_worker_that_wakes_up_late_does_not_write_what_another_one_has_written(plan, monkeypatch):
    """The tiles of the other one may be blended by now."""
    job_of = parts.method_in_parts("denoise").job

    def job(*given):
        fitted = yield from job_of(*given)
        monkeypatch.undo()
        compute(plan, 0)  # by another worker
        monkeypatch.setattr(parts, "write_region", None)
        return fitted

    monkeypatch.setattr(parts.method_in_parts("denoise"), "job", job)
    finish(part_job(plan, 0, Monitor()))
    assert State(plan).done == {0}


def test_a_worker_that_wakes_up_after_the_run_leaves_the_result_alone(plan, monkeypatch):
    job_of = parts.method_in_parts("denoise").job

    def job(*given):
        fitted = yield from job_of(*given)
        monkeypatch.undo()
        assert finish(run_plan(plan)).is_complete
        monkeypatch.setattr(parts, "write_region", None)
        return fitted

    monkeypatch.setattr(parts.method_in_parts("denoise"), "job", job)
    with pytest.raises(FileError, match="the run of part 0 has ended meanwhile"):
        finish(part_job(plan, 0, Monitor()))
    assert not plan.folder.exists()


def test_whoever_finishes_no_task_is_late(monkeypatch):
    """The clock of a worker begins with its first task, and anew with each that it finishes."""
    clock = SimpleNamespace(now=0.0)
    watched, told = Late(), []
    monkeypatch.setattr(late.time, "monotonic", lambda: clock.now)
    for now, has in (
        (0.0, {"a": ["1", "2"], "b": ["3", "4"], "c": []}),
        (4.0, {"a": ["1", "2"], "b": ["4"], "c": []}),
        (8.0, {"a": ["1"], "b": ["4"], "c": ["2"]}),  # 2 was taken from a
        (11.0, {"a": ["1", "5"], "b": ["4"], "c": ["2"]}),
        (15.0, {"a": ["1", "5"], "b": ["6"], "c": ["2"]}),
        (19.0, {"a": [], "b": ["6"], "c": ["2"]}),
    ):
        clock.now = now
        told.append(watched.new(has, 10.0))
    assert told == [[], [], [], ["a"], ["a"], ["c"]]


def test_a_call_without_an_answer_is_given_up():
    question = Question(time.sleep, 1000)
    with pytest.raises(NoAnswerError):
        question.answer(0.01)
    assert not question.is_answered


def test_the_error_of_a_call_is_no_missing_answer():
    def refused():
        raise TimeoutError("no connection")

    with pytest.raises(TimeoutError, match="no connection") as error:
        Question(refused).answer(10)
    assert not isinstance(error.value, NoAnswerError)
    with pytest.raises(ZeroDivisionError):
        Question(lambda: 1 / 0).answer(10)


def test_a_worker_that_does_not_answer_is_left_out_until_it_does(monkeypatch):
    monkeypatch.setattr(roster, "AT_ONCE", 0.1)
    monkeypatch.setattr(roster, "ANSWER", 0.0)
    silent, found = Future(), Roster()

    def ask(address):
        return ("", libraries()) if address == "a" else silent.result()

    (text,) = found.check(["a", "b"], ask)
    assert "the worker b has not answered" in text
    assert (found.good, set(found.left_out)) == ({"a"}, {"b"})
    assert found.check(["a", "b"], ask) == []
    silent.set_result(("", libraries()))
    end = time.monotonic() + 10
    while found.left_out and time.monotonic() < end:
        found.check(["a", "b"], ask)
    assert found.good == {"a", "b"}


def wait_for(place, begun):
    Path(begun).touch()
    while not Path(place).exists():
        time.sleep(0.05)


@pytest.fixture
def opened(monkeypatch):
    """Return a function that opens workers, which are closed at the end."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(of_dask, "LOOK", 0.1)
    found = []

    def opened(scheduler, number):
        workers = open_workers(scheduler, number, threads=1)
        found.append(workers)
        for _ in workers.ready(str):
            time.sleep(0.1)
        end = time.monotonic() + 60
        while len(workers._usable()) < number and time.monotonic() < end:
            workers.check(str)
            time.sleep(0.1)
        return workers

    yield opened
    for workers in reversed(found):
        workers.close(stop=True)


def taken_back(workers, limit):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := workers.overdue(limit):
            return found
        time.sleep(0.05)
    raise AssertionError("no worker is late")


def test_workers_of_a_scheduler_that_hang_get_no_tasks_until_they_have_time(opened, tmp_path):
    local = opened("local", 2)
    workers = opened(local._cluster.scheduler_address, 2)
    places = [str(tmp_path / name) for name in ("a", "b")]
    begun = [f"{place}.begun" for place in places]
    futures = [workers.submit(wait_for, *given) for given in zip(places, begun, strict=True)]
    end = time.monotonic() + 60
    while not all(map(os.path.exists, begun)) and time.monotonic() < end:
        time.sleep(0.05)
    found = []
    while len(found) < 2:
        found += taken_back(workers, 0.5)
    assert {one for one, _ in found} == set(futures)
    assert all("has finished no part within 1 minute;" in text for _, text in found)
    with pytest.raises(FitError, match=r"no worker is left that computes parts: the worker tcp"):
        workers.submit(str, 1)
    Path(places[0]).touch()
    end = time.monotonic() + 60
    while not workers._usable() and time.monotonic() < end:
        assert workers.overdue(1000) == []
        time.sleep(0.05)
    assert workers.submit(str, 1).result(60) == "1"
    Path(places[1]).touch()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs a signal that stops a process")
def test_the_parts_of_a_worker_that_is_stopped_are_computed_by_another_one(
    plan, opened, monkeypatch
):
    monkeypatch.setattr(patience, "TIMES", 0.0)
    monkeypatch.setattr(run, "NEWS", 0.2)
    workers = opened("local", 2)
    process = next(iter(workers._cluster.workers.values())).pid
    os.kill(process, signal.SIGSTOP)
    job = run_plan(plan, workers)
    try:
        while True:
            done, is_late = next(job).step, bool(workers._roster.left_out)
            # The other worker has done its half, and has all the time that it needs for the rest.
            monkeypatch.setattr(patience, "FLOOR", 0.5 if done >= 2 and not is_late else 1e9)
    except StopIteration as end:
        found = end.value
    assert found.is_complete
    assert sum("has finished no part within" in text for text in found.warnings) == 1
