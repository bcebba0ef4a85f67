"""The interface of a fit: `Problem`, its `Progress`, and its results `Outcome` and `Fitted`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from napari_cellinr.fitting.previews import PreviewRequest

if TYPE_CHECKING:
    from os import PathLike

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
"""Prefix of the saved tensors from which a fit is continued with more steps."""

SETTLED = 1e-3
"""Relative gain of the held-out error in the last third of a fit below which it has converged."""

WARM_UP = 10
"""Steps over which the learning rate rises to its value."""


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
        Caption for users.
    step, steps
        Steps done and planned in this stage; `steps` is 0 where it is not known.
    losses
        The newest training losses by name, without unit.
    held_out
        The newest error on held-out voxels, in standard deviations of the noise.
    seconds
        Time since the job started.
    eta
        Estimated remaining time of this stage in seconds; None if not known.
    preview
        Preview for the last `PreviewRequest`: one plane, or the whole volume at a coarser step.
    preview_index
        The `index` of that request.
    warning
        What has gone wrong without ending the job, such as a checkpoint that cannot be written.
    is_of_job
        Whether `eta` is the remaining time of the job, as far as it is known.

    Examples
    --------
    >>> from napari_cellinr import Progress
    >>> Progress("fitting", step=5, steps=20).step / 20
    0.25
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
    warning: str = ""
    is_of_job: bool = False


Job: TypeAlias = Generator[Progress, Message, "Fitted"]
"""A running job: yields `Progress`, takes `Message` by `send`, returns `Fitted`."""


@dataclass(frozen=True, repr=False)
class Fitted:
    """Result of a fit, on the CPU; it can be saved and rendered again.

    Parameters
    ----------
    images
        The results, the main one first.
    config
        The settings, including those that were chosen automatically, so that the same input with
        these settings gives the same result.
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
        Role of each of `images`: `result`, `background`, `motion`, …
    source
        Geometry of the fitted image, `axes, shape, scale, units, …`, and `digest` of its values.
    model
        Shape and settings of the fitted model, ready for JSON: with `state`, all that is needed
        to build it again. The model module of the method describes the keys.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import denoise
    >>> fitted = denoise(np.random.default_rng(0).poisson(50, (24, 24)), "preview", steps=2)
    >>> fitted.roles, fitted.image("background").shape
    (('result', 'background', 'kept'), (24, 24))
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
            raise KeyError(f"there is no image {role!r}; this result has {', '.join(self.roles)}.")
        return self.images[self.roles.index(role)]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about what may be wrong with the result."""
        return tuple(map(str, self.report.get("warnings", ())))

    def save(self, path: str | PathLike[str]) -> None:
        """Save the fit, to be rendered or continued later, as `save_fit` does.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        from napari_cellinr.fitting.saved.stored import save_fit

        save_fit(path, self)

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{role}: {image.axes} {image.shape}"
            for role, image in zip(self.roles, self.images, strict=False)
        )
        n = len(self.warnings)
        told = f", {n} warning{'s' * (n != 1)}" if n else ""
        return f"<Fitted {self.method}, {parts}, {self.stopped}{told}>"

    def _repr_html_(self) -> str:
        """Return how notebooks show the result: its first image, and its warnings."""
        first = self.images[0]._repr_html_() if self.images else ""
        told = "".join(f"<li>{escape(text)}</li>" for text in self.warnings)
        return f"{first}<div>{escape(repr(self))}</div>{f'<ul>{told}</ul>' if told else ''}"


