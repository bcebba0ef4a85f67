"""The one optimisation loop, what it needs to know of a method, and what comes out of it."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from napari_cellinr.errors import FitError

if TYPE_CHECKING:
    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image

__all__ = [
    "Fitted",
    "Job",
    "Message",
    "Outcome",
    "PreviewRequest",
    "Problem",
    "Progress",
    "Schedule",
    "Stopped",
    "finish",
    "optimise",
]

Result = TypeVar("Result")

EVERY = 5
"""Steps between two looks at the held-out error."""

PATIENCE = 6
"""Looks without improvement after which a fit has converged."""

TOLERANCE = 2e-4
"""Relative improvement of the held-out error that counts as one."""

WARM_UP = 10
"""Steps over which the learning rate rises to its value."""

AVERAGE_POWER = 4
"""Weight of step n in the average of the parameters grows as n to this power."""

REPORT_SECONDS = 0.2
"""Time between two `Progress`."""


@dataclass(frozen=True)
class PreviewRequest:
    """What a viewer shows: the plane at `index`, or the whole volume if `index` is empty.

    Parameters
    ----------
    index
        Position along every axis of the source but the last two, by axis letter.
    max_voxels
        Largest size of a preview of the whole volume; a larger one comes with a coarser step.
    """

    index: Mapping[str, int] = field(default_factory=dict)
    max_voxels: int = 500_000


Message: TypeAlias = Literal["pause", "resume", "stop"] | PreviewRequest | None
"""What can be sent into a running job between two `Progress`."""

Stopped: TypeAlias = Literal["converged", "steps", "time", "user"]
"""Why a fit ended."""


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Parameters
    ----------
    stage
        What is being done, in words for users.
    step, steps
        Steps done and planned in this stage; `steps` is 0 where it is not known.
    losses
        The newest training losses by name, without unit.
    held_out
        The newest error on voxels that the fit never saw, in standard deviations of the noise.
    seconds
        Time since the job began.
    eta
        Estimate of the remaining time of this stage in seconds, if one can be made.
    preview
        Answer to the last `PreviewRequest`: one plane, or the whole volume at a coarser step.
    preview_index
        The `index` of that request.
    """

    stage: str
    step: int = 0
    steps: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    held_out: float | None = None
    seconds: float = 0.0
    eta: float | None = None
    preview: Image | None = None
    preview_index: Mapping[str, int] = field(default_factory=dict)


Job: TypeAlias = Generator[Progress, Message, "Fitted"]
"""A running job: yields `Progress`, takes `Message` by `send`, returns `Fitted`."""


