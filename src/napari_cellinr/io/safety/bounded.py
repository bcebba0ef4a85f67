"""Files that cannot make a reader ask for more memory than they have bytes.

A hostile or damaged header may claim anything. What a library asks for is cut to what the file
has before it is allocated, and compressed streams are inflated piece by piece.
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
"""Bytes that one byte of a deflate stream can stand for at most (zlib, technical details)."""

_PIECE = 2**20
"""Bytes that are read or inflated at once."""


class BoundedFile(io.BufferedReader):
    """A regular file, of which `read` asks for no more than is left.

    Python allocates what is asked for before it looks at how much there is.

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
            raise FileError(f"{path} is a pipe or a device; give a file.")
        super().__init__(io.FileIO(os.fspath(path), "rb"))
        self.length = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, all that are left if it is negative."""
        left = max(0, self.length - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class Inflating:
    """The contents of a gzip file, in order, with the checksum of each member checked at its end.

    Parameters
    ----------
    file
        Opened at the beginning of the first member.
    """

    def __init__(self, file: BoundedFile) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._waiting = b""

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the last member.

        Raises
        ------
        ValueError, EOFError
            If the stream is damaged, fails its checksum, or ends in the middle.
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
        """Return between one and `most` bytes; none at the end."""
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
        """Return whether another member follows, which is then begun; zeros are padding."""
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
    """Return whether the file begins as gzip does; the position is then at its beginning."""
    file.seek(0)
    begins = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return begins
