"""What of a channel is fitted already, in the checkpoint of a super-resolution that may be cut off.

It goes stage by stage: trust in motion, finer planes, and the motion of each interval. Frames are
rendered anew: that is quick, and needs no more than what was fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.methods.spatime.blending import Recipe
from napari_cellinr.methods.spatime.model import Series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.methods.spatime.run import Run

__all__ = ["PLANES", "TRUST", "Finished", "interval_stage"]

TRUST: Final = "trust"
"""The stage in which held-out frames tell how far motion is trusted."""

PLANES: Final = "planes"
"""The stage in which finer planes are learnt."""


class Finished:
    """The finished stages of one channel; those that a checkpoint holds are there at once.

    Parameters
    ----------
    series
        The channel; it gets what the checkpoint holds.
    run
        The job; it gets the steps, facts, warnings and history of these stages.
    number
        Of the channel.
    """

    def __init__(self, series: Series, run: Run, number: int) -> None:
        keeper().enter(f"channel-{number}")
        self._place = keeper().place("stages")
        self._series, self._run = series, run
        self._prefix = f"channel {number}:"
        self._steps: dict[str, int] = {}
        self._before = len(run.warnings), len(run.history)
        self._is_new = False
        if (kept := self._place.load()) is not None:
            self._restore(*kept)

    def __contains__(self, stage: str) -> bool:
        return stage in self._steps

    @property
    def steps(self) -> int:
        """The number of steps of all finished stages."""
        return sum(self._steps.values())

    def note(self, stage: str, steps: int) -> None:
        """Note that a stage is finished after so many steps; store it if it is time for that."""
        self._steps[stage] = steps
        self._is_new = True
        if self._place.is_due:
            self._save()

    def move_to_cpu(self) -> None:
        """Let the channel compute without the GPU; what was not finished is forgotten."""
        series = self._series
        series.device = torch.device("cpu")
        kept = Series.from_tensors(self._arrays(), "", series.axes, series.device)
        series.paths, series.planes = kept.paths, kept.planes
        series.forget_splines()
        self._run.warnings.append(
            "the memory of the GPU was not enough, so the rest was done without it."
        )

    def save(self) -> None:
        """Store what is finished when the job ends or is given up, if it has run for a while."""
        if self._is_new and self._place.is_worth_it:
            self._save()

    def _save(self) -> None:
        run, (n_warnings, n_rows) = self._run, self._before
        recipe = self._series.recipe
        facts = {key: value for key, value in run.facts.items() if key.startswith(self._prefix)}
        header = {
            "steps": self._steps,
            "recipe": [recipe.motion, recipe.cubic, recipe.doubt],
            "facts": facts,
            "warnings": run.warnings[n_warnings:],
            "history": run.history[n_rows:],
        }
        self._place.save(header, self._tensors())
        self._is_new = False

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return what the finished stages have fitted; of others, nothing, and no frames."""

        def is_finished(name: str) -> bool:
            kind, _, which = name.partition(".")
            if kind == "paths":
                return interval_stage(int(which)) in self
            return kind != "frames" and (kind != "planes" or PLANES in self)

        return {k: v for k, v in self._series.tensors("").items() if is_finished(k)}

    def _arrays(self) -> dict[str, Any]:
        """Return the same as NumPy arrays, with the frames."""
        found = {name: value.numpy() for name, value in self._tensors().items()}
        return {**found, "frames": self._series.frames}

    def _restore(self, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        series, run = self._series, self._run
        arrays = {**tensors, "frames": series.frames}
        kept = Series.from_tensors(arrays, "", series.axes, series.device)
        series.paths, series.planes = kept.paths, kept.planes
        self._steps = dict(header["steps"])
        if PLANES in self:
            series.sections = kept.sections
        if TRUST in self:  # as numbers of Python: a tensor would round them
            motion, cubic, doubt = header["recipe"]
            series.recipe = Recipe(motion, cubic, doubt)
        run.step += self.steps
        run.restored += self.steps
        run.facts |= header["facts"]
        run.warnings += header["warnings"]
        run.history += header["history"]


def interval_stage(interval: int) -> str:
    """Return the name of the stage that follows the motion of an interval."""
    return f"interval {interval}"