@dataclass(frozen=True)
class Schedule:
    """Course of the learning rate, interval of evaluations, and choice of the final parameters.

    Parameters
    ----------
    decay
        Learning rate of the last step relative to the first one. At 1 the rate is constant, the
        parameters are averaged, and the best average is the result. Below 1 the rate falls, nothing
        is averaged, and the fit runs all of its steps; only a fit that ran all of them can then be
        repeated.
    every
        Steps between two evaluations of the held-out error; 0 for none.
    linear
        Whether the rate falls linearly instead of exponentially.
    warm_up
        Steps over which the rate rises to its full value.
    keeps_best
        Whether a falling rate ends with the parameters of lowest held-out error, not the last.
    steps
        Number of steps; that of the settings if None.
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
        """Return the learning rate of a step relative to the full one.

        Parameters
        ----------
        step
            Number of the step, from 0.
        steps
            Total number of steps; a linear fall reaches `decay` one step after the last.

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
        """Whether the parameters are averaged over the steps."""
        return self.decay == 1

    @property
    def keeps_last(self) -> bool:
        """Whether the result is the last step, whatever its held-out error."""
        return not (self.averages or self.keeps_best)


class Problem(ABC):
    """A fit of one data set with one configuration on one device, for `optimise`."""

    @property
    def can_improve(self) -> bool:
        """Whether steps can improve the fit; False if the user stopped the preparation."""
        return True

    @property
    def is_settled(self) -> bool:
        """Whether no step would change the result, so that the fit ends before the first one."""
        return False

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
        """Return the error on held-out data, in standard deviations of the noise.

        Not needed if the schedule never evaluates it.
        """
        raise NotImplementedError

    def preview(self, request: PreviewRequest) -> Image | None:
        """Return the present preview for `request`, in the units of the input.

        None if there is no preview.
        """
        return None

    def render(self) -> tuple[Image, ...]:
        """Return the results in the units of the input, the main one first; none by default."""
        return ()

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return everything that `render` needs, on the CPU; nothing by default."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return properties of the data, such as the noise, ready for JSON.

        `warnings` lists sentences for users.
        """
        return {}

    def model_settings(self) -> dict[str, Any]:
        """Return shape and settings of the model, ready for JSON, as `Fitted.model` holds them."""
        return {}

    def memory(self) -> dict[str, torch.Tensor]:
        """Return state besides the parameters that a continued fit needs; empty by default.

        A checkpoint stores it, and `remember` restores it.
        """
        return {}

    def remember(self, memory: Mapping[str, torch.Tensor]) -> None:  # noqa: B027
        """Restore what `memory` returned, on the CPU, when a fit is continued or resumed."""

    def transferable(self) -> list[list[torch.Tensor]]:
        """Return the parameters that a warm start takes from another fit; all by default.

        The first group must match; every other group is taken as a whole or not at all.
        """
        return [[parameter for group in self.param_groups() for parameter in group["params"]]]

    def schedule(self) -> Schedule:
        """Return the schedule; by default a constant learning rate with averages."""
        return Schedule()

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device of the parameters."""


def finish(job: Generator[Any, Any, Result]) -> Result:
    """Run a job to its end, ignoring its progress, and return its result."""
    while True:
        try:
            next(job)
        except StopIteration as finished:
            result: Result = finished.value
            return result


@dataclass(frozen=True)
class Outcome:
    """How an optimisation ended.

    Parameters
    ----------
    stopped
        Why it ended.
    steps
        Steps done; the same number gives the same result again.
    held_out
        Error of the resulting parameters on held-out data, in standard deviations of the noise.
    history
        One row per evaluation: `step`, `held_out` and each loss.
    reached
        State from which the fit can be continued: tensors by name, on the CPU.
    """

    stopped: Stopped
    steps: int
    held_out: float
    history: tuple[Mapping[str, float], ...]
    reached: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def saved_state(self, prefix: str = "") -> dict[str, torch.Tensor]:
        """Return `reached` by the names under which it is saved with a fit."""
        return {f"{prefix}{REACHED}{name}": value for name, value in self.reached.items()}

    @property
    def converged(self) -> bool:
        """Whether more steps would hardly have lowered the held-out error."""
        if self.stopped in {"time", "user"}:
            return False
        late = len(self.history) * 2 // 3
        before = min(row["held_out"] for row in self.history[: max(late, 1)])
        return self.stopped == "converged" or before - self.held_out < SETTLED * before
