"""The progress of a job in napari's activity dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils import progress

if TYPE_CHECKING:
    from napari_cellinr.fitting.problem import Progress

__all__ = ["ActivityBar"]


class ActivityBar:
    """One progress bar per stage, created, moved and closed by the main thread.

    napari's own `thread_worker(progress=…)` can leave the activity dock unable to show any
    further bar, and a bar that is created in a worker thread belongs to that thread.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._bar: progress | None = progress(total=0, desc="CellINR: starting")
        self._moving = False

    def show(self, state: Progress) -> None:
        """Move the bar, or start another one for a new stage."""
        # Every change of a bar runs the event loop, from which this can be called again.
        if self._moving or self._bar is None:
            return
        self._moving = True
        try:
            self._move(state)
        finally:
            self._moving = False

    def close(self) -> None:
        """Take the bar out of the dock."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _move(self, state: Progress) -> None:
        if state.stage != self._stage and self._bar is not None:
            self._bar.close()
            self._stage = state.stage
            bar = progress(total=state.steps, desc=f"CellINR: {state.stage}")
            if self._bar is None:  # the event loop has run, and the job has ended in it
                bar.close()
                return
            self._bar = bar
        if self._bar is not None and state.steps:
            self._bar.update(state.step - self._bar.n)
