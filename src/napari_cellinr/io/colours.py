"""Colours of channels, as files spell them."""

from __future__ import annotations

import re

__all__ = ["COLOURS", "hex_colour", "of_signed", "packed"]

COLOURS = "channel_colours"
"""Where `Image.meta` keeps them: one `#rrggbb` for each channel, in order."""


def hex_colour(text: str) -> str:
    """Return `#rrggbb` from six hexadecimal digits, empty if they are none."""
    found = re.fullmatch(r"#?([0-9a-fA-F]{6})", text.strip())
    return f"#{found.group(1).lower()}" if found else ""


def of_signed(text: str) -> str:
    """Return `#rrggbb` from red, green, blue and opacity in one signed integer, as OME does."""
    try:
        number = int(text)
    except ValueError:
        return ""
    return f"#{(number >> 8) & 0xFFFFFF:06x}" if -(2**31) <= number < 2**32 else ""


def packed(colour: str) -> int:
    """Return the signed integer with full opacity for `#rrggbb`."""
    number = (int(colour[1:], 16) << 8) | 0xFF
    return number - 2**32 if number >= 2**31 else number
