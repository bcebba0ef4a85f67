"""Work without steps runs in a thread, so that the job still reports progress and can stop."""

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
"""Seconds between two checks whether the work is done."""


def in_background(
    stage: str, work: Callable[[], Result], monitor: Monitor, *, needed: bool = False
) -> Generator[Progress, Message, Result | None]:
    """Run `work` in a thread and report progress; return its result, or None if stopped before.

    So a job reacts within a tenth of a second. If the user stops the job, the work runs to its
    end in the background and its result is discarded. A pause takes effect after the work.

    Parameters
    ----------
    stage
        Caption for users.
    work
        Called in the thread. NumPy, SciPy and torch let other threads run while they compute.
    monitor
        Of the job.
    needed
        Whether the job cannot continue without the result: then a stop waits for it.

    Returns
    -------
    Result or None
        What `work` returned; None if the user stopped the job before.
    """
    from napari_cellinr.fitting.resources.memory import give_back  # loads torch, as docks must not

    with _one_thread() as pool:
        future = pool.submit(work)
        done = False
        while not done:  # reported once at least, so that each stage can be stopped
            wait((future,), timeout=POLL)
            yield from monitor.report(stage)
            if monitor.stopped and not needed:
                return None
            done = future.done()
        give_back()
        return future.result()


@contextmanager
def _one_thread() -> Iterator[ThreadPoolExecutor]:
    """Return a pool of one thread, which is not waited for at the end."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="cellinr")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
