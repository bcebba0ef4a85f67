"""Turns failures of a fit into errors that say what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import FitError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explained_failures"]


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn every `RuntimeError` and `MemoryError` into a `FitError` that says what to do.

    Generator workers ignore a `RuntimeError`, such as that for too little GPU memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        from napari_cellinr.fitting.memory import free, is_shortage

        message = _first_line(error)
        if not is_shortage(error):
            raise FitError(f"the fit failed: {message}. Try a crop or the device cpu.") from error
        error.__traceback__ = None  # its frames would hold the tensors
        free()
        raise FitError(
            f"there was not enough memory ({message}); fit a crop, or choose the device cpu."
        ) from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
