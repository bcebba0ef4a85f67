"""One message for saved fits that lack something, or whose parts do not fit each other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["complete"]


@contextmanager
def complete() -> Iterator[None]:
    """Explain errors within the context, which builds a model from a saved fit.

    Raises
    ------
    FileError
        If something is missing, or of the wrong kind or shape.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise FileError(
            f"the fit lacks what it is rendered from ({error}); it is damaged, or was saved by "
            "another version. Fit again."
        ) from None
