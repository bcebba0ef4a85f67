"""Checks of a TIFF file before it is read: announced sizes against the size of the file.

tifffile trusts a file. Here its directories are followed first, and every count that would lead
to an allocation or a loop is compared with the size of the file.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from napari_cellinr.io.safety.bounded import MOST_DEFLATED
from napari_cellinr.io.safety.pictures import PICTURE_CODECS, stated_pixels
from napari_cellinr.io.tiff.ome_xml import root_of, tag_of
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from xml.etree import ElementTree

    from tifffile import TiffPageSeries

    from napari_cellinr.io.safety.bounded import BoundedFile

__all__ = ["check_directories", "check_ome", "check_page", "check_series"]

_MOST_DIRECTORIES = 500_000
_MOST_TAGS = 4096
_LARGEST_TILE = 64 * 2**20
"""Bytes that a tile may have even if its image is smaller."""

_LONGEST_PICTURE_HEADER = 2**20
"""Bytes within which a compressed image states its size."""

_NO_COMPRESSION = 1
_MOST_EXPANDED = {5: 4096, 8: MOST_DEFLATED, 32946: MOST_DEFLATED, 32773: 128}
"""Largest compression ratio by TIFF compression code: LZW, deflate, PackBits."""

_MOST_OF_OTHERS = 200_000
"""The same for all other codecs: above what they reach for an array of zeros."""

_SIZES = ("SizeX", "SizeY", "SizeZ", "SizeC", "SizeT")


def check_directories(file: BoundedFile) -> int:
    """Return the number of image directories of a TIFF, following their chain.

    Raises
    ------
    ValueError
        If the chain leaves the file, is circular, or is too long.
    """
    start, large, order = _header(file)
    count_format, entry, pointer = (
        (f"{order}Q", 20, f"{order}Q") if large else (f"{order}H", 12, f"{order}I")
    )
    seen: set[int] = set()
    place = start
    while place:
        if place in seen:
            raise ValueError(f"its chain of directories is circular at byte {place}")
        if len(seen) >= _MOST_DIRECTORIES:
            raise ValueError(f"it has more than {_MOST_DIRECTORIES} directories")
        if place >= file.length:
            raise ValueError(f"invalid offset of a directory, {place}, beyond the end of the file")
        seen.add(place)
        file.seek(place)
        count = _unpacked(file, count_format)
        if not 1 <= count <= _MOST_TAGS:
            raise ValueError(f"its directory at byte {place} announces {count} entries")
        file.seek(count * entry, 1)
        place = _unpacked(file, pointer)
    return len(seen)


def _header(file: BoundedFile) -> tuple[int, bool, str]:
    """Return the offset of the first directory, whether it is a BigTIFF, and the byte order."""
    file.seek(0)
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
    version = struct.unpack(f"{order}H", start[2:4])[0] if order and len(start) >= 8 else 0
    if version not in {42, 43} or (version == 43 and len(start) < 16):
        raise ValueError("not a TIFF file")
    if version == 42:
        return struct.unpack(f"{order}I", start[4:8])[0], False, order
    return struct.unpack(f"{order}Q", start[8:16])[0], True, order


def _unpacked(file: BoundedFile, form: str) -> int:
    data = file.read(struct.calcsize(form))
    if len(data) < struct.calcsize(form):
        raise ValueError("invalid offset of a directory, beyond the end of the file")
    number: int = struct.unpack(form, data)[0]
    return number


def check_ome(text: str | None, n_directories: int) -> None:
    """Check that the sizes in an OME-XML description are plausible for the number of planes.

    Parameters
    ----------
    text
        The OME-XML; `None` or empty passes.
    n_directories
        Number of image directories in the file.

    Raises
    ------
    ValueError
        If sizes are too large, entities are defined, or files in other folders are named.
    """
    if not text:
        return
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("its OME description defines XML entities")
    for element in root_of(text).iter():  # nothing if it is damaged: tifffile ignores it, too
        tag = tag_of(element)
        if tag == "Pixels":
            _check_pixels(element, n_directories)
        elif tag == "UUID":
            _check_name(element.get("FileName", ""))
        elif tag.startswith("ModuloAlong"):
            _check_modulo(element)


def _check_pixels(pixels: ElementTree.Element, n_directories: int) -> None:
    sizes = [int(pixels.get(name, "1")) for name in _SIZES]
    parts = [part for part in pixels if part.tag.endswith("TiffData")]
    possible = max(1000, 100 * n_directories, 10 * len(parts))
    numbers = [int(part.get(key, "1")) for part in parts for key in ("NumPlanes", "PlaneCount")]
    if any(int(part.get("IFD", "0")) < 0 for part in parts):
        raise ValueError("its OME description names a page with a number below 0")
    if min(sizes) < 1 or math.prod(sizes[2:]) > possible or max(numbers, default=1) > possible:
        raise ValueError(
            f"its OME description announces sizes {sizes} along X, Y, Z, C, T, and it has "
            f"{n_of(n_directories, 'plane')}"
        )


def _check_name(name: str) -> None:
    if "/" in name or "\\" in name or name.startswith("."):
        raise ValueError(
            f"its OME description refers to {name!r}; only files in its own folder are allowed"
        )


def _check_modulo(along: ElementTree.Element) -> None:
    start, end, step = (float(along.get(k, d)) for k, d in (("Start", 0), ("End", 0), ("Step", 1)))
    if not (step and abs((end - start) / step) < 100_000):
        raise ValueError("its OME description announces too many Modulo labels")


def check_series(series: TiffPageSeries, file_bytes: int, *, thorough: bool) -> None:
    """Check that the file, or files, can hold the array that a series announces.

    Parameters
    ----------
    series
        One series of an open TIFF.
    file_bytes
        Size of the file in bytes.
    thorough
        Whether every page is checked, not only the first.

    Raises
    ------
    ValueError
        If they cannot.
    """
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > file_bytes:
            raise ValueError(
                f"corrupted: {series.nbytes} bytes of pixels are announced at byte "
                f"{series.dataoffset} of {file_bytes}"
            )
        return
    n_elements = len(series.pages) * math.prod(series.keyframe.shape)
    if n_elements < math.prod(series.shape):
        raise ValueError(f"corrupted: its planes do not fill an array of shape {series.shape}")
    pages: Any = series.pages if thorough else (series.pages[0],)
    for page in pages:
        if page is not None:
            check_page(page)


def check_page(page: Any) -> None:
    """Check that each strip or tile of a page lies in the file and has enough bytes.

    Raises
    ------
    ValueError
        If one does not.
    """
    key = page.keyframe
    file_bytes = page.parent.filehandle.size
    if key.is_contiguous:
        start = page.dataoffsets[0] if page.dataoffsets else -1
        if start <= 0 or start + key.nbytes > file_bytes:
            raise ValueError(
                f"corrupted: a plane of {key.nbytes} bytes is announced at byte {start} of "
                f"{file_bytes}"
            )
        return
    expected = math.prod(key.chunked)
    if len(page.dataoffsets) < expected or len(page.databytecounts) < expected:
        raise ValueError(
            f"corrupted: it lists {len(page.dataoffsets)} of {n_of(expected, 'part')} of a plane"
        )
    segment = math.prod(key.chunks) * key.dtype.itemsize
    if segment > max(_LARGEST_TILE, math.prod(key.shape) * key.dtype.itemsize):
        raise ValueError(f"it announces tiles of {segment} bytes, larger than the image")
    most = _MOST_EXPANDED.get(key.compression, _MOST_OF_OTHERS)
    for index in range(expected):
        offset, n_bytes = page.dataoffsets[index], page.databytecounts[index]
        if offset == 0 and n_bytes == 0 and key.is_tiled:
            continue  # a missing tile, as in sparse files
        if n_bytes <= 0 or offset + n_bytes > file_bytes:
            raise ValueError(
                f"corrupted: a part of a plane lies at bytes {offset} to {offset + n_bytes} of "
                f"{file_bytes}"
            )
        if key.compression in PICTURE_CODECS:
            _check_picture(page, offset, n_bytes, segment)
        needed = _needed(key, index)
        if key.compression == _NO_COMPRESSION and n_bytes < needed:
            raise ValueError(f"corrupted: a part of a plane has {n_bytes} of {needed} bytes")
        if key.compression != _NO_COMPRESSION and n_bytes * most + 1024 < needed:
            raise ValueError(f"corrupted: {n_bytes} bytes cannot decompress to {needed}")


def _check_picture(page: Any, offset: int, n_bytes: int, segment: int) -> None:
    file = page.parent.filehandle
    file.seek(offset)
    stated = stated_pixels(file.read(min(n_bytes, _LONGEST_PICTURE_HEADER)))
    if stated > max(_LARGEST_TILE, 4 * segment):
        raise ValueError(f"corrupted: a part of a plane announces {stated} pixels")


def _needed(page: Any, index: int) -> int:
    """Return the size of one strip or tile in bytes, uncompressed."""
    bits = page.bitspersample
    bits = max(bits) if isinstance(bits, tuple) else bits
    if page.is_tiled:
        return int(math.prod(page.chunks) * bits // 8)
    per_strip = max(1, min(page.rowsperstrip, page.imagelength))
    per_plane = -(-page.imagelength // per_strip)
    rows = min(per_strip, page.imagelength - (index % per_plane) * per_strip)
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    return int(rows * ((page.imagewidth * samples * bits + 7) // 8))
