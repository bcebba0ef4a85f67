"""Turns failures of a fit into errors that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import FitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explained_failures", "fit_error"]

UNMAPPED = ("failed to map segment", "cannot allocate memory", "cannot map")
"""What the system says of a library that does not fit into the memory."""


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn every error of torch and of the memory into a `FitError` that says what to do.

    Generator workers ignore a `RuntimeError`, such as that for too little GPU memory. For what a
    device cannot do, torch raises a `RuntimeError` or a `TypeError`, as for float64 on MPS.
    Libraries that are imported late may not fit into the memory, too.
    """
    try:
        yield
    except ImportError as error:
        if not any(words in str(error).lower() for words in UNMAPPED):
            raise
        raise FitError(
            "there was not enough memory to load a library; close other programs, or raise the "
            "limit of the memory."
        ) from None
    except (MemoryError, RuntimeError, TypeError) as error:
        from napari_cellinr.fitting.resources.memory import free, is_shortage

        explained = fit_error(error, "Try a crop or the device cpu.")
        if not is_shortage(error):
            raise explained from error
        error.__traceback__ = None  # its frames would hold the tensors
        free()
        raise explained from None


def fit_error(error: Exception, advice: str) -> FitError:
    """Return a new error with the first line of another one, and what to do.

    Parameters
    ----------
    error
        What has failed.
    advice
        A sentence that says what to do, unless memory is exhausted.
    """
    from napari_cellinr.fitting.resources.memory import is_shortage

    lines = str(error).strip().splitlines() or [type(error).__name__]
    message = lines[0].rstrip(".")
    if is_shortage(error):
        return FitError(
            f"there was not enough memory ({message}); fit a crop, or choose the device cpu."
        )
    return FitError(f"the fit failed: {message}. {advice}")
