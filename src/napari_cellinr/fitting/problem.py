"""What a method has to offer to be fitted, what a running fit says, and what comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import torch

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image

__all__ = [
    "REACHED",
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
]

Result = TypeVar("Result")

REACHED = "reached."
"""What the names of kept tensors have, from which a fit goes on with more steps."""

SETTLED = 1e-3
"""Relative gain of the held-out error in the last third of a fit below which it has converged."""

WARM_UP = 10
"""Steps over which the learning rate rises to its value."""


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
    method
        Name of the method, one of `methods.METHODS`.
    roles
        What each of `images` is, one word each: `result`, `background`, `motion`, …
    source
        Geometry of the image that was fitted: `axes, shape, scale, units, translate, …`, and
        the `digest` of its values.
    model
        Shape and settings of the fitted model, ready for JSON: with `state`, all that is needed
        to build it again. What the keys are is said by the model module of the method.
    """

    images: tuple[Image, ...]
    config: Config
    state: Mapping[str, torch.Tensor]
    history: tuple[Mapping[str, float], ...]
    stopped: Stopped
    report: Mapping[str, Any]
    method: str = "cellinr"
    roles: tuple[str, ...] = ("result", "background")
    source: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    def image(self, role: str) -> Image:
        """Return the image with this role.

        Raises
        ------
        KeyError
            If there is none.
        """
        if role not in self.roles:
            raise KeyError(f"{role!r} was asked for; this result has {', '.join(self.roles)}.")
        return self.images[self.roles.index(role)]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes, how often the fit is evaluated, and which parameters are kept.

    Parameters
    ----------
    decay
        Learning rate of the last step as a part of that of the first one. At 1 it stays constant,
        the parameters are averaged, and the best average is kept. Below 1 it falls, nothing is
        averaged, and the fit does all of its steps; only a fit that did all of them can then be
        repeated.
    every
        Steps between two evaluations of the held-out error; 0 for none.
    linear
        Whether the rate falls by the same amount with each step, not by the same factor.
    warm_up
        Steps over which the rate rises to its value.
    keeps_best
        Whether a falling rate keeps the parameters with the lowest held-out error, not the last.
    steps
        Number of steps; that of the settings if not given.
    is_stored
        Whether checkpoints hold the state of the loop. Not needed for a short part of a job whose
        result is stored; such a part never continues or starts from another fit either.
    """

    decay: float = 1.0
    every: int = 5
    linear: bool = False
    warm_up: int = WARM_UP
    keeps_best: bool = False
    steps: int | None = None
    is_stored: bool = True

    def factor(self, step: int, steps: int) -> float:
        """Return the learning rate of a step as a part of the full one.

        Parameters
        ----------
        step
            Number of the step, from 0.
        steps
            Number of all steps; a linear fall would reach `decay` one step after the last.

        Returns
        -------
        float
            Above 0, at most 1.
        """
        if self.linear:
            part = 1 - (1 - self.decay) * step / steps
        else:
            part = self.decay ** (step / max(steps - 1, 1))
        return min(1.0, (step + 1) / max(self.warm_up, 1)) * part

    @property
    def averages(self) -> bool:
        """Whether averages of the parameters are kept."""
        return self.decay == 1

    @property
    def keeps_last(self) -> bool:
        """Whether the last parameters are kept, however large the held-out error."""
        return not (self.averages or self.keeps_best)


class Problem(ABC):
    """One sample and one configuration on a device: what the loop needs to know of a method."""

    @property
    def can_improve(self) -> bool:
        """Whether steps make sense; not if the user stopped the preparation."""
        return True

    @abstractmethod
    def param_groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups for Adam."""

    @abstractmethod
    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the named losses of one step, scalars without unit; their sum is minimised.

        Parameters
        ----------
        step
            Number of the step, from 0.
        generator
            Source of all random numbers of the step, on the device of the problem.
        """

    def held_out(self) -> float:
        """Return the error on what the loss never saw, in standard deviations of the noise.

        Needed unless the schedule says that it is never evaluated.
        """
        raise NotImplementedError

    def preview(self, request: PreviewRequest) -> Image | None:
        """Return the present state of what `request` asks for, in the units of the input.

        None if a part of a job has nothing to show.
        """
        return None

    def render(self) -> tuple[Image, ...]:
        """Return the results in the units of the input, the main one first; none by default."""
        return ()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return everything that `render` needs, on the CPU; nothing by default."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return what was found out about the data, such as the noise, ready for JSON.

        What users should know is listed, in sentences, under `warnings`.
        """
        return {}

    def model_settings(self) -> dict[str, Any]:
        """Return shape and settings of the model, ready for JSON, as `Fitted.model` holds them."""
        return {}

    def memory(self) -> dict[str, torch.Tensor]:
        """Return what a fit that goes on has to know besides the parameters; nothing, usually.

        A checkpoint keeps it, and `remember` gets it back.
        """
        return {}

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:  # noqa: B027
        """Take what `memory` returned, on the CPU, when a fit goes on."""

    def transferable(self) -> list[list[torch.Tensor]]:
        """Return the parameters that the fit of another image may start with; all, usually.

        Those of the first group are needed; each other one is taken as a whole or not at all.
        """
        return [[parameter for group in self.param_groups() for parameter in group["params"]]]

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
    reached
        What a fit that goes on with more steps starts from: tensors by name, on the CPU.
    """

    stopped: Stopped
    steps: int
    held_out: float
    history: tuple[Mapping[str, float], ...]
    reached: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def kept(self, prefix: str = "") -> dict[str, torch.Tensor]:
        """Return `reached` by the names under which it is kept with a fit."""
        return {f"{prefix}{REACHED}{name}": value for name, value in self.reached.items()}

    @property
    def converged(self) -> bool:
        """Whether more steps would hardly have lowered the held-out error."""
        if self.stopped in {"time", "user"}:
            return False
        late = len(self.history) * 2 // 3
        before = min(row["held_out"] for row in self.history[: max(late, 1)])
        return self.stopped == "converged" or before - self.held_out < SETTLED * before
