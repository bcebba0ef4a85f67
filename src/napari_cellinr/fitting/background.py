"""Work of a job that does not come in steps: it runs in a thread, so that the job still answers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from napari_cellinr.fitting.problem import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_cellinr.fitting.problem import Message

__all__ = ["in_background"]

Result = TypeVar("Result")

POLL = 0.1
"""Seconds between two looks at the work."""


def in_background(
    stage: str, work: Callable[[], Result], *, started: float, needed: bool = False
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
    """
    with _one_thread() as pool:
        future = pool.submit(work)
        paused = False
        while paused or not future.done():
            if paused:
                time.sleep(POLL)
            wait((future,), timeout=POLL)
            name = "paused" if paused else stage
            message = yield Progress(name, seconds=time.monotonic() - started)
            if message == "stop" and not needed:
                return None
            if isinstance(message, str):
                paused = message == "pause"
        return future.result()


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """Offer a thread; do not wait for it in the end."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="cellinr")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
