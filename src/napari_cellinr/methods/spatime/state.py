"""The state of a running super-resolution, and the finished stages in its checkpoint."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.fitting.problem import PreviewRequest, Progress
from napari_cellinr.methods.spatime.model import settings_of_tensors
from napari_cellinr.methods.spatime.series import Series

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_cellinr.fitting.problem import Message, Stopped
    from napari_cellinr.methods.spatime.result import OutputArray

__all__ = ["PLANES", "TRUST", "FinishedStages", "SuperresolutionState", "interval_stage"]

TRUST: Final = "trust"
"""The stage in which held-out frames choose the blend weights."""

PLANES: Final = "planes"
"""The stage in which finer planes are learnt."""


def interval_stage(interval: int) -> str:
    """Return the name of the stage in which the motion of an interval is fitted."""
    return f"interval {interval}"


@dataclass(eq=False)
class SuperresolutionState:
    """How far a super-resolution is, and what its report will contain.

    Parameters
    ----------
    started, deadline
        `time.monotonic()` when the job began, and at which fitting ends, if the time is limited.
    stopped
        Why it ends, or `steps`.
    step, steps
        Steps done and planned.
    history, facts, warnings
        Of the report.
    output
        The result as far as it is rendered; none if it is rendered when it is read.
    restored
        Steps that were done before an interruption.
    requested
        Whether a viewer has requested a preview.
    """

    started: float
    deadline: float | None
    stopped: Stopped = "steps"
    step: int = 0
    steps: int = 1
    history: list[Mapping[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    output: OutputArray | None = None
    restored: int = 0
    requested: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more is to be fitted."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late and self.stopped == "steps":
            self.stopped = "time"
        return self.stopped in {"user", "time"}

    def note(self, stopped: Stopped) -> None:
        """Note why a part of the job ended, if it was the user or the time limit."""
        if stopped in {"user", "time"}:
            self.stopped = stopped

    def watched(self, stage: str, every: int = 1) -> dict[str, Any]:
        """Return how a part of the job reports progress and answers preview requests.

        Parameters
        ----------
        stage
            What is being done, for users.
        every
            Steps of the part that count as one step of the job.

        Returns
        -------
        dict
            The arguments `named` and `preview_of` of `optimise` and `in_background`.
        """
        begun = self.step

        def named(part: Progress) -> Progress:
            name = part.stage if part.stage == "paused" else stage
            losses = {} if part.held_out is None else part.losses
            return self._progress(name, begun + part.step // every, losses)

        return {"named": named, "preview_of": self._request}

    def report(self, stage: str) -> Generator[Progress, Message, None]:
        """Report progress, wait while the user has paused the job, and note a stop.

        Parameters
        ----------
        stage
            What is being done, for users.
        """
        paused = False
        while True:
            message = yield self._progress("paused" if paused else stage, self.step, {})
            if isinstance(message, PreviewRequest):
                self._request(message)
            elif message is not None:
                paused = message == "pause"
                self.note("user" if message == "stop" else "steps")
            if not paused:
                return
            time.sleep(0.05)

    def _request(self, request: PreviewRequest) -> None:
        """Show the whole result as it is now with the next progress, whatever is requested."""
        self.requested = True

    def _progress(self, stage: str, step: int, losses: Mapping[str, float]) -> Progress:
        seconds = time.monotonic() - self.started
        eta = seconds / max(step - self.restored, 1) * max(self.steps - step, 0)
        shown = self.output.image() if self.requested and self.output else None
        self.requested = False
        return Progress(stage, step, self.steps, losses, seconds=seconds, eta=eta, preview=shown)


class FinishedStages:
    """The finished stages of one channel, in memory and in the checkpoint of the job.

    The stages are the choice of blend weights, finer planes, and the motion of each interval.
    Those that the checkpoint holds are there at once. Frames are rendered again: that is quick.

    Parameters
    ----------
    series
        The channel; it gets what the checkpoint holds.
    state
        The job; it gets the steps, facts, warnings and history of these stages.
    number
        Of the channel.
    """

    def __init__(self, series: Series, state: SuperresolutionState, number: int) -> None:
        keeper().enter(f"channel-{number}")
        self._place = keeper().place("stages")
        self._series, self._state = series, state
        self._prefix = f"channel {number}:"
        self._steps: dict[str, int] = {}
        self._before = len(state.warnings), len(state.history)
        self._is_new = False
        if (stored := self._place.load()) is not None:
            self._restore(*stored)

    def __contains__(self, stage: str) -> bool:
        return stage in self._steps

    @property
    def steps(self) -> int:
        """The number of steps of all finished stages."""
        return sum(self._steps.values())

    def note(self, stage: str, steps: int) -> None:
        """Note that a stage is finished; store all stages if it is time for a checkpoint.

        Parameters
        ----------
        stage
            Its name.
        steps
            Steps of the job that it took.
        """
        self._steps[stage] = steps
        self._is_new = True
        if self._place.is_due:
            self._save()

    def move_to_cpu(self) -> None:
        """Let the channel compute without the GPU; stages that are not finished are dropped."""
        self._series.device = torch.device("cpu")
        self._take(self._arrays(), self._settings())
        self._series.forget_splines()
        self._state.warnings.append(
            "the memory of the GPU was not enough, so the rest was computed on the CPU."
        )

    def save(self) -> None:
        """Store what is finished when the job ends, if it has run for a while."""
        if self._is_new and self._place.is_worth_it:
            self._save()

    def _save(self) -> None:
        state, (n_warnings, n_rows) = self._state, self._before
        facts = {key: value for key, value in state.facts.items() if key.startswith(self._prefix)}
        header = {
            "steps": self._steps,
            "model": self._settings(),
            "facts": facts,
            "warnings": state.warnings[n_warnings:],
            "history": state.history[n_rows:],
        }
        tensors = {k: v for k, v in self._arrays().items() if k != "frames"}
        self._place.save(header, tensors)
        self._is_new = False

    def _settings(self) -> dict[str, Any]:
        """Return shape and settings of the models of the finished stages."""
        found = self._series.settings()
        motion = {i: m for i, m in found["motion"].items() if interval_stage(int(i)) in self}
        return {**found, "motion": motion, "planes": found["planes"] if PLANES in self else None}

    def _arrays(self) -> dict[str, Any]:
        """Return the frames, and the parameters of the finished stages."""

        def is_finished(name: str) -> bool:
            kind, _, which = name.partition(".")
            if kind == "paths":
                return interval_stage(int(which)) in self
            return kind != "planes" or PLANES in self

        return {k: v.numpy() for k, v in self._series.tensors("").items() if is_finished(k)}

    def _take(self, arrays: Mapping[str, Any], settings: Mapping[str, Any]) -> Series:
        """Give the series the models that were stored; return them as a series of their own."""
        series = self._series
        stored = Series.restored(arrays, settings, series.axes, series.device)
        series.motion, series.planes = stored.motion, stored.planes
        return stored

    def _restore(self, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        series, state = self._series, self._state
        arrays = {**tensors, "frames": series.frames}
        stored = self._take(arrays, header.get("model") or settings_of_tensors(arrays))
        self._steps = dict(header["steps"])
        if PLANES in self:
            series.sections = stored.sections
        if TRUST in self:
            series.weights = stored.weights
        state.step += self.steps
        state.restored += self.steps
        state.facts |= header["facts"]
        state.warnings += header["warnings"]
        state.history += header["history"]
