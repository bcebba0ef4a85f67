"""Text from outside, such as names in image files, as one line that can be shown anywhere."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["clean_name", "one_line"]

_CONTROL: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL and C1, among them line breaks, U+0085 and the escape of ANSI
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of the writing direction
    "]+"
)

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
"""What stands for bytes of a file name that are no text; no file and no terminal takes them."""


def one_line(text: str) -> str:
    """Return text without characters that control a terminal, a line or the writing direction.

    Each run of them becomes a space. Text that has none is returned as it is.
    """
    cleaned = _CONTROL.sub(" ", _SURROGATES.sub("\ufffd", text))
    return text if cleaned == text else cleaned.strip()


def clean_name(name: object) -> str:
    """Return the name of an image, a channel or a layer as one line; `unnamed` if none is left."""
    text = str(name)
    return one_line(text) or ("unnamed" if text else "")
