"""The one optimisation loop."""

from __future__ import annotations

import json
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.fitting.problem import Outcome, PreviewRequest, Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.problem import Message, Problem, Stopped
    from napari_cellinr.image import Image

__all__ = ["optimise"]

PATIENCE = 6
"""Looks without improvement after which a fit has converged."""

TOLERANCE = 2e-4
"""Relative improvement of the held-out error that counts as one."""

AVERAGE_POWER = 4
"""Weight of step n in the average of the parameters grows as n to this power."""

REPORT_SECONDS = 0.2
"""Time between two `Progress`."""


def optimise(
    problem: Problem, config: Config, *, started: float, deadline: float | None = None
) -> Generator[Progress, Message, Outcome]:
    """Return the optimisation of `problem` as a generator; this is the only loop there is.

    The parameters are averaged over the steps with polynomially growing weights (Shamir and
    Zhang 2013, "Stochastic gradient descent for non-smooth optimization", ICML) instead of
    lowering the learning rate to a planned end: so the result after n steps does not depend
    on how many were planned, a fit can be stopped at any time, and repeating a fit that was
    ended by the clock needs only its number of steps. The best averaged parameters by
    held-out error are left in `problem`.

    What it has reached is stored in the checkpoint of the job now and then, and when the job is
    given up. If the checkpoint holds steps already, it goes on after them, with the same result.

    Parameters
    ----------
    problem
        Changed in place.
    config
        `seed` and `steps` are used.
    started
        `time.monotonic()` when the job began, for `Progress.seconds`.
    deadline
        `time.monotonic()` at which to end.
    """
    if not problem.can_improve:
        error = problem.held_out()
        return Outcome("user", 0, error, ({"step": 0, "held_out": error},))
    loop = _Loop(problem, config)
    place = keeper().place("steps")
    if (kept := place.load()) is not None:
        loop.load(kept[1])
    elif (other := keeper().other()) is not None:
        loop.begin_from(other)
    stopped: Stopped | None = loop.ended()
    controls = _Controls(started, config.steps, loop.step)
    reached: Mapping[str, torch.Tensor] = {} if stopped is None else loop.tensors()
    while stopped is None:
        losses = loop.advance()
        if loop.step == config.steps:
            stopped = "steps"
        if deadline is not None and time.monotonic() >= deadline:
            stopped = "time"
        try:
            if controls.is_due() and (yield from _converse(problem, loop, controls)):
                stopped = "user"
        except GeneratorExit:
            if place.is_worth_it:
                loop.look_if_due(losses)
                place.save({}, loop.tensors())
            raise
        is_due = loop.look_if_due(losses)
        stopped = stopped or loop.ended()
        if stopped or place.is_due:
            reached = loop.tensors()
        if place.is_due or (stopped == "user" and place.is_worth_it):
            place.save({}, reached)
        if stopped and not is_due:
            loop.look(losses)  # after `reached`: a fit that goes on would not have looked here
    loop.restore()
    return Outcome(stopped, loop.step, loop.best_error, tuple(loop.history), reached)


def _converse(
    problem: Problem, loop: _Loop, controls: _Controls
) -> Generator[Progress, Message, bool]:
    """Report, answer what is asked, wait while paused; return whether the user said stop."""
    message: Message = controls.pending
    if message is None:
        message = yield controls.progress(loop)
    controls.pending, answered = None, False
    while message is not None or controls.paused:
        if message == "stop":
            return True
        if isinstance(message, PreviewRequest):
            if answered and not controls.paused:
                controls.pending = message  # the fit goes on between two previews
                return False
            answered = True
            with loop.average_applied():
                preview = problem.preview(message)
            message = yield controls.progress(loop, preview, message.index)
        else:
            controls.obey(message)
            message = yield controls.progress(loop)
    return False


