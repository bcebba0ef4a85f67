"""Errors shown to users: each message says what was given, what is allowed and what to do."""

from __future__ import annotations

from napari_cellinr.text import shortened_text

__all__ = ["AxesError", "CellINRError", "ConfigError", "DataError", "FileError", "FitError"]


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
