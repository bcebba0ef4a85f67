"""Kinds of values in steps and recipes: what is allowed, in words for messages and as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ANY",
    "AXES",
    "AXIS_RANGES",
    "COUNT_OR_NONE",
    "FILE_NAME",
    "NUMBER",
    "NUMBERS_OR_NONE",
    "NUMBER_PER_AXIS",
    "RANGE",
    "TEXT",
    "TEXTS",
    "TEXT_TABLE",
    "Kind",
    "check_fields",
    "check_text",
    "is_axis",
    "is_count",
]


@dataclass(frozen=True)
class Kind:
    """What a value has to be.

    Parameters
    ----------
    needed
        In words, as a message says it: `a number`.
    allows
        Returns whether a value is of this kind.
    """

    needed: str
    allows: Callable[[Any], bool]


def check_fields(record: object, kinds: Mapping[str, Kind]) -> None:
    """Check the fields of a source or a step.

    Parameters
    ----------
    record
        The source or step.
    kinds
        What each field must hold, by its name.

    Raises
    ------
    ConfigError
        If a field holds a value of another kind.
    """
    for name, kind in kinds.items():
        given = getattr(record, name)
        if not kind.allows(given):
            raise ConfigError(f"{name} = {given!r:.60} was given; {kind.needed} is needed.")


def check_text(value: Any, where: str) -> None:
    """Check that all text in a value can be written to a file and passed to a command.

    Parameters
    ----------
    value
        Text, or lists and tables that may hold text.
    where
        What the value belongs to, for the message.

    Raises
    ------
    ConfigError
        If text has a NUL character or half of a surrogate pair.
    """
    if isinstance(value, str):
        try:
            is_invalid = "\0" in value
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            is_invalid = True
        if is_invalid:
            raise ConfigError(
                f"{value!r} was given in {where}; text without NUL and half characters is needed."
            )
    elif isinstance(value, list | tuple):
        for element in value:
            check_text(element, where)
    elif hasattr(value, "items"):
        for key, element in value.items():
            check_text(key, where)
            check_text(element, where)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 0; `True` and `False` are not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_axis(name: str) -> bool:
    """Return whether a name is that of an axis: one ASCII letter."""
    return len(name) == 1 and name.isascii() and name.isalpha()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_by_axis(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_axis, value))


ANY: Final = Kind("anything", lambda value: True)
NUMBER: Final = Kind("a number", _is_number)
TEXT: Final = Kind("text", _is_text)
AXES: Final = Kind(
    "one letter for each axis",
    lambda value: _is_text(value) and value.isascii() and (value.isalpha() or value == ""),
)
FILE_NAME: Final = Kind("the name of a file", lambda value: _is_text(value) and value != "")
NUMBER_PER_AXIS: Final = Kind(
    "a number for each axis",
    lambda value: _is_by_axis(value) and all(map(_is_number, value.values())),
)
RANGE: Final = Kind(
    "a start and a stop",
    lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_count, value)),
)
AXIS_RANGES: Final = Kind(
    "a start and a stop for each axis",
    lambda value: (
        _is_by_axis(value)
        and all(isinstance(ends, list) and len(ends) == 2 for ends in value.values())
    ),
)
NUMBERS_OR_NONE: Final = Kind(
    "a list of numbers",
    lambda value: value is None or (isinstance(value, list) and all(map(_is_number, value))),
)
COUNT_OR_NONE: Final = Kind("a whole number from 0", lambda value: value is None or is_count(value))
TEXTS: Final = Kind(
    "a list of names",
    lambda value: isinstance(value, list | tuple) and all(map(_is_text, value)),
)
TEXT_TABLE: Final = Kind(
    "a table of texts",
    lambda value: (
        hasattr(value, "items") and all(_is_text(part) for pair in value.items() for part in pair)
    ),
)
