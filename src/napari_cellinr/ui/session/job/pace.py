"""Speed, remaining time and progress of a job over all of its stages."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from napari_cellinr.ui.session.job.devices import gpu_memory

if TYPE_CHECKING:
    from napari_cellinr.fitting.problem import Progress

__all__ = ["SHORTEST", "Pace", "duration"]

SHORTEST: Final = 0.1
"""Shortest time over which a speed is computed, in seconds."""

LARGEST: Final = 0.99
"""Largest part that is shown as done before the job has ended."""

PAUSED: Final = "paused"
"""Beginning of the stage that a paused job reports."""


class Pace:
    """How fast a job is, and which part of it is done; pauses do not count.

    A job has several stages, and may repeat some of them, but knows only the remaining time of the
    present stage. The part that is done never goes back; once it has reached `LARGEST`, it is not
    known how far the stages after that are.

    Parameters
    ----------
    estimate
        Time in seconds that the whole job is expected to take; None if not known.
    """

    def __init__(self, estimate: float | None = None) -> None:
        self._estimate = estimate
        self._stage = ""
        self._points: deque[tuple[float, int]] = deque(maxlen=15)
        self._part = 0.0
        self._part_of = ""
        self._is_past = False
        self._paused = 0.0
        self._paused_at: float | None = None

    def part(self, progress: Progress) -> float:
        """Return the part of the whole job that is done, from 0 to 1; 0 where it is not known."""
        self._note_pause(progress)
        if not progress.stage.startswith(PAUSED):
            self._is_past = self._part >= LARGEST and progress.stage != self._part_of
            self._part_of = self._part_of if self._is_past else progress.stage
        if self._is_past:
            return 0.0
        elapsed, left = progress.seconds - self._paused, self._left(progress)
        # Without a measured time left, an estimate for another computer could run far ahead.
        if _measured(progress) is not None and left is not None and elapsed + left > 0:
            self._part = max(self._part, min(LARGEST, elapsed / (elapsed + left)))
        return self._part

    def facts(self, progress: Progress) -> list[str]:
        """Return the numbers of a stage with steps, each with its unit."""
        self._note_pause(progress)
        is_paused = progress.stage.startswith(PAUSED)
        if progress.stage != self._stage and not is_paused:
            self._stage = progress.stage
            self._points.clear()
        seconds = progress.seconds - self._paused
        self._points.append((seconds, progress.step))
        facts = [f"step {progress.step} of {progress.steps}"]
        spent, steps = (b - a for a, b in zip(self._points[0], self._points[-1], strict=True))
        if spent > SHORTEST and steps > 0 and not is_paused:
            speed = steps / spent
            facts.append(f"{speed:.0f} steps/s" if speed >= 100 else f"{speed:.3g} steps/s")
        if (left := self._left(progress)) is not None and not is_paused:
            facts.append(f"{duration(left)} left")
        if memory := gpu_memory():
            facts.append(f"{memory / 1e9:.2g} GB on the GPU")
        if progress.held_out is not None:
            facts.append(f"held\u2011out error {progress.held_out:.4g} σ")
        return facts

    def _left(self, progress: Progress) -> float | None:
        """Return the remaining time of the job in seconds; None if nothing is known of it."""
        measured = _measured(progress)
        if measured is not None and progress.is_of_job:
            return measured
        known = [] if measured is None else [measured]
        if self._estimate is not None:
            rest = self._estimate - (progress.seconds - self._paused)
            known += [rest] if rest > 0 else []
        return max(known) if known else None

    def _note_pause(self, progress: Progress) -> None:
        if not progress.stage.startswith(PAUSED):
            self._paused_at = None
            return
        if self._paused_at is not None:
            self._paused += max(0.0, progress.seconds - self._paused_at)
        self._paused_at = progress.seconds


def _measured(progress: Progress) -> float | None:
    """Return the remaining time that a stage has measured, in seconds; None if it has not."""
    if progress.eta is None or not math.isfinite(progress.eta):
        return None
    return max(0.0, progress.eta)


def duration(seconds: float) -> str:
    """Return a duration as text, such as `2 min 05 s`."""
    if seconds < 60:
        return f"{max(0, round(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    )
