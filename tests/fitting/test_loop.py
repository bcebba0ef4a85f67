"""The optimisation loop with known answers: averages, patience, convergence, going on."""

import numpy as np
import pytest
import torch

from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import Outcome, PreviewRequest, Problem, Schedule, finish


class Walk(Problem):
    """One number that moves by 1 with each step; its held-out errors are given.

    Parameters
    ----------
    errors
        Held-out error at each look; the last one is repeated.
    noise
        Standard deviation of a random loss, which changes the way.
    """

    def __init__(self, errors=(1.0,), noise=0.0):
        self.place = torch.nn.Parameter(torch.zeros(1))
        self.errors, self.noise, self.looks = list(errors), noise, []

    @property
    def device(self):
        return torch.device("cpu")

    def schedule(self):
        return Schedule(warm_up=0)

    def param_groups(self):
        return [{"params": [self.place], "lr": 1.0}]

    def loss(self, step, generator):
        slope = 1 + self.noise * torch.randn(1, generator=generator)
        return {"data": -(slope * self.place).sum()}

    def held_out(self):
        self.looks.append(float(self.place.detach()))
        return self.errors[min(len(self.looks), len(self.errors)) - 1]


def run(problem, monitor=None, **settings):
    return finish(optimise(problem, CellINRConfig(**settings), monitor or Monitor()))


def test_later_steps_count_more_in_the_average():
    """Step n moves the average 5 / (4 + n) of the way to its place n: 1, 11/6, 8/3, 7/2, 13/3."""
    problem = Walk()
    run(problem, steps=5)
    assert problem.looks[1] == pytest.approx(13 / 3, rel=1e-5)  # the plain mean is 3


def test_a_fit_has_converged_after_six_looks_in_a_row_without_improvement():
    outcome = run(Walk([9, 8, 8, 8, 8, 8, 8, 7, 7]), steps=1000)
    assert outcome.stopped == "converged"
    assert outcome.steps == 5 * (7 + 6)  # the seventh look was better: it counts anew
    assert outcome.held_out == 7


def test_a_gain_below_the_tolerance_is_kept_but_counts_as_none():
    errors = [1 - 1e-5 * n for n in range(50)]
    outcome = run(Walk(errors), steps=1000)
    assert outcome.steps == 5 * 6
    assert outcome.held_out == errors[6]


@pytest.mark.parametrize(("late", "converged"), [(0.9995, True), (0.95, False)])
def test_a_fit_that_still_gained_in_its_last_third_has_not_converged(late, converged):
    history = tuple({"step": n, "held_out": error} for n, error in enumerate([2.0, 1.0, late]))
    assert Outcome("steps", 2, late, history).converged == converged
    assert not Outcome("user", 2, late, history).converged


def test_the_rate_rises_over_the_first_ten_steps():
    factors = [Schedule().factor(step, 100) for step in (0, 4, 9, 50)]
    assert factors == [0.1, 0.5, 1.0, 1.0]


def test_a_fit_goes_on_with_the_same_numbers(tmp_path, monkeypatch):
    """Given up after step 12 and begun again, it does steps 13 to 30 as if nothing had been."""
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    errors = [5.0, 4, 3, 2, 1, 0.5, 0.4]
    whole = Walk(errors, noise=0.5)
    expected = run(whole, steps=30)
    problem = Walk(errors, noise=0.5)
    job = optimise(
        problem, CellINRConfig(steps=30), Monitor(checkpoint=Checkpoint(tmp_path / "c", every=0))
    )
    while next(job).step < 12:
        pass
    job.close()
    resumed = Walk(errors, noise=0.5)
    resumed.looks = list(problem.looks[:2])  # the first look comes again
    monitor = Monitor(checkpoint=Checkpoint(tmp_path / "c", every=1e9))
    reported = []
    again = optimise(resumed, CellINRConfig(steps=30), monitor)
    try:
        while True:
            reported.append(next(again).step)
    except StopIteration as finished:
        outcome = finished.value
    assert reported[0] == 13
    assert outcome.steps == expected.steps == 30
    assert [row["step"] for row in outcome.history] == [row["step"] for row in expected.history]
    assert torch.equal(resumed.place, whole.place)


def test_the_time_left_is_measured_without_what_only_the_first_step_takes(monkeypatch):
    """The first step takes 30 s, all others 1 s; a slow stage came before."""
    clock = [500.0]
    monkeypatch.setattr("napari_cellinr.fitting.optimise.time.monotonic", lambda: clock[0])

    class Slow(Walk):
        def loss(self, step, generator):
            clock[0] += 1 if step else 30
            return super().loss(step, generator)

    job = optimise(Slow(), CellINRConfig(steps=20), Monitor(started=0.0))
    first, second, third = (next(job) for _ in range(3))
    assert first.eta is None
    assert second.eta == pytest.approx(18)
    assert third.eta == pytest.approx(17)


def test_a_request_while_a_job_is_paused_is_answered_and_the_pause_goes_on():
    monitor = Monitor()
    seen = []

    def preview(request):
        seen.append(request.index)

    job = monitor.report("fitting", preview_of=preview)
    next(job)
    assert job.send("pause").stage == "paused"
    assert job.send(PreviewRequest({"Z": 2})).stage == "paused"
    assert seen == [{"Z": 2}]
    with pytest.raises(StopIteration):
        job.send("resume")
    assert not monitor.stopped


def test_a_stop_is_remembered_by_later_stages():
    monitor = Monitor()
    job = monitor.report("one")
    next(job)
    with pytest.raises(StopIteration):
        job.send("stop")
    assert monitor.stopped
    later = monitor.report("two")
    next(later)
    with pytest.raises(StopIteration):
        later.send("resume")
    assert monitor.stopped


@pytest.mark.parametrize(("error", "begins"), [(0.5, 7.0), (1.0, 0.0), (2.0, 0.0)])
def test_a_fit_begins_with_another_only_if_its_held_out_error_is_lower(error, begins):
    """The held-out error is 1 at 0, and `error` at the place 7 of the other fit."""
    problem, monitor = Walk([1.0, error, 0.1]), Monitor()
    monitor.checkpoint.initial = {"": {"best.0": np.array([7.0], np.float32)}}
    outcome = run(problem, monitor, steps=5)
    assert problem.looks[:2] == [0, 7]
    assert problem.looks[2] == pytest.approx(begins + 13 / 3, rel=1e-5)
    assert outcome.history[0] == {"step": 0, "held_out": min(error, 1.0)}


def test_a_pause_shifts_the_deadline_by_as_long_as_it_took(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr("napari_cellinr.fitting.monitor.time", clock)
    monitor = Monitor()
    monitor.deadline = monitor.end_after(10)
    job = monitor.report("fitting")
    next(job)
    for message in ("pause", None, "pause"):
        job.send(message)
        clock.now += 3  # the caller waits, too
    with pytest.raises(StopIteration):
        job.send("resume")
    paused = clock.now - 100
    assert paused > 9
    assert monitor.paused_seconds == pytest.approx(paused)
    assert monitor.deadline == pytest.approx(110 + paused)
    assert monitor.end_after(10) == pytest.approx(110 + paused)
    assert not monitor.is_late
