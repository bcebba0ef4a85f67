"""A Zarr store that refuses chunks larger than the metadata announce."""

from __future__ import annotations

import asyncio
import math
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from zarr.storage import LocalStore

from napari_cellinr.io.safety.owned import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["METADATA", "CheckedStore", "FlushedStore", "Store", "check_chunks", "check_size"]

_LARGEST_CHUNK = 2**30

_MOST_CHUNKS = 10**8
"""Of an array; at 1 MiB each, 100 TB."""

_SMALL_CHUNK = 2**10
"""Bytes below which looking for a chunk takes far longer than reading it."""

_MOST_SMALL_CHUNKS = 10**4

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
"""Ends of the keys of metadata."""

_SLACK = 2**16


def check_chunks(array: Any) -> int:
    """Return the uncompressed bytes of one stored chunk, or shard, of an array.

    Raises
    ------
    ValueError
        If chunks have more than 1 GiB, or there are too many of them.
    """
    size = math.prod(array.chunks) * np.dtype(array.dtype).itemsize
    if size > _LARGEST_CHUNK:
        raise ValueError(f"it announces chunks of {size} bytes")
    count = math.prod(-(-n // chunk) for n, chunk in zip(array.shape, array.chunks, strict=True))
    if count > (_MOST_CHUNKS if size >= _SMALL_CHUNK else _MOST_SMALL_CHUNKS):
        raise ValueError(f"it announces {count} chunks of {size} bytes")
    shards = getattr(array, "shards", None)
    return int(math.prod(shards) * np.dtype(array.dtype).itemsize) if shards else size


class Store(Protocol):
    """A store that knows how large a chunk may be."""

    most_bytes: int


def check_size(key: str, found: Any, most_bytes: int) -> None:
    """Raise `ValueError` if a chunk is larger, or decompresses to more, than was announced.

    Parameters
    ----------
    key
        Of the chunk, or of metadata, which are not looked at.
    found
        What a store returned; None for a chunk that is missing.
    most_bytes
        Largest announced size in bytes; 0 checks nothing.
    """
    if found is None or key.endswith(METADATA) or not most_bytes:
        return
    if len(found) > 2 * most_bytes + _SLACK:
        raise ValueError(f"chunk {key} has {len(found)} bytes")
    stated = _inflated_bytes(found.to_bytes(), most_bytes)
    if stated > most_bytes + _SLACK:
        raise ValueError(f"chunk {key} decompresses to {stated} bytes")


class CheckedStore(LocalStore):
    """A read-only Zarr folder: its files are inside, and its chunks of the announced size.

    Parameters
    ----------
    root
        The folder.

    Attributes
    ----------
    most_bytes
        Largest announced size of a chunk or shard in bytes; 0 checks nothing.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)
        self.most_bytes = 0
        self._inside = root.resolve()

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return the bytes stored under a key, unless they are larger than announced.

        Parameters
        ----------
        key, prototype, byte_range
            As for `zarr.storage.LocalStore.get`.

        Raises
        ------
        ValueError
            If a chunk is larger, or decompresses to more, than the metadata announce, or a link
            leaves the folder, or leads to a pipe or a device.
        """
        self._check_place(key)
        found = await super().get(key, prototype, byte_range)
        check_size(key, found, self.most_bytes)
        return found

    def _check_place(self, key: str) -> None:
        """Raise `ValueError` if a key leads out of the folder, or to no regular file."""
        place = (self.root / key).resolve()
        if not place.is_relative_to(self._inside):
            raise ValueError(f"{key[:200]} leads out of the folder, which may hold no such links")
        if place.exists() and not (place.is_file() or place.is_dir()):
            raise ValueError(f"{key[:200]} is a pipe or a device")


class FlushedStore(LocalStore):
    """A Zarr folder whose files are on the disk when they count as written.

    Parameters
    ----------
    root
        The folder, which exists.
    """

    async def set(self, key: str, value: Any) -> None:
        """Write a file, and wait until it and its name are on the disk.

        Parameters
        ----------
        key, value
            As for `zarr.storage.LocalStore.set`.
        """
        await super().set(key, value)
        await asyncio.to_thread(self._flush, self.root / key)

    def _flush(self, path: Path) -> None:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        while path != self.root:  # folders may be new, too
            path = path.parent
            sync_folder(path)


def _inflated_bytes(data: bytes, most: int) -> int:
    """Return the decompressed size of a chunk in bytes; 0 if it is unknown."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and data[1:2] in b"\x01\x5e\x9c\xda"):
        return _deflated_bytes(data, most)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd_bytes(data)
    if len(data) >= 16 and data[0] == 2:
        stated, _, packed = struct.unpack("<III", data[4:16])
        return int(stated) if packed == len(data) else 0  # Blosc, if its own length agrees
    return 0


def _deflated_bytes(data: bytes, most: int) -> int:
    """Return the decompressed size of a deflate stream, counted up to just above `most`."""
    if len(data) * 1032 <= 2**27:
        return 0  # at most 128 MB: harmless in any case
    inflate = zlib.decompressobj(47)
    count, rest = 0, data
    try:
        while rest and not inflate.eof and count <= most + _SLACK:
            count += len(inflate.decompress(rest, 2**20))
            rest = inflate.unconsumed_tail
    except zlib.error:
        return 0  # the codec will report it
    return count


def _zstd_bytes(data: bytes) -> int:
    """Return the decompressed size in the header of a zstd frame (RFC 8878); 0 if not stated."""
    descriptor = data[4] if len(data) > 4 else 0
    single = bool(descriptor & 0x20)
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    stated = int.from_bytes(data[start : start + size], "little")
    return stated + 256 if size == 2 else stated
