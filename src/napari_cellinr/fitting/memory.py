"""Running out of memory: how it is recognised, and how the memory is freed for another attempt."""

from __future__ import annotations

import gc

import torch

__all__ = ["FAILURES", "SMALLEST_BATCH", "free", "free_after", "is_shortage"]

SMALLEST_BATCH = 64
"""Voxels of a step below which a batch is not halved any more."""

FAILURES = (MemoryError, RuntimeError)
"""Errors among which are those that say that the memory is not enough."""

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


def free_after(error: BaseException) -> None:
    """Free the memory after an error of `FAILURES`, so that something smaller can be tried.

    Raises
    ------
    BaseException
        `error`, if it does not say that the memory is not enough.
    """
    if not is_shortage(error):
        raise error
    error.__traceback__ = None  # its frames hold what filled the memory
    free()