class _Loop:
    """Steps of Adam, the average over them, and the best average by held-out error."""

    def __init__(self, problem: Problem, config: Config) -> None:
        import torch

        self.problem = problem
        self.schedule = problem.schedule()
        self.steps = config.steps
        groups = problem.param_groups()
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        self.rates = [float(group["lr"]) for group in groups]
        self.optimizer = torch.optim.Adam(groups)
        self.generator = torch.Generator(problem.device).manual_seed(config.seed)
        self.step = 0
        self.mean = [parameter.detach().clone() for parameter in self.parameters]
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.best_error = problem.held_out()
        self.looks_without_gain = 0
        self.history: list[Mapping[str, float]] = [{"step": 0, "held_out": self.best_error}]

    def advance(self) -> Mapping[str, torch.Tensor]:
        """Do one step and return its losses."""
        import torch

        factor = self.schedule.factor(self.step, self.steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        losses = self.problem.loss(self.step, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        weight = 1.0
        if self.schedule.averages:
            weight = (AVERAGE_POWER + 1) / (AVERAGE_POWER + self.step)
        for mean, parameter in zip(self.mean, self.parameters, strict=True):
            mean.lerp_(parameter.detach(), min(1.0, weight))
        return losses

    def look(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Take the held-out error of the average, and keep the average if it is the best."""
        row = {name: float(value.detach()) for name, value in losses.items()}
        with self.average_applied():
            error = self.problem.held_out()
            if not all(map(math.isfinite, (error, *row.values()))):
                raise FitError(
                    f"the loss is no longer a number after {self.step} steps; lower learning_rate."
                )
            keeps = not self.schedule.averages
            gained = keeps or error < self.best_error * (1 - TOLERANCE)
            self.looks_without_gain = 0 if gained else self.looks_without_gain + 1
            if keeps or error < self.best_error:
                self.best_error = error
                _copy(self.parameters, self.best)
        self.history.append({"step": self.step, "held_out": error, **row})

    @contextmanager
    def average_applied(self) -> Iterator[None]:
        """Put the average in the place of the parameters for a while."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        _copy(self.mean, self.parameters)
        try:
            yield
        finally:
            _copy(kept, self.parameters)

    def look_if_due(self, losses: Mapping[str, torch.Tensor]) -> bool:
        """Look, if it is a step at which that is done; return whether it was."""
        is_due = self.step % self.schedule.every == 0
        if is_due:
            self.look(losses)
        return is_due

    def ended(self) -> Stopped | None:
        """Return why no more steps are to be done, or None."""
        if self.looks_without_gain >= PATIENCE:
            return "converged"
        return "steps" if self.step >= self.steps else None

    def restore(self) -> None:
        """Leave the best parameters in the problem."""
        _copy(self.best, self.parameters)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that the next step depends on, as copies on the CPU."""
        import torch

        facts = {
            "step": self.step,
            "best_error": self.best_error,
            "looks_without_gain": self.looks_without_gain,
            "history": [dict(row) for row in self.history],
        }
        text = torch.tensor(list(json.dumps(facts).encode()), dtype=torch.uint8)
        found = {"facts": text, "generator": self.generator.get_state()}
        for name, values in self._lists().items():
            found |= {f"{name}.{i}": value for i, value in enumerate(values)}
        for i, moments in self.optimizer.state_dict()["state"].items():
            found |= {f"adam.{i}.{name}": value for name, value in moments.items()}
        found |= {f"problem.{name}": value for name, value in self.problem.memory().items()}
        return {name: value.detach().to("cpu", copy=True) for name, value in found.items()}

    def _lists(self) -> dict[str, list[torch.Tensor]]:
        """Return what is stored of each parameter; without averages, all three are the same."""
        if not self.schedule.averages:
            return {"best": self.parameters}
        return {"parameter": self.parameters, "mean": self.mean, "best": self.best}

    def begin_from(self, arrays: Mapping[str, Any]) -> None:
        """Begin with the parameters of another fit, if the held-out error is lower with them.

        Raises
        ------
        FitError
            If they do not fit.
        """
        import torch

        numbers = {id(parameter): number for number, parameter in enumerate(self.parameters)}
        before = [parameter.detach().clone() for parameter in self.parameters]
        for place, group in enumerate(self.problem.transferable()):
            values = [arrays.get(f"best.{numbers[id(parameter)]}") for parameter in group]
            if all(
                value is not None and value.shape == tuple(parameter.shape)
                for value, parameter in zip(values, group, strict=True)
            ):
                _copy([torch.from_numpy(value) for value in values], group)
            elif place == 0:
                raise FitError(
                    "the fit to start from is that of an image of another size, or of other "
                    "settings; both must be the same."
                )
        error = self.problem.held_out()
        if error >= self.best_error:
            _copy(before, self.parameters)
            return
        self.best_error = error
        _copy(self.parameters, self.mean)
        _copy(self.parameters, self.best)
        self.history[0] = {"step": 0, "held_out": error}

    def load(self, arrays: Mapping[str, Any]) -> None:
        """Go on where `tensors` was called.

        Raises
        ------
        FitError
            If they are those of another fit.
        """
        import torch

        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        try:
            for name, targets in self._lists().items():
                _copy([tensors[f"{name}.{i}"] for i in range(len(targets))], targets)
            if not self.schedule.averages:
                _copy(self.parameters, self.mean)
                _copy(self.parameters, self.best)
            facts = json.loads(bytes(tensors["facts"].tolist()))
            self.generator.set_state(tensors["generator"])
        except (KeyError, RuntimeError, ValueError):
            raise FitError(
                "what was to go on is the fit of another image, or of other settings, or was made "
                "on another device; give the same as before."
            ) from None
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        memory = {n.removeprefix("problem."): v for n, v in tensors.items() if n[:8] == "problem."}
        self.problem.remember(memory)
        self.step, self.best_error = facts["step"], facts["best_error"]
        self.looks_without_gain, self.history = facts["looks_without_gain"], facts["history"]


class _Controls:
    """When to report, and whether the user has paused the fit."""

    def __init__(self, started: float, steps: int, first: int = 0) -> None:
        self.started = started
        self.steps = steps
        self.first = first
        self.begun = time.monotonic()
        self.reported = 0.0
        self.paused = False
        self.pending: PreviewRequest | None = None
        self.paused_seconds = 0.0

    def is_due(self) -> bool:
        """Return whether it is time for a `Progress`."""
        waiting = self.paused or self.pending is not None
        return waiting or time.monotonic() - self.reported >= REPORT_SECONDS

    def obey(self, message: Message) -> None:
        """Pause or resume; sleep a little while paused, so that waiting costs nothing."""
        if message in {"pause", "resume"}:
            self.paused = message == "pause"
        if self.paused:
            time.sleep(0.05)
            self.paused_seconds += 0.05

    def progress(
        self,
        loop: _Loop,
        preview: Image | None = None,
        index: Mapping[str, int] | None = None,
    ) -> Progress:
        """Return how far the fit is; the remaining time assumes that all steps are needed."""
        self.reported = time.monotonic()
        spent = self.reported - self.begun - self.paused_seconds
        row = {key: value for key, value in loop.history[-1].items() if key != "step"}
        return Progress(
            stage="paused" if self.paused else "fitting",
            step=loop.step,
            steps=self.steps,
            held_out=row.pop("held_out"),
            losses=row,
            seconds=self.reported - self.started,
            eta=spent / max(loop.step - self.first, 1) * (self.steps - loop.step),
            preview=preview,
            preview_index=index or {},
        )


def _copy(sources: list[Any], targets: list[Any]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.data.copy_(source.data)
