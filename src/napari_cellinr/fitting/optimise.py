"""The optimisation loop of all fits: it runs steps and reports progress."""

from __future__ import annotations

import json
import logging
import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.problem import Outcome
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, PreviewRequest, Problem, Progress, Stopped
    from napari_cellinr.image import Image

__all__ = ["optimise"]

logger = logging.getLogger(__name__)

PATIENCE = 6
"""Number of evaluations without improvement after which a fit has converged."""

TOLERANCE = 2e-4
"""Smallest relative decrease of the held-out error that counts as an improvement."""

AVERAGE_POWER = 4
"""Weight of step n in the average of the parameters grows as n to this power."""

REPORT_SECONDS = 0.2
"""Time between two reports of progress."""


def optimise(
    problem: Problem, config: Config, monitor: Monitor
) -> Generator[Progress, Message, Outcome]:
    """Run optimisation steps and report progress; every fit runs here.

    With a constant learning rate, the parameters are averaged over the steps with polynomially
    growing weights (Shamir and Zhang 2013, "Stochastic gradient descent for non-smooth
    optimization", ICML) instead of lowering the rate towards a planned end. So the result after n
    steps does not depend on the number of planned steps, a fit can be stopped at any time, and a
    fit that ended at its time limit can be repeated from its number of steps. The averaged
    parameters with the lowest held-out error are left in `problem`; for other schedules, see
    `Schedule`.

    The state of the optimisation is stored in the checkpoint of the job at its intervals, and when
    the job is closed. If the checkpoint holds such a state, the optimisation continues from it,
    with the same result as without interruption.

    Parameters
    ----------
    problem
        Changed in place.
    config
        `seed` is used, and `steps` unless the schedule of the problem has its own number.
    monitor
        Of the job: progress, previews, checkpoint and time limit.

    Returns
    -------
    Outcome
        How the optimisation ended; the resulting parameters are in `problem`.
    """
    if not problem.can_improve:
        error = problem.held_out()
        return Outcome("user", 0, error, ({"step": 0, "held_out": error},))
    loop = _Loop(problem, config)
    checkpoint = monitor.checkpoint if loop.schedule.is_stored else Checkpoint(None)
    entry = checkpoint.entry("steps")
    if (saved := entry.load()) is not None:
        loop.load(saved[1])
    elif (initial := checkpoint.initial_parameters()) is not None:
        loop.start_from(initial)
    stopped: Stopped | None = loop.ended()
    clock = _Clock(monitor, loop)
    reached: Mapping[str, torch.Tensor] = {} if stopped is None else loop.tensors()
    if stopped is not None and loop.losses and not loop.is_evaluated:
        loop.evaluate(loop.losses)  # it was stored, and interrupted, before that
    while stopped is None:
        losses = loop.advance()
        if loop.step == loop.steps:
            stopped = "steps"
        if monitor.is_late:
            stopped = "time"
        try:
            if clock.is_due():
                yield from monitor.report("fitting", preview_of=loop.preview, **clock.progress())
        except GeneratorExit:
            if entry.should_save:
                loop.evaluate_if_due(losses)
                entry.save({}, loop.tensors())
                if checkpoint.warning:  # nobody sees the next progress
                    logger.warning("%s", checkpoint.warning)
            raise
        if monitor.stopped:
            stopped = "user"
        loop.evaluate_if_due(losses)
        stopped = stopped or loop.ended()
        if entry.is_due or (stopped and loop.schedule.is_stored):
            reached = loop.tensors()
        if entry.is_due or (stopped == "user" and entry.should_save):
            entry.save({}, reached)
        if stopped and not loop.is_evaluated:
            loop.evaluate(losses)  # after `reached`: a continued fit is not evaluated here
    loop.restore()
    return Outcome(stopped, loop.step, loop.best_error, tuple(loop.history), reached)


