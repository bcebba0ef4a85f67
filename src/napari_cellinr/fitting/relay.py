"""Jobs inside jobs: one of several passes its progress on under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_cellinr.fitting.problem import Message, Progress

__all__ = ["relayed"]

Result = TypeVar("Result")


def relayed(
    job: Generator[Progress, Message, Result],
    named: Callable[[Progress], Progress],
    *,
    previews: bool = True,
) -> Generator[Progress, Message, Result]:
    """Pass on a job, its progress changed by `named`, and return what it returns.

    Parameters
    ----------
    job
        One of several.
    named
        Returns the progress of the whole for that of the part.
    previews
        Whether requests for a preview reach the job; the other messages always do.
    """
    message: Message = None
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            result: Result = finished.value
            return result
        message = yield named(progress)
        if not (previews or isinstance(message, str)):
            message = None
