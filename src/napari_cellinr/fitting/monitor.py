"""Messages between a running job and its caller: progress, pause, stop and previews."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_cellinr.fitting.checkpoint import Checkpoint
from napari_cellinr.fitting.problem import PreviewRequest, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from napari_cellinr.fitting.problem import Message
    from napari_cellinr.image import Image

__all__ = ["Monitor"]

PreviewOf: TypeAlias = "Callable[[PreviewRequest], Image | None]"
"""Computes the preview for a request, or None if there is none."""

PAUSE_SECONDS = 0.05
"""Time between two checks of a paused job for a message."""


@dataclass(frozen=True)
class _Part:
    """A part of a job, as `Monitor.part` describes it."""

    caption: str
    index: Mapping[str, int]
    previews: bool
    named: Callable[[Progress], Progress] | None
    preview_of: PreviewOf | None


class Monitor:
    """Progress and messages of one running job, its checkpoint and its time limit.

    A pause does not count towards the time limit: it shifts the deadline.

    Parameters
    ----------
    started
        `time.monotonic()` when the job started; now if not given.
    checkpoint
        Where the job stores its state; nowhere if not given.

    Attributes
    ----------
    deadline : float or None
        `time.monotonic()` at which optimisation ends; set by the job.
    stopped : bool
        Whether the user has stopped the job; every later stage sees it.
    running : threading.Event
        Cleared while the user has paused the job; threads of the job wait for it.
    paused_seconds : float
        Time for which the job was paused, without the present pause.
    """

    def __init__(self, started: float | None = None, checkpoint: Checkpoint | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.checkpoint = checkpoint or Checkpoint(None)
        self.deadline: float | None = None
        self.stopped = False
        self.running = Event()
        self.running.set()
        self.paused_seconds = 0.0
        self._paused_at: float | None = None
        self._parts: tuple[_Part, ...] = ()
        self._request: PreviewRequest | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the job started."""
        return time.monotonic() - self.started

    @property
    def paused_seconds_so_far(self) -> float:
        """Time for which the job was paused, with the present pause."""
        present = 0.0 if self._paused_at is None else time.monotonic() - self._paused_at
        return self.paused_seconds + present

    def end_after(self, seconds: float) -> float:
        """Return `time.monotonic()` when the job will have run for a time, pauses not counted."""
        return self.started + self.paused_seconds + seconds

    @property
    def is_late(self) -> bool:
        """Whether the time limit has been reached."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def has_request(self) -> bool:
        """Whether a requested preview is still pending."""
        return self._request is not None

    @contextmanager
    def part(
        self,
        caption: str = "",
        index: Mapping[str, int] | None = None,
        *,
        previews: bool = True,
        named: Callable[[Progress], Progress] | None = None,
        preview_of: PreviewOf | None = None,
    ) -> Iterator[None]:
        """Report progress inside as that of a part of the job, such as `frame 3 of 10`.

        Parameters
        ----------
        caption
            Caption of the part; empty for none.
        index
            Position of the part in the source by axis letter, for its previews.
        previews
            Whether previews of the part can be shown as previews of the source.
        named
            Returns the progress of the job for that of the part.
        preview_of
            Computes previews of the job instead of those of the part.
        """
        outer = self._parts
        part = _Part(caption, index or {}, previews, named, preview_of)
        self._parts = (part, *outer)
        try:
            yield
        finally:
            self._parts = outer

    def report(
        self,
        stage: str,
        step: int = 0,
        steps: int = 0,
        *,
        preview_of: PreviewOf | None = None,
        **more: Any,
    ) -> Generator[Progress, Message, None]:
        """Report progress, handle the message sent back, and wait while the job is paused.

        A second preview request that follows at once is left for the next report, so that the job
        continues between two previews.

        Parameters
        ----------
        stage
            Caption for users.
        step, steps
            Steps done and planned in this stage; `steps` is 0 where it is not known.
        preview_of
            Computes the preview for a request; requests are ignored if not given.
        more
            Other fields of `Progress`.
        """
        for part in self._parts:
            preview_of = (part.preview_of or preview_of) if part.previews else None
        message: Message = self._request if preview_of else None
        self._request = None
        progress = Progress(stage, step, steps, **more)
        if message is None:
            message = yield self._complete(progress)
        has_preview = False
        while not self.stopped:
            if isinstance(message, str):
                self._obey(message)
            elif message is not None and preview_of is not None:
                if has_preview and self.running.is_set():
                    self._request = message
                    return
                has_preview, image = True, preview_of(message)
                if image is not None:
                    shown = replace(progress, preview=image, preview_index=message.index)
                    message = yield self._complete(shown)
                    continue
            if self.running.is_set():
                return
            time.sleep(PAUSE_SECONDS)
            message = yield self._complete(progress)

    def _obey(self, message: str) -> None:
        """Pause, resume or stop."""
        if message == "pause":
            if self._paused_at is None:
                self._paused_at = time.monotonic()
            self.running.clear()
        else:
            self.stopped = message == "stop"
            self._end_pause()
            self.running.set()

    def _end_pause(self) -> None:
        """Count the pause, and shift the deadline by it."""
        if self._paused_at is None:
            return
        seconds = time.monotonic() - self._paused_at
        self._paused_at = None
        self.paused_seconds += seconds
        if self.deadline is not None:
            self.deadline += seconds

    def _complete(self, progress: Progress) -> Progress:
        """Return progress with time, captions and the position of the part in the source."""
        for part in self._parts:
            progress = progress if part.named is None else part.named(progress)
        stage, index = progress.stage, dict(progress.preview_index)
        if not self.running.is_set():
            stage = "paused"
        for part in self._parts:
            stage += f" ({part.caption})" if part.caption else ""
            index |= part.index
        if progress.preview is None:
            index = {}
        warning = progress.warning or self.checkpoint.warning
        return replace(
            progress, stage=stage, seconds=self.seconds, preview_index=index, warning=warning
        )
