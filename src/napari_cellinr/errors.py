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

    Examples
    --------
    >>> from napari_cellinr import CellINRError, read
    >>> try:
    ...     read("nowhere.tif")
    ... except CellINRError as error:
    ...     print(error)
    there is no file nowhere.tif; check its name and folder.
    """

    def __str__(self) -> str:
        """Return the message."""
        return shortened_text(super().__str__(), LONGEST)


class ConfigError(CellINRError, ValueError):
    """A setting is unknown, out of bounds, or contradicts another setting.

    Examples
    --------
    >>> from napari_cellinr import CellINRConfig, ConfigError
    >>> try:
    ...     CellINRConfig(preset="slow")
    ... except ConfigError as error:
    ...     print(error)
    preset 'slow' was given; allowed are fast, best, preview, paper.
    """


class AxesError(CellINRError, ValueError):
    """The axes of an image are ambiguous, unknown or do not match its array.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import AxesError, Image
    >>> try:
    ...     Image(np.zeros((3, 4)), axes="TYX")
    ... except AxesError as error:
    ...     print(str(error)[:51])
    axes 'TYX' were given for an array of shape (3, 4);
    """


class FileError(CellINRError):
    """A file is missing, cannot be read, or cannot be written.

    Examples
    --------
    >>> from napari_cellinr import FileError, load_fit
    >>> try:
    ...     load_fit("nowhere.cellinr")
    ... except FileError as error:
    ...     print(type(error).__name__)
    FileError
    """


class FitError(CellINRError):
    """A fit cannot start or has failed.

    Deliberately not a `RuntimeError`: napari's generator workers ignore those, and a fit that
    ran out of memory would seem to run for ever.

    Examples
    --------
    >>> from napari_cellinr import CellINRError, FitError
    >>> issubclass(FitError, CellINRError), issubclass(FitError, RuntimeError)
    (True, False)
    """


class DataError(CellINRError, ValueError):
    """The values of an image cannot be fitted: not finite, all equal, or too few.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import DataError, denoise
    >>> try:
    ...     denoise(np.full((16, 16), np.nan), "preview")
    ... except DataError as error:
    ...     print(type(error).__name__)
    DataError
    """


class CellINRWarning(UserWarning):
    """Base class of all warnings of this package.

    Examples
    --------
    >>> import warnings
    >>> from napari_cellinr import CellINRWarning, FileWarning, FitWarning
    >>> issubclass(FileWarning, CellINRWarning), issubclass(FitWarning, CellINRWarning)
    (True, True)
    >>> warnings.simplefilter("always", CellINRWarning)  # show each of them every time
    """


class FileWarning(CellINRWarning):
    """Something in a file is missing or contradictory, or is lost when it is written.

    Examples
    --------
    As errors, for programs that must not use a doubtful file:

    >>> import warnings
    >>> from napari_cellinr import FileWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FileWarning)
    """


class FitWarning(CellINRWarning):
    """A result may be worse than expected; `report["warnings"]` of the fit has the same text.

    Examples
    --------
    >>> import warnings
    >>> from napari_cellinr import FitWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", FitWarning)  # for programs that look at Fitted.warnings
    """


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
