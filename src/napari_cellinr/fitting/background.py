"""Work of a job that does not come in steps: it runs in a thread, so that the job still answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from napari_cellinr.fitting.problem import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_cellinr.fitting.problem import Message, PreviewRequest
    from napari_cellinr.image import Image

__all__ = ["in_background"]

Result = TypeVar("Result")

POLL = 0.1
"""Seconds between two looks at the work."""


def in_background(
    stage: str,
    work: Callable[[], Result],
    *,
    started: float,
    needed: bool = False,
    named: Callable[[Progress], Progress] | None = None,
    preview_of: Callable[[PreviewRequest], Image | None] | None = None,
) -> Generator[Progress, Message, Result | None]:
    """Do `work` in a thread: yield `Progress`, return its result, or None if stopped before.

    So a job answers within a tenth of a second, whatever it is doing. Work that is given up
    ends by itself, and its result is dropped. A pause holds the job after the work.

    Parameters
    ----------
    stage
        What is being done, in words for users.
    work
        NumPy, SciPy and torch let other threads go on while they compute.
    started
        `time.monotonic()` when the job began.
    needed
        Whether nothing can go on without the result: then a stop has to wait for it.
    named
        For a part of a job: returns the progress of the job for that of the part.
    preview_of
        Answers preview requests.

    Returns
    -------
    Result or None
        What `work` returned; None if the user stopped the job before.
    """
    with _one_thread() as pool:
        future = pool.submit(work)
        paused, preview = False, None
        while paused or not future.done():
            if paused:
                time.sleep(POLL)
            wait((future,), timeout=POLL)
            name = "paused" if paused else stage
            progress = Progress(name, seconds=time.monotonic() - started, preview=preview)
            message = yield progress if named is None else named(progress)
            preview = None
            if message == "stop" and not needed:
                return None
            if isinstance(message, str):
                paused = message == "pause"
            elif message is not None and preview_of is not None:
                preview = preview_of(message)
        return future.result()


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """Offer a thread; do not wait for it in the end."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="cellinr")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
