"""A job in a thread worker: the only place where threads are started.

The worker never raises: superqt takes every `RuntimeError` of a generator, such as an
out-of-memory error, for a deleted worker and ignores it. The worker returns an `Ending` instead.
Previews are not sent with the signals, which pile up while the viewer is busy, but through a
slot that holds the newest one only.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, Signal, Slot

from napari_cellinr.errors import CellINRError
from napari_cellinr.fitting.resources.guard import fit_error

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from napari_cellinr.fitting.problem import Job, Message, PreviewRequest, Progress
    from napari_cellinr.image import Image

__all__ = ["Ending", "Run"]

logger = logging.getLogger(__name__)

PAUSED_SECONDS: Final = 0.05
"""Time between two checks of a paused job for a message."""

PREVIEW_PART: Final = 0.2
"""Largest part of the time of a job that is spent on previews."""

CLOSING_SECONDS: Final = 5.0
"""Longest wait for a job when the application quits."""


@dataclass(frozen=True)
class Ending:
    """How a job ended: with a result, with an error, or with neither if it was cancelled."""

    result: Any = None
    error: CellINRError | None = None


class Run(QObject):
    """One running job, for the main thread.

    Signals
    -------
    progressed
        `Progress` without its preview, as often as the job yields.
    previewed
        The preview Image and the index of its request.
    ended
        The `Ending`, once; never after `abandon`.

    Parameters
    ----------
    make_job
        Called in the worker thread; what is slow to import is imported by it.
    title
        Name of the job in the dialog of napari when the application is closed.
    """

    progressed = Signal(object)
    previewed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, make_job: Callable[[], Job], title: str) -> None:
        super().__init__()
        self._mailbox = _Mailbox()
        self._last_request = 0.0
        self._abandoned = False
        # In a list, from which the job is taken: the window of napari keeps all of its workers,
        # and the images of their jobs would be kept with them.
        work = _Titled(_drive, [make_job], self._mailbox)
        work.title = title
        self._worker = create_worker(
            work, _start_thread=False, _worker_class=_Worker, _ignore_errors=True
        )
        self._worker.mailbox = self._mailbox
        self._worker.yielded.connect(self._on_yielded)
        self._worker.returned.connect(self._on_returned)
        self._worker.warned.connect(_log_warning)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def pause(self) -> None:
        """Pause the job after its present step."""
        self._mailbox.paused.set()

    def resume(self) -> None:
        """Resume a paused job."""
        self._mailbox.paused.clear()

    def stop(self) -> None:
        """End the job after its present step and return its result so far."""
        self._mailbox.stopped.set()

    def cancel(self) -> None:
        """End the job after its present step and discard its result."""
        self._mailbox.cancelled.set()

    def abandon(self) -> None:
        """Cancel the job and send no more signals, since the viewer is closing."""
        self._abandoned = True
        self.cancel()

    def preview_is_due(self, seconds: float) -> bool:
        """Return whether at least so many seconds have passed since the last request.

        The wait is longer where previews take long, such as of a large volume, so that the job goes
        on; not while it is paused.
        """
        if not self._mailbox.paused.is_set():
            seconds = max(seconds, self._mailbox.preview_seconds / PREVIEW_PART)
        return time.monotonic() - self._last_request >= seconds

    def request_preview(self, request: PreviewRequest) -> None:
        """Request a preview; it replaces an older request that is still pending."""
        self._last_request = time.monotonic()
        self._mailbox.put_request(request)

    def wait(self, seconds: float = CLOSING_SECONDS) -> bool:
        """Return whether the thread has ended its job within `seconds`."""
        return self._mailbox.ended.wait(seconds)

    @Slot(object)
    def _on_yielded(self, progress: Progress) -> None:
        if self._abandoned:
            return
        self.progressed.emit(progress)
        preview = self._mailbox.take_preview()
        if preview is not None:
            self.previewed.emit(*preview)

    @Slot(object)
    def _on_returned(self, ending: Ending) -> None:
        if self._mailbox.cancelled.is_set():  # the result may have come a moment before
            ending = Ending()
        if not self._abandoned:
            self.ended.emit(ending)


class _Mailbox:
    """Messages and previews that the two threads exchange.

    Pause and stop are states that are sent with every step, since a stage of a job may ignore a
    single message.
    """

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.cancelled = threading.Event()
        self.stopped = threading.Event()
        self.paused = threading.Event()
        self.preview_seconds = 0.0
        self._was_paused = False
        self._request: PreviewRequest | None = None
        self._preview: tuple[Image, Mapping[str, int]] | None = None

    def put_request(self, request: PreviewRequest) -> None:
        """Store a request for the job; only the last one counts."""
        self._request = request

    def next_message(self) -> Message:
        """Return the next message for the job; stop and resume go before preview requests."""
        if self.stopped.is_set():
            return "stop"
        request, self._request = self._request, None
        if self.paused.is_set() and request is None:
            self._was_paused = True
            time.sleep(PAUSED_SECONDS)
            return "pause"
        if self._was_paused and not self.paused.is_set():
            self._was_paused, self._request = False, request
            return "resume"
        return request

    def leave_preview(self, progress: Progress, seconds: float) -> Progress:
        """Put the preview into the slot; return the progress without it.

        Parameters
        ----------
        progress
            Newest progress.
        seconds
            Time that the job took for it.
        """
        if progress.preview is None:
            return progress
        self.preview_seconds = seconds
        self._preview = (progress.preview, dict(progress.preview_index))
        return replace(progress, preview=None)

    def take_preview(self) -> tuple[Image, Mapping[str, int]] | None:
        """Return the newest preview and its index, once."""
        preview, self._preview = self._preview, None
        return preview


class _Worker(GeneratorWorker):
    """A worker that ends its generator properly when napari calls `quit`.

    A generator that superqt aborts is not closed: what it holds, such as GPU memory, stays until
    it is garbage-collected.
    """

    mailbox: _Mailbox

    def quit(self) -> None:
        """End the job after its present step and discard its result."""
        self.mailbox.cancelled.set()


class _Titled(functools.partial[Any]):
    """A function with a title for users, which the closing dialog of napari shows."""

    title: str = ""

    def __repr__(self) -> str:
        return self.title


def _drive(jobs: list[Callable[[], Job]], mailbox: _Mailbox) -> Generator[Progress, object, Ending]:
    """Yield the progress of a job without previews and return how it ended."""
    job: Job | None = None
    message: Message = None  # a generator that has not started accepts None only
    try:
        _leave_a_core_to_the_viewer()
        job = jobs.pop()()
        while not mailbox.cancelled.is_set():
            begun = time.monotonic()
            try:
                progress = job.send(message)
            except StopIteration as end:
                return Ending(result=end.value)
            yield mailbox.leave_preview(progress, time.monotonic() - begun)
            message = mailbox.next_message()
        return Ending()
    except CellINRError as error:
        return Ending(error=_without_frames(error))
    except Exception as error:
        # As text: a log that keeps the error would keep its frames, too.
        logger.error("the job failed\n%s", traceback.format_exc())
        return Ending(error=fit_error(error, "Nothing was changed; see the log for details."))
    finally:
        try:
            _close(job)
            _free_memory()
        finally:
            mailbox.ended.set()


def _close(job: Job | None) -> None:
    """Close a job; a failure, such as that of a full disk, is logged only."""
    if job is None:
        return
    try:
        job.close()
    except Exception:
        logger.warning("the job could not be closed properly\n%s", traceback.format_exc())


def _without_frames(error: CellINRError) -> CellINRError:
    """Return an error without its stack frames, which would keep tensors in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _leave_a_core_to_the_viewer() -> None:
    """Let torch use all cores but one in this thread, so that the viewer stays responsive."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))


def _free_memory() -> None:
    """Return unused GPU memory to other programs.

    Without a garbage collection: in this thread it could delete widgets, which crashes Qt.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _log_warning(arguments: tuple[Any, ...]) -> None:
    """Log a warning of the worker thread, which would be lost otherwise."""
    logger.warning("%s: %s", getattr(arguments[1], "__name__", "warning"), arguments[0])
