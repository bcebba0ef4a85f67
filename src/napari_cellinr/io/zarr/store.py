"""A folder of Zarr of which no chunk may become larger than the metadata announce."""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from zarr.storage import LocalStore

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CheckedStore", "check_chunks"]

_LARGEST_CHUNK = 2**30
_METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
_SLACK = 2**16


def check_chunks(array: Any) -> int:
    """Return the bytes of one stored part of an array: a chunk, or a shard.

    Raises
    ------
    ValueError
        If chunks are too large to be read.
    """
    size = math.prod(array.chunks) * np.dtype(array.dtype).itemsize
    if size > _LARGEST_CHUNK:
        raise ValueError(f"it announces chunks of {size} bytes")
    shards = getattr(array, "shards", None)
    return int(math.prod(shards) * np.dtype(array.dtype).itemsize) if shards else size


class CheckedStore(LocalStore):
    """A folder that is read only.

    Parameters
    ----------
    root
        The folder.

    Attributes
    ----------
    most_bytes
        The size of the largest part that is announced.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, read_only=True)
        self.most_bytes = 0

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Return what is stored under a key, if it is not larger than it may be."""
        found = await super().get(key, prototype, byte_range)
        if found is not None and not key.endswith(_METADATA) and self.most_bytes:
            if len(found) > 2 * self.most_bytes + _SLACK:
                raise ValueError(f"chunk {key} has {len(found)} bytes")
            stated = _inflated_bytes(found.to_bytes(), self.most_bytes)
            if stated > self.most_bytes + _SLACK:
                raise ValueError(f"chunk {key} says that it inflates to {stated} bytes")
        return found


def _inflated_bytes(data: bytes, most: int) -> int:
    """Return how many bytes a compressed chunk will become, as far as that shows."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and data[1:2] in b"\x01\x5e\x9c\xda"):
        return _deflated_bytes(data, most)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return _zstd_bytes(data)
    if len(data) >= 16 and data[0] == 2:
        stated, _, packed = struct.unpack("<III", data[4:16])
        return int(stated) if packed == len(data) else 0  # Blosc, if it is one
    return 0


def _deflated_bytes(data: bytes, most: int) -> int:
    """Return the inflated size, counted without keeping anything, up to just above `most`."""
    if len(data) * 1032 <= 2**27:
        return 0  # harmless in any case
    inflate = zlib.decompressobj(47)
    count, rest = 0, data
    try:
        while rest and not inflate.eof and count <= most + _SLACK:
            count += len(inflate.decompress(rest, 2**20))
            rest = inflate.unconsumed_tail
    except zlib.error:
        return 0  # the codec will say so
    return count


def _zstd_bytes(data: bytes) -> int:
    """Return the size that the header of a zstd frame states; 0 if it states none."""
    descriptor = data[4] if len(data) > 4 else 0
    single = bool(descriptor & 0x20)
    start = 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3]
    size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    stated = int.from_bytes(data[start : start + size], "little")
    return stated + 256 if size == 2 else stated
