"""Protection against damaged or hostile files that announce more data than they hold.

Reads are limited to the size of the file before memory is allocated, and compressed streams are
decompressed piece by piece.
"""

from __future__ import annotations

import io
import os
import stat
import zlib
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MOST_DEFLATED", "BoundedFile", "Inflating", "looks_gzipped"]

MOST_DEFLATED = 1032
"""Largest compression ratio of a deflate stream (zlib, technical details)."""

_PIECE = 2**20
"""Bytes that are read or decompressed at once."""


class BoundedFile(io.BufferedReader):
    """A regular file whose `read` requests no more than the bytes that are left.

    Python allocates the requested size before it reads.

    Parameters
    ----------
    path
        An existing file.

    Raises
    ------
    FileError
        If `path` is a pipe or a device, from which reading might never end.
    """

    def __init__(self, path: Path) -> None:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileError(f"{path} is a pipe or a device; give a regular file.")
        super().__init__(io.FileIO(os.fspath(path), "rb"))
        self.length = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; all that are left if it is negative."""
        left = max(0, self.length - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class Inflating:
    """Sequential reader of a gzip file that verifies the checksum at the end of each member.

    The module `gzip` reads the file name in a header byte by byte: a hostile one takes seconds.

    Parameters
    ----------
    file
        File positioned at the start of the first member.
    """

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._waiting = b""

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes; fewer only at the end of the last member.

        Raises
        ------
        ValueError
            If the stream is damaged or its checksum is wrong.
        EOFError
            If the stream ends too early.
        """
        parts = []
        while size > 0:
            part = self._some(min(size, _PIECE))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """Return between 1 and `most` bytes; no bytes at the end."""
        while True:
            if self._inflate.eof and not self._next_member():
                return b""
            waiting = self._waiting or self._file.read(_PIECE)
            if not waiting:
                raise EOFError("the compressed stream ends too early")
            try:
                part = self._inflate.decompress(waiting, most)
            except zlib.error as error:
                raise ValueError(f"the compressed stream is damaged: {error}") from error
            self._waiting = self._inflate.unconsumed_tail
            if part:
                return part

    def _next_member(self) -> bool:
        """Start the next gzip member and return whether there is one; zero bytes are padding."""
        rest = (self._inflate.unused_data or self._file.read(_PIECE)).lstrip(b"\0")
        while not rest:
            rest = self._file.read(_PIECE)
            if not rest:
                return False
            rest = rest.lstrip(b"\0")
        self._inflate = zlib.decompressobj(31)
        self._waiting = rest
        return True


def looks_gzipped(file: BoundedFile) -> bool:
    """Return whether the file starts with the gzip magic number; rewinds the file."""
    file.seek(0)
    begins = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return begins
