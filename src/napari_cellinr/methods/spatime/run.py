"""The state of a running super-resolution, and how it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_cellinr.fitting.problem import PreviewRequest, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.fitting.problem import Message, Stopped
    from napari_cellinr.methods.spatime.result import Result

__all__ = ["Run"]


@dataclass(eq=False)
class Run:
    """What a running job knows of itself.

    Parameters
    ----------
    started, deadline
        `time.monotonic()` when the job began, and at which fitting ends, if the time is limited.
    stopped
        Why it ends, or `steps`.
    step, steps
        Steps done and planned.
    losses, history, facts, warnings
        For progress and report.
    paused
        Whether the user has paused it.
    result
        What there is of the result, if it is rendered at once.
    asked
        Whether a viewer wants to see that.
    restored
        Steps that were done before an interruption.
    """

    started: float
    deadline: float | None
    stopped: Stopped = "steps"
    step: int = 0
    steps: int = 1
    losses: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    paused: bool = False
    result: Result | None = None
    asked: bool = False
    restored: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing more is to be fitted."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        if late and self.stopped == "steps":
            self.stopped = "time"
        return self.stopped in {"user", "time"}

    def tell(self, stage: str) -> Generator[Progress, Message, Message]:
        """Yield how far the job is, with what there is of the result if a viewer asked for it.

        What comes back is obeyed and returned.
        """
        message: Message = None
        while True:
            seconds = time.monotonic() - self.started
            done = max(self.step - self.restored, 1)
            eta = seconds / done * max(self.steps - self.step, 0)
            name = "paused" if self.paused else stage
            shown = self.result.image() if self.asked and self.result is not None else None
            message = yield Progress(
                name, self.step, self.steps, dict(self.losses),
                seconds=seconds, eta=eta, preview=shown,
            )  # fmt: skip
            self.asked = isinstance(message, PreviewRequest)
            if message == "stop":
                self.stopped = "user"
            if isinstance(message, str):
                self.paused = message == "pause"
            if not self.paused:
                return message
            time.sleep(0.05)
