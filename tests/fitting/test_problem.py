"""The one loop: it minimises, repeats itself, obeys, and keeps the best."""

import pytest
import torch

from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import FitError
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.optimise import optimise
from napari_cellinr.fitting.problem import PreviewRequest, Problem, Progress, Schedule, finish
from napari_cellinr.image import Image


class Parabola(Problem):
    """Finds the mean of noisy targets; the held-out error is the distance from the true one."""

    def __init__(self, noise=0.5, drift=0.0):
        self.place = torch.nn.Parameter(torch.zeros(3))
        self.goal = torch.tensor([1.0, -2.0, 0.5])
        self.noise = noise
        self.drift = drift
        self.device_ = torch.device("cpu")

    @property
    def device(self):
        return self.device_

    def param_groups(self):
        return [{"params": [self.place], "lr": 0.1}]

    def loss(self, step, generator):
        target = self.goal * (1 + self.drift * step)
        target = target + self.noise * torch.randn(3, generator=generator)
        return {"data": ((self.place - target) ** 2).sum()}

    def held_out(self):
        return float((self.place.detach() - self.goal).norm())

    def preview(self, request):
        return Image(self.place.detach().numpy().copy()[None], "YX")

    def render(self):
        return (self.preview(None),)

    def state_dict(self):
        return {"place": self.place.detach().clone()}

    def facts(self):
        return {}


def run(problem, answer=lambda progress: None, **settings):
    job = optimise(problem, CellINRConfig(**settings), Monitor())
    message = None
    seen = []
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            return finished.value, seen
        seen.append(progress)
        message = answer(progress)


def test_the_minimum_is_found():
    problem = Parabola()
    outcome, _ = run(problem, steps=400)
    assert problem.held_out() < 0.15
    assert outcome.held_out == problem.held_out()
    assert outcome.history[0]["step"] == 0


def test_the_same_seed_repeats_the_fit_and_another_does_not():
    places = []
    for seed in (3, 3, 4):
        problem = Parabola()
        run(problem, steps=40, seed=seed)
        places.append(problem.place.detach().clone())
    assert torch.equal(places[0], places[1])
    assert not torch.equal(places[0], places[2])


