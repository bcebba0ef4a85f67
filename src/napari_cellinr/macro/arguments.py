"""What the steps of a macro may be told: names and kinds of their arguments, checked when read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import ConfigError
from napari_cellinr.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_arguments", "check_text", "is_count", "is_text"]

_CONFIGS: Final = {method.action: method.config for method in METHODS.values()}


def check_arguments(action: str, arguments: Mapping[str, Any], beginning: str = "") -> None:
    """Check that an action takes arguments of these names and kinds.

    Parameters
    ----------
    action
        One of `ACTIONS`.
    arguments
        Plain values by name.
    beginning
        How a fit begins with another one, as in `Step`.

    Raises
    ------
    ConfigError
        If a name is not known, a value is of another kind, or one that is needed is missing.
    """
    for name, given in arguments.items():
        if not _is_known(action, name):
            raise ConfigError(f"{action} was given {name!r}; {_known(action)}.")
        kind, is_right = _KINDS.get(action, {}).get(name, _ANY)
        if action == "calibrate":
            kind, is_right = _NUMBER
        elif action in _CONFIGS and name == "axes":
            kind, is_right = "one letter for each axis", _is_axes
        if not is_right(given):
            raise ConfigError(f"{action} was given {name}={given!r}; {kind} is needed.")
    check_text(arguments, f"the arguments of {action}")
    if action == "save" and "path" not in arguments:
        raise ConfigError("save was given no path; the name of the file is needed.")
    if beginning == "continue_from" and not is_count(arguments.get("steps")):
        raise ConfigError(f"{action} was given continue_from without steps; a number is needed.")


def check_text(value: Any, what: str) -> None:
    """Raise `ConfigError` if text anywhere in a value can be in no file and no command."""
    if isinstance(value, str):
        try:
            fault = "\0" in value
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            fault = True
        if fault:
            raise ConfigError(
                f"{value!r} was given in {what}; text without NUL and half characters is needed."
            )
    elif isinstance(value, list | tuple):
        for one in value:
            check_text(one, what)
    elif hasattr(value, "items"):
        for key, one in value.items():
            check_text(key, what)
            check_text(one, what)


def is_text(value: Any) -> bool:
    """Return whether a value is text."""
    return isinstance(value, str)


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number from 0 on; `True` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_axis(name: str) -> bool:
    return len(name) == 1 and name.isascii() and name.isalpha()


def _is_axes(value: Any) -> bool:
    return is_text(value) and value.isascii() and (value.isalpha() or value == "")


def _is_table(value: Any) -> bool:
    named = isinstance(value, dict) and all(map(_is_axis, value))
    return named and all(map(_is_number, value.values()))


def _is_numbers(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_number, value)))


def _is_crop(value: Any) -> bool:
    named = isinstance(value, dict) and all(map(_is_axis, value))
    return named and all(isinstance(ends, list) and len(ends) == 2 for ends in value.values())


_ANY: Final = ("anything", lambda value: True)
_NUMBER: Final = ("a number", _is_number)
_TEXT: Final = ("text", is_text)
_TABLE: Final = ("a number for each axis", _is_table)

_KINDS: Final[Mapping[str, Mapping[str, tuple[str, Callable[[Any], bool]]]]] = {
    "open": {},
    "calibrate": {},
    "render": {
        "scale": _TABLE,
        "voxel": _TABLE,
        "times": ("a list of numbers", _is_numbers),
        "crop": ("a start and a stop for each axis", _is_crop),
        "channel": ("a whole number", lambda value: value is None or is_count(value)),
    },
    "show_motion": {"every": _ANY, "shortest": _ANY, "points": _ANY, "name": _TEXT},
    "save": {"path": ("the name of a file", lambda value: is_text(value) and value != "")},
    "compare": {},
}
"""The arguments of the actions that do not fit, each with what it must be."""


def _is_known(action: str, name: str) -> bool:
    if action == "calibrate":
        return _is_axis(name)
    if action in _CONFIGS:
        return name == "axes" or name in _CONFIGS[action].model_fields
    return name in _KINDS[action]


def _known(action: str) -> str:
    """Return which names an action knows, as the end of a sentence."""
    if action == "calibrate":
        return "the letters of axes are known"
    names = ["axes", *_CONFIGS[action].model_fields] if action in _CONFIGS else [*_KINDS[action]]
    return f"known are {', '.join(names)}" if names else "it takes nothing"
