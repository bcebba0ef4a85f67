"""Running out of memory: how it is recognised, freed, and reported without ending the fit."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_cellinr.fitting.problem import Message, Progress

__all__ = ["SMALLEST_BATCH", "free", "is_shortage", "unless_short"]

Result = TypeVar("Result")

SMALLEST_BATCH = 64
"""Voxels of a step below which a batch is not halved any more."""

_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that the memory is not enough, on whichever device."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(word in str(error).lower() for word in _WORDS)


def free() -> None:
    """Give memory back, that of the GPU to other programs too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def unless_short(
    job: Generator[Progress, Message, Result],
) -> Generator[Progress, Message, Result | None]:
    """Return what a job returns, or None if the memory was not enough for it."""
    try:
        return (yield from job)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        error.__traceback__ = None  # its frames hold what filled the memory
    job.close()
    free()
    return None
