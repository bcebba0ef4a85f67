"""The errors that users see: each says what was given, what is allowed and what to do."""

__all__ = ["AxesError", "CellINRError", "ConfigError", "DataError", "FileError", "FitError"]


class CellINRError(Exception):
    """The base of every error that this package raises on purpose."""


class ConfigError(CellINRError, ValueError):
    """A setting is unknown, out of bounds or contradicts another one."""


class AxesError(CellINRError, ValueError):
    """The axes of an image are ambiguous, unknown or do not match its array."""


class FileError(CellINRError):
    """A file is missing, cannot be understood or cannot be written."""


class FitError(CellINRError):
    """A fit cannot start or has failed.

    Deliberately not a `RuntimeError`: generator workers swallow those, so that a
    fit which ran out of memory would look as if it were running for ever.
    """


class DataError(CellINRError, ValueError):
    """The values of an image cannot be worked on: not finite, all equal, or too few."""
