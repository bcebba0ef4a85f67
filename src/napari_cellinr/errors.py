"""Errors and warnings shown to users: what was given, what is allowed and what to do."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import TYPE_CHECKING

from napari_cellinr.text import shortened_text

if TYPE_CHECKING:
    from types import FrameType

__all__ = [
    "AxesError",
    "CellINRError",
    "CellINRWarning",
    "ConfigError",
    "DataError",
    "FileError",
    "FileWarning",
    "FitError",
    "FitWarning",
    "warn",
]

_logger = logging.getLogger("napari_cellinr.warnings")
_logger.addHandler(logging.NullHandler())  # `warnings` shows them; a log is on request


LONGEST = 2000
"""Characters of a message."""


class CellINRError(Exception):
    """Base class of all errors that this package raises on purpose.

    A message is one line without control characters, and not endless, whatever names and values
    it quotes.
    """

    def __str__(self) -> str:
        """Return the message."""
        return shortened_text(super().__str__(), LONGEST)


class ConfigError(CellINRError, ValueError):
    """A setting is unknown, out of bounds, or contradicts another setting."""


class AxesError(CellINRError, ValueError):
    """The axes of an image are ambiguous, unknown or do not match its array."""


class FileError(CellINRError):
    """A file is missing, cannot be read, or cannot be written."""


class FitError(CellINRError):
    """A fit cannot start or has failed.

    Deliberately not a `RuntimeError`: napari's generator workers ignore those, and a fit that
    ran out of memory would seem to run for ever.
    """


class DataError(CellINRError, ValueError):
    """The values of an image cannot be fitted: not finite, all equal, or too few."""


class CellINRWarning(UserWarning):
    """Base class of all warnings of this package."""


class FileWarning(CellINRWarning):
    """Something in a file is missing or contradictory, or is lost when it is written."""


class FitWarning(CellINRWarning):
    """A result may be worse than expected; `report["warnings"]` of the fit has the same text."""


def warn(text: str, category: type[CellINRWarning]) -> None:
    """Show a warning at the line of the caller outside of this package, and log it.

    The logger is `napari_cellinr.warnings`.

    Parameters
    ----------
    text
        The warning, a sentence.
    category
        Its class.
    """
    text = shortened_text(text, LONGEST)
    _logger.warning("%s", text)
    warnings.warn(text, category, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the `stacklevel` with which `warn` names the first line outside of the package."""
    package = __name__.partition(".")[0]
    level = 2
    while (frame := _frame(level)) is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] != package:
            return level - 1
        level += 1
    return 2  # every caller belongs to the package, as in a command


def _frame(level: int) -> FrameType | None:
    try:
        return sys._getframe(level)
    except ValueError:
        return None