def test_a_fit_that_was_stopped_is_repeated_by_its_number_of_steps(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    stopped, again = Parabola(), Parabola()
    outcome, _ = run(stopped, lambda progress: "stop" if progress.step >= 7 else None, steps=500)
    assert outcome.stopped == "user"
    repeated, _ = run(again, steps=outcome.steps)
    assert repeated.stopped == "steps"
    assert torch.equal(stopped.place, again.place)


class LateMonitor(Monitor):
    """A monitor whose time limit is reached after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    @property
    def is_late(self):
        self.left -= 1
        return self.left <= 0


def test_a_fit_ended_by_the_clock_is_repeated_by_its_number_of_steps():
    stopped, again = Parabola(), Parabola()
    outcome = finish(optimise(stopped, CellINRConfig(steps=500), LateMonitor(7)))
    assert (outcome.stopped, outcome.steps) == ("time", 7)
    run(again, steps=outcome.steps)
    assert torch.equal(stopped.place, again.place)


def test_the_time_limit_is_a_time_of_the_monotonic_clock(monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.monitor.time.monotonic", lambda: 50.0)
    monitor = Monitor(started=20.0)
    assert monitor.seconds == 30
    assert not monitor.is_late
    for deadline, late in ((50.1, False), (50.0, True)):
        monitor.deadline = deadline
        assert monitor.is_late == late


def test_the_best_parameters_are_kept_when_later_ones_are_worse():
    problem = Parabola(noise=0.0, drift=0.5)
    outcome, _ = run(problem, steps=200)
    assert outcome.stopped == "converged"
    assert problem.held_out() == min(row["held_out"] for row in outcome.history)


def test_a_start_that_cannot_be_improved_is_kept():
    problem = Parabola(noise=3.0)
    with torch.no_grad():
        problem.place.copy_(problem.goal)
    run(problem, steps=50)
    assert problem.held_out() == 0


def test_progress_says_how_far_the_fit_is():
    _, seen = run(Parabola(), steps=3)
    assert all(isinstance(progress, Progress) for progress in seen)
    assert seen[0].steps == 3
    assert seen[0].held_out is not None


def test_pausing_holds_the_fit_until_it_is_resumed():
    answers = iter(["pause", None, None, "resume"])
    outcome, seen = run(Parabola(), lambda progress: next(answers, None), steps=20)
    assert [progress.stage for progress in seen[1:4]] == ["paused"] * 3
    assert len({progress.step for progress in seen[:5]}) == 1
    assert outcome.steps == 20


def test_a_paused_fit_can_be_stopped():
    answers = iter(["pause", "stop"])
    outcome, _ = run(Parabola(), lambda progress: next(answers, None), steps=20)
    assert outcome.stopped == "user"


def test_a_preview_comes_back_with_the_index_it_was_asked_for():
    answers = iter([PreviewRequest({"Z": 4})])
    _, seen = run(Parabola(), lambda progress: next(answers, None), steps=20)
    assert seen[0].preview is None
    assert seen[1].preview.shape == (1, 3)
    assert seen[1].preview_index == {"Z": 4}


def test_a_loss_that_is_no_number_is_an_error_with_a_remedy():
    problem = Parabola()
    problem.goal = torch.full((3,), torch.inf)
    with pytest.raises(FitError, match="learning_rate"):
        run(problem, steps=20)


class Annealed(Parabola):
    """The same with a falling learning rate."""

    def schedule(self):
        return Schedule(decay=1e-3, every=7)


def test_a_falling_rate_does_all_steps_and_keeps_the_last_parameters():
    problem = Annealed(noise=0.0, drift=0.1)
    outcome, _ = run(problem, steps=150)
    assert outcome.stopped == "steps"
    assert [row["step"] for row in outcome.history] == [*range(0, 150, 7), 150]
    assert problem.held_out() == outcome.history[-1]["held_out"] == outcome.held_out
    assert problem.held_out() > min(row["held_out"] for row in outcome.history)


class Linear(Parabola):
    """The same with a rate that falls in a straight line, and the best parameters."""

    def schedule(self):
        return Schedule(decay=0.5, every=10, linear=True, warm_up=0, keeps_best=True, steps=40)


def test_a_linear_rate_falls_by_the_same_amount_with_each_step():
    schedule = Linear().schedule()
    assert [schedule.factor(step, 40) for step in (0, 20, 40)] == [1, 0.75, 0.5]


def test_the_best_of_parameters_that_are_not_averaged_can_be_kept():
    problem = Linear(noise=0.0, drift=0.2)
    outcome, _ = run(problem, steps=5)
    assert (outcome.stopped, outcome.steps) == ("steps", 40)
    errors = [row["held_out"] for row in outcome.history]
    assert problem.held_out() == outcome.held_out == min(errors) < errors[-1]


class Unchecked(Parabola):
    """The same without a held-out error; nothing of it is stored."""

    def schedule(self):
        return Schedule(decay=0.5, every=0, is_stored=False)

    def held_out(self):
        raise AssertionError


def test_a_fit_need_not_be_evaluated_or_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_cellinr.fitting.optimise.REPORT_SECONDS", 0)
    problem, checkpoint = Unchecked(), Checkpoint(tmp_path / "job", every=0)
    job = optimise(problem, CellINRConfig(steps=20), Monitor(checkpoint=checkpoint))
    while (progress := next(job)).step < 20:
        assert progress.held_out is None
    last = problem.place.detach().clone()
    with pytest.raises(StopIteration) as ended:
        next(job)
    assert (ended.value.value.history, ended.value.value.reached) == ((), {})
    assert torch.equal(problem.place, last)
    assert not (tmp_path / "job").exists()
    assert not checkpoint.initial_requested


def test_a_part_of_a_job_reports_the_progress_of_the_job():
    monitor = Monitor()
    part = monitor.part(
        "of 3", named=lambda part: Progress("part 2", 100 + part.step, 200, preview=part.preview),
        preview_of=lambda request: Image(torch.zeros(2, 2).numpy(), "YX"),
    )  # fmt: skip
    with part:
        job = optimise(Parabola(), CellINRConfig(steps=9), monitor)
        first = next(job)
        assert (first.stage, first.step, first.steps) == ("part 2 (of 3)", 101, 200)
        assert job.send(PreviewRequest()).preview.shape == (2, 2)
