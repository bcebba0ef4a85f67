"""Turns what damaged files lead to into errors that name the file as the cause."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.text import what_went_wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explained_damage"]


@contextmanager
def explained_damage(failure: str, remedy: str) -> Iterator[None]:
    """Turn the errors of Python and of libraries about wrong values into a `FileError`.

    For code that takes values from a file: a saved fit, or a checkpoint. Errors of this package
    pass, and so does a shortage of memory.

    Parameters
    ----------
    failure
        What could not be done; the cause follows in brackets.
    remedy
        What may be wrong, and what to do.
    """
    try:
        yield
    except (CellINRError, OSError):
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _damaged(failure, remedy, error) from error
    except RuntimeError as error:
        from napari_cellinr.fitting.resources.memory import is_shortage

        if is_shortage(error):
            raise
        raise _damaged(failure, remedy, error) from error


def _damaged(failure: str, remedy: str, error: Exception) -> FileError:
    return FileError(f"{failure} ({what_went_wrong(error)}); {remedy}")
