"""Recognises that memory is exhausted, and frees it for another attempt."""

from __future__ import annotations

import ctypes
import gc
import sys

import torch

__all__ = ["FAILURES", "SMALLEST_BATCH", "free", "free_after", "give_back", "is_shortage"]

SMALLEST_BATCH = 64
"""Smallest batch in voxels, which is not halved any more."""

FAILURES = (MemoryError, RuntimeError)
"""Types of the errors that are raised when memory is exhausted; also raised for other reasons."""

_WORDS = (
    *("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory"),
    "can't start new thread",  # there is no memory for its stack
    "could not create a primitive",  # oneDNN, on the CPU
)


def is_shortage(error: BaseException) -> bool:
    """Return whether an error means that memory is exhausted, on any device."""
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS)


def free() -> None:
    """Free unused memory, also that of the GPU."""
    gc.collect()
    give_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def give_back() -> None:
    """Let the system have the memory of arrays that no longer exist.

    The GNU C library keeps it, in pieces that the arrays of the next fit may not fit into. Does
    nothing where there is another library.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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
