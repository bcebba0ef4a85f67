"""Display colours of channels, in the notations of the file formats."""

from __future__ import annotations

import re

__all__ = ["COLOURS", "hex_colour", "of_signed", "packed"]

COLOURS = "channel_colours"
"""Key in `Image.meta` of the display colours: one `#rrggbb` per channel, in order."""


def hex_colour(text: str) -> str:
    """Return `#rrggbb` from six hexadecimal digits; an empty text for anything else."""
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})", text.strip())
    return f"#{found.group(1).lower()}" if found else ""


def of_signed(text: str) -> str:
    """Return `#rrggbb` from a signed 32-bit RGBA integer (OME-XML `Color`); empty if invalid."""
    try:
        number = int(text)
    except ValueError:
        return ""
    return f"#{(number >> 8) & 0xFFFFFF:06x}" if -(2**31) <= number < 2**32 else ""


def packed(colour: str) -> int:
    """Return `#rrggbb` as a signed 32-bit RGBA integer with full opacity (OME-XML `Color`)."""
    number = (int(colour[1:], 16) << 8) | 0xFF
    return number - 2**32 if number >= 2**31 else number
