"""What every job is wrapped in: a stop is remembered, and a failure says what to do."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.memory import free

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_cellinr.fitting.problem import Fitted, Job, Message, Progress

__all__ = ["guarded"]

P = ParamSpec("P")


def guarded(make: Callable[P, Generator[Progress, Message, Fitted]]) -> Callable[P, Job]:
    """Decorate the job of a method: no stage forgets a stop, and no `RuntimeError` leaves it.

    The job raises `FitError` for every `RuntimeError` and `MemoryError`, with the remedy.
    """

    @wraps(make)
    def job(*arguments: P.args, **options: P.kwargs) -> Job:
        with _failures_explained():
            return (yield from _insisting(make(*arguments, **options)))

    return job


def _insisting(
    job: Generator[Progress, Message, Fitted],
) -> Generator[Progress, Message, Fitted]:
    """Pass on a job; once it was told to stop, tell so every stage that is still to come."""
    message: Message = None
    stopped = False
    while True:
        try:
            progress = job.send(message)
        except StopIteration as finished:
            fitted: Fitted = finished.value
            return fitted
        message = yield progress
        stopped = stopped or message == "stop"
        message = "stop" if stopped else message


@contextmanager
def _failures_explained() -> Iterator[None]:
    """Turn every `RuntimeError` and `MemoryError` into a `FitError` that says what to do.

    Generator workers swallow a `RuntimeError`, and running out of GPU memory is one.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        message = _first_line(error)
        error.__traceback__ = None  # its frames would hold the tensors
        free()
        raise FitError(
            f"the GPU has too little memory ({message}); fit a crop, or choose the device cpu."
        ) from None
    except MemoryError:
        free()
        raise FitError("the memory is not enough; fit a crop of the image.") from None
    except RuntimeError as error:
        message = _first_line(error)
        raise FitError(f"the fit failed: {message}. Try a crop or the device cpu.") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