@dataclass(frozen=True)
class Fitted:
    """What a fit returns; on the CPU, and complete enough to be saved and rendered again.

    Parameters
    ----------
    images
        The results; the first is what was asked for.
    config
        The settings, with everything that was chosen automatically filled in, so that the same
        input with the same settings gives the same result.
    state
        Tensors of the fitted field by name, on the CPU.
    history
        One row per evaluation: `step`, `held_out` and each loss.
    stopped
        Why the fit ended: `converged`, `steps`, `time` or `user`.
    report
        `seconds, steps, device, peak_memory_mb, held_out, noise, converged, versions, config`
        and `warnings`, ready for JSON.
    """

    images: tuple[Image, ...]
    config: Config
    state: Mapping[str, torch.Tensor]
    history: tuple[Mapping[str, float], ...]
    stopped: Stopped
    report: Mapping[str, Any]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes, how often the fit is looked at, and what is kept.

    Parameters
    ----------
    decay
        Learning rate of the last step as a part of that of the first one. At 1 it stays, the
        parameters are averaged, and the best average is kept. Below 1 it falls by the same
        factor with each step, nothing is averaged, the fit does all of its steps, and the last
        parameters are kept; only a fit that did all of them can then be repeated.
    every
        Steps between two looks at the held-out error.
    """

    decay: float = 1.0
    every: int = EVERY

    def factor(self, step: int, steps: int) -> float:
        """Return the learning rate of `step` of `steps`, counted from 0, as a part of the first."""
        part: float = self.decay ** (step / max(steps - 1, 1))
        return min(1.0, (step + 1) / WARM_UP) * part

    @property
    def averages(self) -> bool:
        """Whether averages are kept instead of the last parameters."""
        return self.decay == 1


class Problem(ABC):
    """One sample and one configuration on a device: what the loop needs to know of a method."""

    @abstractmethod
    def param_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for Adam."""

    @abstractmethod
    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the named losses of one step, scalars without unit; their sum is minimised."""

    @abstractmethod
    def held_out(self) -> float:
        """Return the error on what the loss never saw, in standard deviations of the noise."""

    @abstractmethod
    def preview(self, request: PreviewRequest) -> Image:
        """Return the present state of what `request` asks for, in the units of the input."""

    @abstractmethod
    def render(self) -> tuple[Image, ...]:
        """Return the results in the units of the input, the one that was asked for first."""

    @abstractmethod
    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return everything that `render` needs, on the CPU."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what was found out about the data, such as the noise, ready for JSON.

        What users should know is listed, in sentences, under `warnings`.
        """

    def schedule(self) -> Schedule:
        """Return how the learning rate goes; a constant one with averages, if not overridden."""
        return Schedule()

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device that the parameters live on."""


def finish(job: Generator[Any, Any, Result]) -> Result:
    """Return what a job returns, without looking at its progress."""
    while True:
        try:
            next(job)
        except StopIteration as finished:
            result: Result = finished.value
            return result


@dataclass(frozen=True)
class Outcome:
    """How an optimisation went.

    Parameters
    ----------
    stopped
        Why it ended.
    steps
        Steps done; the same number gives the same result again.
    held_out
        The error of the kept parameters on voxels that the fit never saw.
    history
        One row per look: `step`, `held_out` and each loss.
    """

    stopped: Stopped
    steps: int
    held_out: float
    history: tuple[Mapping[str, float], ...]


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
    loop = _Loop(problem, config)
    controls = _Controls(started, config.steps)
    stopped: Stopped | None = None
    while stopped is None:
        losses = loop.advance()
        if loop.step == config.steps:
            stopped = "steps"
        if deadline is not None and time.monotonic() >= deadline:
            stopped = "time"
        if controls.is_due() and (yield from _converse(problem, loop, controls)):
            stopped = "user"
        if loop.step % loop.schedule.every == 0 or stopped:
            loop.look(losses)
        if stopped is None and loop.looks_without_gain >= PATIENCE:
            stopped = "converged"
    loop.restore()
    return Outcome(stopped, loop.step, loop.best_error, tuple(loop.history))


def _converse(
    problem: Problem, loop: _Loop, controls: _Controls
) -> Generator[Progress, Message, bool]:
    """Report, answer what is asked, wait while paused; return whether the user said stop."""
    message = yield controls.progress(loop)
    while message is not None or controls.paused:
        if message == "stop":
            return True
        if isinstance(message, PreviewRequest):
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

    def restore(self) -> None:
        """Leave the best parameters in the problem."""
        _copy(self.best, self.parameters)


class _Controls:
    """When to report, and whether the user has paused the fit."""

    def __init__(self, started: float, steps: int) -> None:
        self.started = started
        self.steps = steps
        self.begun = time.monotonic()
        self.reported = 0.0
        self.paused = False
        self.paused_seconds = 0.0

    def is_due(self) -> bool:
        """Return whether it is time for a `Progress`."""
        return self.paused or time.monotonic() - self.reported >= REPORT_SECONDS

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
            eta=spent / loop.step * (self.steps - loop.step),
            preview=preview,
            preview_index=index or {},
        )


def _copy(sources: list[Any], targets: list[Any]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.data.copy_(source.data)
