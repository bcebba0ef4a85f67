"""The lines of scripts. Only this module makes them, so that text from outside stays text.

Names, notes and values in a macro may come from an image file or from a stranger's recipe. In a
line of Python they are literals, in a line for a shell they are quoted words, elsewhere comments
of one line. Nothing here takes code as a string.
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
    "assignment",
    "attribute",
    "call",
    "command",
    "comment",
    "failure",
    "imports",
    "item",
    "name",
    "option",
    "place",
    "statement",
    "value",
]

_FUNCTIONS: Final = frozenset(
    {
        "calibrate", "compare", "continue_fit", "denoise", "image", "load_fit", "open", "read",
        "read_all", "reconstruct", "render", "save", "save_fit", "show_motion", "superresolve",
        "take", "use", "warm_start", "with_axes", "with_voxel_size", "write", "write_motion",
    }
)  # fmt: skip
"""The functions and methods that a script may call."""

_COMMANDS: Final = frozenset(
    {"compare", "convert", "denoise", "reconstruct", "render", "show-motion", "superresolve"}
)
"""The commands of `napari-cellinr` that a script may run."""

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


BLANK: Final = Line("", "blank")

OPENING: Final = (
    Line("import napari"),
    Line("from napari_cellinr.ui.console import console_of"),
    BLANK,
    Line("viewer = napari.current_viewer()"),
    Line("cellinr = console_of(viewer)"),
)
"""How a script for napari gets at `cellinr`."""


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
    """Return the literal of a value: text, a number, none, or lists and dictionaries of these.

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
    arguments
        Positional arguments.
    of
        What the function is a method of.
    keywords
        Arguments by name: expressions, or plain values.
    """
    if function not in _FUNCTIONS:
        raise ValueError(f"{function!r} is no function of scripts.")
    named = [
        f"{name(word).text}={(one if isinstance(one, Code) else value(one)).text}"
        for word, one in (keywords or {}).items()
    ]
    inside = ", ".join([*(one.text for one in arguments), *named])
    return Code(f"{'' if of is None else f'{of.text}.'}{function}({inside})")


def item(of: Code, place: int) -> Code:
    """Return an element of a sequence."""
    return Code(f"{of.text}[{int(place)}]")


def attribute(of: Code, word: str) -> Code:
    """Return an attribute."""
    return Code(f"{of.text}.{name(word).text}")


def statement(code: Code) -> Line:
    """Return an expression as a line."""
    return Line(code.text)


def assignment(variable: Code, code: Code, note: str = "") -> Line:
    """Return the line that gives a variable its value, with a comment behind it if there is one."""
    hint = f"  {comment(note).text}" if note else ""
    return Line(f"{variable.text} = {code.text}{hint}")


def imports(module: str, names: Iterable[str]) -> Line:
    """Return the line that imports names from a module."""
    places = [name(part).text for part in module.split(".")]
    return Line(f"from {'.'.join(places)} import {', '.join(name(one).text for one in names)}")


def comment(text: str) -> Line:
    """Return a comment of one line, without control characters."""
    return Line(f"# {one_line(text)}", "comment")


def failure(code: Code, note: str) -> Line:
    """Return a comment on a step that has failed, which a replay passes over."""
    text = f"failed: {code.text}: {' '.join(one_line(note).split())}"
    room = _LONGEST_COMMENT - 2
    return comment(text if len(text) <= room else f"{text[: room - 1]}…")


def place(path: str) -> Words:
    """Return a path as a word that is no option, whatever it begins with."""
    return Words((_no_option(path),))


def option(flag: str, text: str, *, is_path: bool = False) -> Words:
    """Return an option with its value, as one word if the value looks like another option.

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
        If that is no name of an option, or the value is `--`, which no command line can hold.
    """
    if text == "--" and not is_path:
        raise ValueError("-- is no value of an option.")
    if not _OPTION.fullmatch(flag):
        raise ValueError(f"{flag!r} is no name of an option.")
    given = _no_option(text) if is_path else text
    return Words((f"{flag}={given}",) if given.startswith("-") else (flag, given))


def command(action: str, *words: Words) -> Line:
    """Return the line that runs a command of `napari-cellinr`."""
    if action not in _COMMANDS:
        raise ValueError(f"{action!r} is no command of scripts.")
    texts = [text for one in words for text in one.texts]
    return Line(shlex.join(["napari-cellinr", action, *texts]))


def _no_option(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _check_plain(plain: Any) -> None:
    if type(plain) in {list, tuple}:
        for one in plain:
            _check_plain(one)
    elif type(plain) is dict:
        for key, one in plain.items():
            _check_plain(key)
            _check_plain(one)
    elif type(plain) not in {str, int, float, bool, type(None)}:
        raise TypeError(f"{type(plain).__name__} is no value that a script can hold.")
