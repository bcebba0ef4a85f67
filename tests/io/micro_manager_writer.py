"""Writing stacks of Micro-Manager, as its multi-page TIFF format describes them."""

import json
import struct

_LONG, _SHORT, _TEXT = 4, 3, 2
_FIXED = 2 + 13 * 12 + 4
"""Bytes of the directory of a plane; its pixels follow at once."""


def write_stack(path, planes, summary):
    """Write planes of 16 bits.

    Parameters
    ----------
    path
        Where to write.
    planes
        Pairs of the place (channel, slice, frame, position) and the plane.
    summary
        What the file states about the whole recording.
    """
    text = json.dumps(summary).encode()
    out, offsets = bytearray(40) + text, []
    for number, (place, plane) in enumerate(planes):
        out += bytes(len(out) % 2)
        offsets.append(len(out))
        is_last = number == len(planes) - 1
        out += _directory(len(out), plane, 1000.0 * place[2], is_last=is_last)
    out += bytes(len(out) % 2)
    index_at = len(out)
    out += struct.pack("<II", 3453623, len(planes))
    for (place, _), offset in zip(planes, offsets, strict=True):
        out += struct.pack("<5I", *place, offset)
    head = (42, offsets[0], 54773648, index_at, 483765892, 0, 99384722, 0, 2355492, len(text))
    out[:40] = b"II" + struct.pack("<H9I", *head)
    path.write_bytes(bytes(out))


def _directory(start, plane, milliseconds, *, is_last):
    about = json.dumps({"ElapsedTime-ms": milliseconds, "PixelSizeUm": 0.1}).encode() + b"\0"
    (height, width), pixels = plane.shape, start + _FIXED
    end = pixels + plane.nbytes + len(about)
    tags = [
        (256, _LONG, 1, width), (257, _LONG, 1, height), (258, _SHORT, 1, 16),
        (259, _SHORT, 1, 1), (262, _SHORT, 1, 1), (270, _TEXT, 1, 0), (273, _LONG, 1, pixels),
        (277, _SHORT, 1, 1), (278, _LONG, 1, height), (279, _LONG, 1, plane.nbytes),
        (282, _LONG, 1, 1), (296, _SHORT, 1, 1),
        (51123, _TEXT, len(about), pixels + plane.nbytes),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    after = struct.pack("<I", 0 if is_last else end + end % 2)
    return struct.pack("<H", len(tags)) + entries + after + plane.astype("<u2").tobytes() + about


def write_ndtiff(path, planes):
    """Write a file of a newer recording (NDTiff 3), and return its part of the index.

    Parameters
    ----------
    path
        Where to write.
    planes
        Pairs of the place, by name of the axis, and the plane, of 16 bits.
    """
    text = json.dumps({}).encode()
    out, index, first = bytearray(28) + text, b"", 0
    for number, (place, plane) in enumerate(planes):
        out += bytes(len(out) % 2)
        start, first = len(out), first or len(out)
        out += _directory(start, plane, 0.0, is_last=number == len(planes) - 1)
        for words in (json.dumps(place).encode(), path.name.encode()):
            index += struct.pack("<I", len(words)) + words
        height, width = plane.shape
        index += struct.pack("<IiiiiIii", start + _FIXED, width, height, 1, 0, 0, 0, 0)
    out[:28] = b"II" + struct.pack("<H6I", 42, first, 483729, 3, 0, 2355492, len(text))
    path.write_bytes(bytes(out))
    return index
