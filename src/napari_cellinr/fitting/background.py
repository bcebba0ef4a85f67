"""Work of a job that does not come in steps: it runs in a thread, so that the job still answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_cellinr.fitting.monitor import Monitor
    from napari_cellinr.fitting.problem import Message, Progress

__all__ = ["in_background"]

Result = TypeVar("Result")

POLL = 0.1
"""Seconds between two looks at the work."""


def in_background(
    stage: str, work: Callable[[], Result], monitor: Monitor, *, needed: bool = False
) -> Generator[Progress, Message, Result | None]:
    """Run `work` in a thread and report progress; return its result, or None if stopped before.

    So a job answers within a tenth of a second, whatever it is doing. Work that is given up
    ends by itself, and its result is dropped. A pause holds the job after the work.

    Parameters
    ----------
    stage
        What is being done, for users.
    work
        NumPy, SciPy and torch let other threads go on while they compute.
    monitor
        Of the job.
    needed
        Whether nothing can go on without the result: then a stop has to wait for it.

    Returns
    -------
    Result or None
        What `work` returned; None if the user stopped the job before.
    """
    with _one_thread() as pool:
        future = pool.submit(work)
        while not future.done():
            wait((future,), timeout=POLL)
            yield from monitor.report(stage)
            if monitor.stopped and not needed:
                return None
        return future.result()


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """Offer a thread; do not wait for it in the end."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="cellinr")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