class _Loop:
    """Steps of Adam, the average over them, and the average with the lowest held-out error."""

    def __init__(self, problem: Problem, config: Config) -> None:
        import torch

        from napari_cellinr.fitting.adam import Adam

        self.problem = problem
        self.schedule = problem.schedule()
        self.steps = config.steps if self.schedule.steps is None else self.schedule.steps
        self.adam = Adam(problem.param_groups())
        self.parameters = self.adam.parameters
        self.generator = torch.Generator(problem.device).manual_seed(config.seed)
        self.step = 0
        self.losses: Mapping[str, torch.Tensor] = {}
        self.mean = [parameter.detach().clone() for parameter in self.parameters]
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.looks_without_gain = 0
        self.best_error = math.inf
        self.history: list[Mapping[str, float]] = []
        if self.schedule.every:
            self.best_error = problem.held_out()
            self.history.append({"step": 0, "held_out": self.best_error})

    def advance(self) -> Mapping[str, torch.Tensor]:
        """Do one step and return its losses."""
        import torch

        self.losses = losses = self.problem.loss(self.step, self.generator)
        self.adam.forget_gradients()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.adam.step(self.schedule.factor(self.step, self.steps))
        self.step += 1
        weight = 1.0
        if self.schedule.averages:
            weight = (AVERAGE_POWER + 1) / (AVERAGE_POWER + self.step)
        with torch.no_grad():
            torch._foreach_lerp_(self.mean, self.parameters, min(1.0, weight))
        return losses

    def evaluate(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Compute the held-out error of the average; store the average if it is the best."""
        row = {name: float(value.detach()) for name, value in losses.items()}
        with self.average_applied():
            error = self.problem.held_out()
            if not all(map(math.isfinite, (error, *row.values()))):
                raise FitError(
                    f"the loss is not finite after {n_of(self.step, 'step')}; lower learning_rate."
                )
            ends = self.schedule.averages and error >= self.best_error * (1 - TOLERANCE)
            self.looks_without_gain = self.looks_without_gain + 1 if ends else 0
            if self.schedule.keeps_last or error < self.best_error:
                self.best_error = error
                _copy(self.parameters, self.best)
        self.history.append({"step": self.step, "held_out": error, **row})

    @contextmanager
    def average_applied(self) -> Iterator[None]:
        """Replace the parameters by their average temporarily."""
        current = [parameter.detach().clone() for parameter in self.parameters]
        _copy(self.mean, self.parameters)
        try:
            yield
        finally:
            _copy(current, self.parameters)

    def preview(self, request: PreviewRequest) -> Image | None:
        """Return the preview for a request, computed with the averaged parameters."""
        with self.average_applied():
            return self.problem.preview(request)

    def evaluate_if_due(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Evaluate if this step is due for it."""
        if self.schedule.every > 0 and self.step % self.schedule.every == 0:
            self.evaluate(losses)

    @property
    def is_evaluated(self) -> bool:
        """Whether the present step has been evaluated, or none is."""
        return not self.schedule.every or self.history[-1]["step"] == self.step

    def ended(self) -> Stopped | None:
        """Return why the optimisation ends, or None if it continues."""
        if self.looks_without_gain >= PATIENCE or self.problem.is_settled:
            return "converged"
        return "steps" if self.step >= self.steps else None

    def restore(self) -> None:
        """Leave the resulting parameters in the problem."""
        if not self.schedule.keeps_last:
            _copy(self.best, self.parameters)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything that the next step depends on, as copies on the CPU."""
        import torch

        facts: dict[str, Any] = {
            "step": self.step,
            "best_error": self.best_error,
            "looks_without_gain": self.looks_without_gain,
            "history": [dict(row) for row in self.history],
        }
        if not self.is_evaluated:
            facts["losses"] = {name: float(loss.detach()) for name, loss in self.losses.items()}
        text = torch.tensor(list(json.dumps(facts).encode()), dtype=torch.uint8)
        found = {"facts": text, "generator": self.generator.get_state()}
        for name, values in self._lists().items():
            found |= {f"{name}.{i}": value for i, value in enumerate(values)}
        found |= {f"adam.{name}": value for name, value in self.adam.tensors().items()}
        found |= {f"problem.{name}": value for name, value in self.problem.memory().items()}
        return {name: value.detach().to("cpu", copy=True) for name, value in found.items()}

    def _lists(self) -> dict[str, list[torch.Tensor]]:
        """Return the stored versions of the parameters; without averages, all are the same."""
        if self.schedule.keeps_last:
            return {"best": self.parameters}
        return {"parameter": self.parameters, "mean": self.mean, "best": self.best}

    def start_from(self, arrays: Mapping[str, Any]) -> None:
        """Start from the parameters of another fit, if the held-out error is lower with them.

        Raises
        ------
        FitError
            If their shapes differ from those of the parameters.
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
                    "the fit to start from is of an image of another size, or has other "
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
        """Continue from the state that `tensors` returned.

        Raises
        ------
        FitError
            If the state is that of another fit.
        """
        import torch

        tensors = {name: torch.from_numpy(value.copy()) for name, value in arrays.items()}
        try:
            for name, targets in self._lists().items():
                _copy([tensors[f"{name}.{i}"] for i in range(len(targets))], targets)
            if self.schedule.keeps_last:
                _copy(self.parameters, self.mean)
                _copy(self.parameters, self.best)
            facts = json.loads(bytes(tensors["facts"].tolist()))
            self.generator.set_state(tensors["generator"])
            moments = {n.removeprefix("adam."): v for n, v in tensors.items() if n[:5] == "adam."}
            self.adam.load(moments)
        except (KeyError, RuntimeError, ValueError):
            raise FitError(
                "the fit cannot be continued: the stored state is of another image, of other "
                "settings, of another device or of an earlier version; use the same as before."
            ) from None
        memory = {n.removeprefix("problem."): v for n, v in tensors.items() if n[:8] == "problem."}
        self.problem.remember(memory)
        self.step, self.best_error = facts["step"], facts["best_error"]
        self.looks_without_gain, self.history = facts["looks_without_gain"], facts["history"]
        losses = facts.get("losses", {})  # of a step that was stored before it was evaluated
        self.losses = {
            name: torch.tensor(loss, dtype=torch.float64) for name, loss in losses.items()
        }


class _Clock:
    """Decides when an optimisation reports progress, and estimates the remaining time.

    The first step does not count: it makes what the others use again, and may take as long as many
    of them.
    """

    def __init__(self, monitor: Monitor, loop: _Loop) -> None:
        self.monitor = monitor
        self.loop = loop
        self.first = loop.step + 1
        self.started = 0.0
        self.reported = 0.0

    def is_due(self) -> bool:
        """Return whether it is time to report progress."""
        return self.monitor.has_request or time.monotonic() - self.reported >= REPORT_SECONDS

    def progress(self) -> dict[str, Any]:
        """Return fields of `Progress`; the remaining time assumes that all steps are needed."""
        loop, self.reported = self.loop, time.monotonic()
        worked = self.reported - self.monitor.paused_seconds
        if loop.step <= self.first:
            self.started = worked
        spent, done = worked - self.started, loop.step - self.first
        row = {k: v for k, v in (loop.history or [{}])[-1].items() if k != "step"}
        return {
            "step": loop.step,
            "steps": loop.steps,
            "held_out": row.pop("held_out", None),
            "losses": {name: float(loss.detach()) for name, loss in loop.losses.items()} or row,
            "eta": spent / done * (loop.steps - loop.step) if done > 0 else None,
        }


def _copy(sources: list[Any], targets: list[Any]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.data.copy_(source.data)
