"""The lines of scripts. Only this module makes them, so that text from outside stays text.

Names, notes and values in a macro may come from an image file or from a recipe by somebody else.
In a line of Python they are written as literals, in a line for a shell as quoted words, elsewhere
as comments of one line. No function here takes code as a string.
"""

from __future__ import annotations

import keyword
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from napari_cellinr.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "BLANK",
    "OPENING",
    "Code",
    "Line",
    "Words",
    "allow",
    "assignment",
    "attribute",
    "call",
    "command",
    "comment",
    "disabled",
    "failure",
    "flag",
    "imports",
    "item",
    "name",
    "option",
    "place",
    "statement",
    "value",
]

_functions: Final = {"image", "take", "use", "with_axes", "with_voxel_size"}
"""The functions and methods that a script may call; actions add theirs."""

_commands: Final = {"convert"}
"""The commands of `napari-cellinr` that a script may run; actions add theirs."""

_OPTION: Final = re.compile(r"--[a-z]+(-[a-z]+)*")

_LONGEST_COMMENT: Final = 160
"""Characters of a comment on a step that has failed."""


@dataclass(frozen=True)
class Code:
    """An expression of Python."""

    text: str


@dataclass(frozen=True)
class Words:
    """Words of a command, not yet quoted."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """A line of a script.

    Parameters
    ----------
    text
        The line without its end; a quoted word for a shell may hold line breaks.
    kind
        What it is.
    """

    text: str
    kind: Literal["code", "comment", "blank"] = "code"


def allow(functions: Iterable[str] = (), commands: Iterable[str] = ()) -> None:
    """Allow functions and commands in scripts; only the registry of actions calls this.

    Parameters
    ----------
    functions
        Names of functions and methods, identifiers.
    commands
        Names of commands, such as `show-motion`.
    """
    _functions.update(name(function).text for function in functions)
    _commands.update(name(command.replace("-", "_")).text.replace("_", "-") for command in commands)


BLANK: Final = Line("", "blank")

OPENING: Final = (
    Line("import napari"),
    Line("from napari_cellinr.ui.console import console_of"),
    BLANK,
    Line("viewer = napari.current_viewer()"),
    Line("cellinr = console_of(viewer)"),
)
"""How a script for napari gets `cellinr`."""


def name(word: str) -> Code:
    """Return the name of a variable.

    Raises
    ------
    ValueError
        If it is no identifier of ASCII letters, digits and underscores.
    """
    if not (word.isascii() and word.isidentifier()) or keyword.iskeyword(word):
        raise ValueError(f"{word!r} is no name of a variable.")
    return Code(word)


def value(plain: Any) -> Code:
    """Return the literal of a value: text, a number, None, or lists and dictionaries of these.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    _check_plain(plain)
    return Code(repr(plain))


def call(
    function: str,
    *arguments: Code,
    of: Code | None = None,
    keywords: Mapping[str, Any] | None = None,
) -> Code:
    """Return a call.

    Parameters
    ----------
    function
        One of the functions that a script may call.
    *arguments
        Positional arguments.
    of
        Object that the function is a method of; None for a plain function.
    keywords
        Arguments by name: expressions, or plain values.
    """
    if function not in _functions:
        raise ValueError(f"{function!r} is no function of scripts.")
    named = [
        f"{name(word).text}={(given if isinstance(given, Code) else value(given)).text}"
        for word, given in (keywords or {}).items()
    ]
    inside = ", ".join([*(argument.text for argument in arguments), *named])
    return Code(f"{'' if of is None else f'{of.text}.'}{function}({inside})")


def item(of: Code, index: int) -> Code:
    """Return an element of a sequence.

    Parameters
    ----------
    of
        The sequence.
    index
        Position of the element, from 0.
    """
    return Code(f"{of.text}[{int(index)}]")


def attribute(of: Code, word: str) -> Code:
    """Return an attribute of an object.

    Parameters
    ----------
    of
        The object.
    word
        Name of the attribute.
    """
    return Code(f"{of.text}.{name(word).text}")


def statement(code: Code) -> Line:
    """Return an expression as a line."""
    return Line(code.text)


def assignment(variable: Code, code: Code, note: str = "") -> Line:
    """Return the line that assigns a value to a variable.

    Parameters
    ----------
    variable
        The variable.
    code
        Its value.
    note
        Comment at the end of the line; no comment if empty.
    """
    hint = f"  {comment(note).text}" if note else ""
    return Line(f"{variable.text} = {code.text}{hint}")


def imports(module: str, names: Iterable[str]) -> Line:
    """Return the line that imports names from a module.

    Parameters
    ----------
    module
        Name of the module, with dots.
    names
        What is imported.
    """
    parts = [name(part).text for part in module.split(".")]
    return Line(f"from {'.'.join(parts)} import {', '.join(name(word).text for word in names)}")


def comment(text: str) -> Line:
    """Return a comment of one line, without control characters."""
    return Line(f"# {one_line(text)}", "comment")


def failure(code: Code, note: str) -> Line:
    """Return a comment on a step that failed, which a replay skips.

    Parameters
    ----------
    code
        The step as a call.
    note
        Why it failed.
    """
    text = f"failed: {code.text}: {' '.join(one_line(note).split())}"
    room = _LONGEST_COMMENT - 2
    return comment(text if len(text) <= room else f"{text[: room - 1]}…")


def disabled(code: Code) -> Line:
    """Return a comment on a step that the user has disabled, which a replay skips."""
    text, room = f"disabled: {code.text}", _LONGEST_COMMENT - 2
    return comment(text if len(text) <= room else f"{text[: room - 1]}…")


def place(path: str) -> Words:
    """Return a path as a word that is not taken for an option, whatever it starts with."""
    return Words((_no_option(path),))


def option(flag: str, text: str, *, is_path: bool = False) -> Words:
    """Return an option with its value, as a single word if the value looks like an option.

    Parameters
    ----------
    flag
        Its name, such as `--axes`.
    text
        Its value.
    is_path
        Whether the value is a path.

    Raises
    ------
    ValueError
        If the name is not that of an option, or the value is `--`, which ends all options.
    """
    if text == "--" and not is_path:
        raise ValueError("'--' is no value of an option.")
    if not _OPTION.fullmatch(flag):
        raise ValueError(f"{flag!r} is no name of an option.")
    given = _no_option(text) if is_path else text
    return Words((f"{flag}={given}",) if given.startswith("-") else (flag, given))


def flag(name: str) -> Words:
    """Return an option without a value.

    Parameters
    ----------
    name
        Its name, such as `--parts`.

    Raises
    ------
    ValueError
        If that is not the name of an option.
    """
    if not _OPTION.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an option.")
    return Words((name,))


def command(action: str, *words: Words) -> Line:
    """Return the line that runs a command of `napari-cellinr`.

    Parameters
    ----------
    action
        Name of the command.
    *words
        Its arguments and options.
    """
    if action not in _commands:
        raise ValueError(f"{action!r} is no command of scripts.")
    texts = [text for word in words for text in word.texts]
    return Line(shlex.join(["napari-cellinr", action, *texts]))


def _no_option(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _check_plain(plain: Any) -> None:
    if type(plain) in {list, tuple}:
        for element in plain:
            _check_plain(element)
    elif type(plain) is dict:
        for key, element in plain.items():
            _check_plain(key)
            _check_plain(element)
    elif type(plain) not in {str, int, float, bool, type(None)}:
        raise TypeError(f"{type(plain).__name__} is no value that a script can hold.")
