"""Lazy arrays: only the parts that are needed are read from the file."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RawArray", "chunks_of", "is_lazy_size", "lazy_above", "lazy_array", "small_chunks"]

_MEGABYTE = 2**20
_USUAL_LIMIT = 512
_CHUNK = 16 * _MEGABYTE
_SURE = 128 * _MEGABYTE
_SUSPICIOUS = 20
_is_small: ContextVar[bool] = ContextVar("_is_small", default=False)


def lazy_above() -> int:
    """Return the number of bytes above which arrays are read lazily.

    It is 512 MB, or the number of megabytes in the environment variable `NAPARI_CELLINR_LAZY_MB`.

    Raises
    ------
    FileError
        If the variable is not a number of 0 or more.
    """
    text = os.environ.get("NAPARI_CELLINR_LAZY_MB", str(_USUAL_LIMIT))
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = math.nan
    if not 0 <= megabytes < math.inf:
        raise FileError(
            f"the environment variable NAPARI_CELLINR_LAZY_MB is {text!r}; a number of megabytes "
            "of 0 or more is needed. Correct or unset it."
        )
    return int(megabytes * _MEGABYTE)


def is_lazy_size(n_bytes: int, file_bytes: int, limit: int) -> bool:
    """Return whether an array should be read lazily.

    It should if it is larger than `limit`, or if a small file announces a large array (above
    128 MB and 20 times the file): suspiciously strong compression is not expanded all at once.

    Parameters
    ----------
    n_bytes
        Size of the array in memory, in bytes.
    file_bytes
        Size of the file, in bytes.
    limit
        Bytes above which arrays are read lazily, as from `lazy_above`.
    """
    return n_bytes > limit or n_bytes > max(_SURE, _SUSPICIOUS * file_bytes)


@contextmanager
def small_chunks() -> Iterator[None]:
    """Open arrays in chunks of the file within this context: a damaged one spoils no others."""
    token = _is_small.set(True)
    try:
        yield
    finally:
        _is_small.reset(token)


def chunks_of(shape: Sequence[int], itemsize: int, grain: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the chunks in which an array is read, at most about 16 MB each.

    Parameters
    ----------
    shape
        Shape of the whole array.
    itemsize
        Bytes per element.
    grain
        Shape of the smallest part that can be read on its own, such as a plane or a tile.
        Chunks are whole multiples of it, enlarged along the last axes first.
    """
    chunk = [min(g, n) for g, n in zip(grain, shape, strict=True)]
    most = 1 if _is_small.get() else _CHUNK
    for axis in reversed(range(len(shape))):
        room = most // max(1, math.prod(chunk) * itemsize)
        if room > 1:
            chunk[axis] = min(shape[axis], chunk[axis] * room)
        if chunk[axis] < shape[axis]:
            break
    return tuple(chunk)


def lazy_array(source: Any, chunks: tuple[int, ...]) -> Any:
    """Return a dask array that reads from a source; only one chunk is read at a time.

    Parameters
    ----------
    source
        Object with `shape`, `dtype`, `ndim` and slicing, such as `RawArray`.
    chunks
        Shape of the chunks.
    """
    import dask.array

    from_array: Any = dask.array.from_array
    return from_array(
        source, chunks=chunks, name=False, lock=True, asarray=False, fancy=False,
        meta=np.empty((0,) * len(source.shape), source.dtype),
    )  # fmt: skip


class RawArray:
    """An uncompressed array in C order inside a file.

    Parameters
    ----------
    path
        The file.
    offset
        Bytes before the first element.
    shape
        Shape of the array.
    stored
        Data type in the file, in any byte order; slices are returned in native byte order.
    """

    def __init__(
        self, path: Path, offset: int, shape: tuple[int, ...], stored: np.dtype[Any]
    ) -> None:
        self.path = path
        self.offset = offset
        self.shape = shape
        self.stored = stored
        self.dtype = stored.newbyteorder("=")
        self.ndim = len(shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part, read now."""
        try:
            needed = self.offset + math.prod(self.shape) * self.stored.itemsize
            if self.path.stat().st_size < needed:
                raise FileError(f"{self.path} became shorter while it was open; open it again.")
            whole = np.memmap(self.path, self.stored, "r", self.offset, self.shape)
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        return np.array(whole[key], dtype=self.dtype)
