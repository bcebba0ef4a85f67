"""The state of a running super-resolution, and the finished stages in its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import torch

from napari_cellinr.methods.spatime.model import settings_of_tensors
from napari_cellinr.methods.spatime.series import Series

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, PreviewRequest, Progress, Stopped
    from napari_cellinr.image import Image
    from napari_cellinr.methods.spatime.result import OutputArray

__all__ = ["PIXELS", "PLANES", "TRUST", "FinishedStages", "SuperresolutionState", "interval_stage"]

TRUST: Final = "trust"
"""The stage in which held-out frames choose the blend weights."""

PLANES: Final = "planes"
"""The stage in which finer planes are learnt."""

PIXELS: Final = "pixels"
"""The stage in which finer rows and columns are learnt."""


def interval_stage(interval: int) -> str:
    """Return the name of the stage in which the motion of an interval is fitted."""
    return f"interval {interval}"


@dataclass(eq=False)
class SuperresolutionState:
    """State of a running super-resolution, and entries of its report.

    Parameters
    ----------
    monitor
        Of the job.
    step, steps
        Steps done and planned.
    history, facts, warnings
        Of the report.
    output
        The result, filled while it is rendered; None if it is rendered when it is read.
    restored
        Steps that were done before an interruption.
    is_late
        Whether the time limit was reached before all was fitted.
    begun
        Seconds for which the job had worked when the remaining time began to be measured.
    """

    monitor: Monitor
    step: int = 0
    steps: int = 1
    history: list[Mapping[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    output: OutputArray | None = None
    restored: int = 0
    is_late: bool = False
    begun: float = 0.0

    @property
    def stopped(self) -> Stopped:
        """Why the fit ended; `steps` if it has not."""
        if self.monitor.stopped:
            return "user"
        return "time" if self.is_late else "steps"

    @property
    def over(self) -> bool:
        """Whether nothing more is to be fitted."""
        self.is_late = self.is_late or self.monitor.is_late
        return self.stopped != "steps"

    def part(self, stage: str, every: int = 1) -> AbstractContextManager[None]:
        """Return the context in which a part of the job reports progress, in steps of the job.

        Previews show the whole result so far, whatever the request.

        Parameters
        ----------
        stage
            Caption for users.
        every
            Steps of the part that count as one step of the job.
        """
        first = self.step

        def named(part: Progress) -> Progress:
            step = first + part.step // every
            return replace(
                part, stage=stage, step=step, steps=self.steps, held_out=None, eta=self._left(step),
                losses={} if part.held_out is None else part.losses, preview_index={},
            )  # fmt: skip

        return self.monitor.part(named=named, preview_of=self._preview)

    def report(self, stage: str) -> Generator[Progress, Message, None]:
        """Report progress between two parts of the job.

        Parameters
        ----------
        stage
            Caption for users.
        """
        with self.part(stage):
            yield from self.monitor.report(stage)

    def _left(self, step: int) -> float | None:
        """Return the remaining time in seconds, by the steps after the first; None before them.

        What comes before the first step ends, such as looking for faulty frames, takes long beside
        a step, and does not come again.
        """
        first, worked = self.restored + 1, self.monitor.seconds - self.monitor.paused_seconds
        if step <= first:
            self.begun = worked
            return None
        return (worked - self.begun) / (step - first) * max(self.steps - step, 0)

    def _preview(self, request: PreviewRequest) -> Image | None:
        return self.output.image() if self.output else None


class FinishedStages:
    """The finished stages of one channel, in memory and in the checkpoint of the job.

    The stages are the choice of blend weights, finer planes, finer pixels, and the motion of
    each interval.
    Stages in the checkpoint are restored at once. Frames are not stored, but rendered again.

    Parameters
    ----------
    series
        The channel, into which the stored models are restored.
    state
        State of the job, to which steps, facts, warnings and history of these stages are added.
    number
        Number of the channel, from 0.
    """

    def __init__(self, series: Series, state: SuperresolutionState, number: int) -> None:
        state.monitor.checkpoint.enter(f"channel-{number}")
        self._place = state.monitor.checkpoint.entry("stages")
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
        """Move the channel to the CPU; stages that are not finished are discarded."""
        self._series.device = torch.device("cpu")
        self._take(self._arrays(), self._settings())
        self._series.forget_splines()
        self._state.warnings.append(
            "the memory of the GPU was not enough, so the rest was computed on the CPU."
        )

    def save(self) -> None:
        """Store the finished stages at the end of the job, if a checkpoint exists or is due."""
        if self._is_new and self._place.should_save:
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
        return {
            **found,
            "motion": motion,
            "trust": found["trust"] if TRUST in self else [],
            "planes": found["planes"] if PLANES in self else None,
            "pixels": found["pixels"] if PIXELS in self else None,
        }

    def _arrays(self) -> dict[str, Any]:
        """Return the frames, and the parameters of the finished stages."""

        def is_finished(name: str) -> bool:
            kind, _, which = name.partition(".")
            if kind == "paths":
                return interval_stage(int(which)) in self
            stages = {"planes": PLANES, "pixels": PIXELS, "trust": TRUST}
            return kind not in stages or stages[kind] in self

        return {k: v.numpy() for k, v in self._series.tensors("").items() if is_finished(k)}

    def _take(self, arrays: Mapping[str, Any], settings: Mapping[str, Any]) -> Series:
        """Put the stored models into the series; return them as a series of their own, too."""
        series = self._series
        stored = Series.restored(arrays, settings, series.axes, series.device)
        for interval in stored.motion.keys() & series.motion.keys():  # which are not stored
            stored.motion[interval].lattice = series.motion[interval].lattice
        series.motion, series.planes, series.pixels = stored.motion, stored.planes, stored.pixels
        return stored

    def _restore(self, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        series, state = self._series, self._state
        arrays = {**tensors, "frames": series.frames}
        stored = self._take(arrays, header.get("model") or settings_of_tensors(arrays))
        self._steps = dict(header["steps"])
        if PLANES in self:
            series.sections = stored.sections
        if PIXELS in self:
            series.pixel_sections = stored.pixel_sections
        if TRUST in self:
            series.weights, series.trust = stored.weights, stored.trust
            series.flow, series.motion_reliability = stored.flow, stored.motion_reliability
            series.held_out_power = stored.held_out_power
        state.step += self.steps
        state.restored += self.steps
        state.facts |= header["facts"]
        state.warnings += header["warnings"]
        state.history += header["history"]
