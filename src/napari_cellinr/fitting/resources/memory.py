"""Recognises that memory is exhausted, and frees it for another attempt."""

from __future__ import annotations

import gc

import torch

__all__ = ["FAILURES", "SMALLEST_BATCH", "free", "free_after", "is_shortage"]

SMALLEST_BATCH = 64
"""Smallest batch in voxels, which is not halved any more."""

FAILURES = (MemoryError, RuntimeError)
"""Types of the errors that are raised when memory is exhausted; also raised for other reasons."""

_WORDS = (
    *("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory"),
    "can't start new thread",  # there is no memory for its stack
)


def is_shortage(error: BaseException) -> bool:
    """Return whether an error means that memory is exhausted, on any device."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(word in str(error).lower() for word in _WORDS)


def free() -> None:
    """Free unused memory, also that of the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_after(error: BaseException) -> None:
    """Free memory after an error of `FAILURES`, so that a smaller computation can be tried.

    Raises
    ------
    BaseException
        `error`, if it does not mean that memory is exhausted.
    """
    if not is_shortage(error):
        raise error
    error.__traceback__ = None  # its stack frames hold the arrays that filled the memory
    free()
