"""Image size stated in the header of a JPEG, JPEG 2000, PNG or WebP stream.

Decoders allocate this size, whatever the TIFF directory around the stream states.
"""

from __future__ import annotations

__all__ = ["PICTURE_CODECS", "stated_pixels"]

PICTURE_CODECS = frozenset(
    {6, 7, 33003, 33004, 33005, 33007, 34712, 34892, 34933, 34934, 50001, 52546}
)
"""TIFF compression codes whose segments are complete JPEG, JPEG 2000, PNG or WebP streams."""

_NO_FRAME = {0xC4, 0xC8, 0xCC}
"""JPEG markers between 0xC0 and 0xCF that do not start a frame."""


def stated_pixels(data: bytes) -> int:
    """Return the number of pixels that a compressed image states; 0 for unknown formats."""
    width = height = 0
    if data[:2] == b"\xff\xd8":
        width, height = _jpeg(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        width, height = _numbers(data, 16, 4, "big")
    elif data[:4] == b"\xff\x4f\xff\x51":
        width, height = _numbers(data, 8, 4, "big")
    elif data[4:8] == b"jP  ":
        place = data.find(b"ihdr")
        width, height = _numbers(data, place + 4, 4, "big") if place > 0 else (0, 0)
    elif data[:4] == b"RIFF" and data[12:16] == b"VP8X":
        canvas = _numbers(data, 24, 3, "little")
        width, height = canvas[0] + 1, canvas[1] + 1
    return width * height


def _numbers(data: bytes, place: int, size: int, order: str) -> tuple[int, int]:
    """Return two consecutive unsigned integers of `size` bytes."""
    ends = (place, place + size, place + 2 * size)
    parts = (data[ends[0] : ends[1]], data[ends[1] : ends[2]])
    return tuple(int.from_bytes(part, order) for part in parts)  # type: ignore[arg-type,return-value]


def _jpeg(data: bytes) -> tuple[int, int]:
    """Return columns and rows of the largest frame header."""
    place, largest = 2, (0, 0)
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in {0x01, *range(0xD0, 0xD9)}:
            place += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            rows, columns = _numbers(data, place + 5, 2, "big")
            largest = max(largest, (columns, rows), key=lambda size: size[0] * size[1])
        if marker == 0xDA:
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return largest
