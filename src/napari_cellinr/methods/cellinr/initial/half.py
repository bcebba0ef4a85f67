"""An estimate while it is computed: its progress, and what becomes of it when time is short."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress

__all__ = ["Half"]

TRUSTED_PART = 0.1
"""Part of a job after which its speed says when it will end."""

GRACE = 0.1
"""Part of the time by which an estimate may be late before a cheaper one takes its place."""

_STAGE = "initial estimate"


class Half:
    """An estimate while it is computed: the second half of a stage if `before` is 0.5.

    It is abandoned if it would end after `limit`.
    """

    values: NDArray[np.float32]

    def __init__(
        self,
        job: Generator[float, str | None, NDArray[np.float32]],
        monitor: Monitor,
        before: float = 0.0,
        *,
        stage: str = _STAGE,
        limit: float | None = None,
    ) -> None:
        self.job, self.monitor, self.before = job, monitor, before
        self.stage, self.limit = stage, limit
        self.started = time.monotonic()
        self.paused = monitor.paused_seconds
        self.done: float | None = None
        self.stopped = False
        self.late = False

    def advance(self) -> bool:
        """Compute for a while; return whether more is to be done."""
        self.stopped = self.done is not None and self.monitor.stopped
        try:
            self.done = self.job.send("stop" if self.stopped else None)
        except StopIteration as finished:
            self.values = finished.value
            return False
        self.late = self.limit is not None and _is_late(self.started, self.done, self.limit)
        if self.late:
            self.job.close()
        return not self.late

    def report(self) -> Generator[Progress, Message, None]:
        """Return the report of the present progress."""
        done = self.done or 0.0
        paused = self.monitor.paused_seconds - self.paused
        spent = time.monotonic() - self.started - paused
        eta = spent * (1 - done) / done if done > 0.05 else None
        part = self.before + done / 2
        if eta is not None and part < 0.5:
            eta += spent / done
        return self.monitor.report(self.stage, round(100 * part), 100, eta=eta)


def _is_late(started: float, done: float, limit: float) -> bool:
    """Return whether a job that is `done` to this part will not end before `limit`."""
    now = time.monotonic()
    if done < TRUSTED_PART:
        return now > limit
    return started + (now - started) / done > limit + GRACE * (limit - started)
