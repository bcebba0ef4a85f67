"""Writes small CZI files for tests: planes at any place, without pyramids."""

import struct

import numpy as np

_PIXELS = {"uint8": 0, "uint16": 1, "float32": 2}


def write_czi(path, data, axes, xml="", corners=None, compress=(0, bytes), skip=()):
    """Write an array with axes such as `TCZYX`; the last two are Y and X.

    `corners` are the first Y and X of the planes along the first axis, `compress` is the number
    of a compression and its function, `skip` are the places of planes that are left out.
    """
    leading, entries = axes[:-2], []
    number, pack = compress
    with path.open("wb") as file:
        file.write(bytes(32 + 512))
        for place in np.ndindex(data.shape[:-2]):
            if place in skip:
                continue
            position = file.tell()
            corner = (0, 0) if corners is None else corners[place[0]]
            entry = _entry(data, leading, place, position, corner, number)
            start = max(256, 16 + len(entry))
            plane = pack(np.ascontiguousarray(data[place]).tobytes())
            content = struct.pack("<iiq", 0, 0, len(plane)) + entry
            _segment(file, b"ZISRAWSUBBLOCK", content.ljust(start, b"\0") + plane)
            entries.append(entry)
        directory = file.tell()
        content = struct.pack("<i", len(entries)) + bytes(124) + b"".join(entries)
        _segment(file, b"ZISRAWDIRECTORY", content)
        metadata = file.tell()
        text = xml.encode()
        content = struct.pack("<ii", len(text), 0).ljust(256, b"\0") + text
        _segment(file, b"ZISRAWMETADATA", content)
        file.seek(0)
        header = struct.pack("<iiii16s16siqqiq", 1, 0, 0, 0, b"", b"", 0, directory, metadata, 0, 0)
        _segment(file, b"ZISRAWFILE", header.ljust(512, b"\0"))
    return path


def _segment(file, name, content):
    file.write(struct.pack("<16sqq", name, len(content), len(content)) + content)


def _entry(data, leading, place, position, corner, number):
    kind = _PIXELS[data.dtype.name]
    dimensions = [*zip(leading, place, (1,) * len(place), strict=True)]
    dimensions += [("Y", corner[0], data.shape[-2]), ("X", corner[1], data.shape[-1])]
    parts = [
        struct.pack("<4siifi", name.encode(), start, size, 0.0, size)
        for name, start, size in reversed(dimensions)
    ]
    head = struct.pack("<2siqiiB5si", b"DV", kind, position, 0, number, 0, b"", len(parts))
    return head + b"".join(parts)
