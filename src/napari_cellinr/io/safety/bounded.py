"""Protection against damaged or hostile files that announce more data than they hold.

Reads are limited to the size of the file before memory is allocated, and compressed streams are
decompressed piece by piece.
"""

from __future__ import annotations

import gzip
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


class Inflating(gzip.GzipFile):
    """Sequential reader of a gzip file that verifies the checksum at the end of each member.

    Parameters
    ----------
    file
        File positioned at the start of the first member.
    """

    def __init__(self, file: BoundedFile) -> None:
        super().__init__(fileobj=file, mode="rb")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes; fewer only at the end of the last member.

        Raises
        ------
        ValueError
            If the stream is damaged or its checksum is wrong.
        EOFError
            If the stream ends too early.
        """
        try:
            return super().read(size)
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"the compressed stream is damaged: {error}") from error


def looks_gzipped(file: BoundedFile) -> bool:
    """Return whether the file starts with the gzip magic number; rewinds the file."""
    file.seek(0)
    begins = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return begins
