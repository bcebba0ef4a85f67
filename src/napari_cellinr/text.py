"""Text for messages: names and values from outside as one line, and lists of numbers."""

from __future__ import annotations

import json
import re
import reprlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "clean_name",
    "n_of",
    "number_list",
    "one_line",
    "parsed_json",
    "shortened",
    "shortened_text",
    "what_went_wrong",
]

_CONTROL: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1, among them line breaks, U+0085 and the escape of ANSI
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of the writing direction
    "]+"
)

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
"""What stands for bytes of a file name that are no text; no file and no terminal takes them."""


_SHORT: Final = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 4, 8, 8, 8
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 100


def one_line(text: str) -> str:
    """Return text without characters that control a terminal, a line or the writing direction.

    Each run of them becomes a space. Text that has none is returned as it is.
    """
    cleaned = _CONTROL.sub(" ", _SURROGATES.sub("\ufffd", text))
    return text if cleaned == text else cleaned.strip()


def shortened(value: object, most: int = 60) -> str:
    """Return how Python writes a value, as one line of so many characters at most.

    What is long or nested is abbreviated before it is written out.

    Parameters
    ----------
    value
        Anything that can be written.
    most
        Largest number of characters.
    """
    text = one_line(_SHORT.repr(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def what_went_wrong(error: BaseException) -> str:
    """Return an error of Python or of a library as part of a sentence: one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"there is no {lines[0]}" if isinstance(error, KeyError) and lines else ""
    return shortened_text(text or " ".join(lines[:2]) or type(error).__name__)


def shortened_text(text: str, most: int = 200) -> str:
    """Return text as one line of so many characters at most; what is too much is cut out inside.

    The beginning of a message says what is wrong, and its end what to do.

    Parameters
    ----------
    text
        Text of any length, such as a message.
    most
        Largest number of characters.
    """
    end = most // 4
    return one_line(text if len(text) <= most else f"{text[: most - end - 3]} … {text[-end:]}")


def parsed_json(text: str | bytes) -> Any:
    """Return the values that a JSON text holds.

    Raises
    ------
    ValueError
        If it is not JSON, or is nested so deeply that it was made to do harm.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def clean_name(name: object) -> str:
    """Return the name of an image, a channel or a layer as one line; `unnamed` if none is left."""
    text = str(name)
    return one_line(text) or ("unnamed" if text else "")


def n_of(number: int, one: str, several: str = "") -> str:
    """Return a number of things in words, such as `1 plane` or `2 planes`.

    Parameters
    ----------
    number
        How many there are.
    one
        What follows 1.
    several
        What follows other numbers; `one` with an `s` if not given.
    """
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def number_list(numbers: Iterable[int], most: int = 12) -> str:
    """Return whole numbers as text, runs of three or more by their ends: `1, 4, 6 to 9`.

    Parameters
    ----------
    numbers
        The numbers, each once, ascending.
    most
        Largest number of parts; others are left out, which is shown by an ellipsis.
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [
        part
        for run in runs
        for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    return ", ".join(parts[:most]) + (" …" if len(parts) > most else "")
