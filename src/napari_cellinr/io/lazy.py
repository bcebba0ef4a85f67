"""Arrays that stay in their file until a part of them is needed."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RawArray", "chunks_of", "is_lazy_size", "lazy_above", "lazy_array"]

_MEGABYTE = 2**20
_USUAL_LIMIT = 512
_CHUNK = 16 * _MEGABYTE
_SURE = 128 * _MEGABYTE
_SUSPICIOUS = 20


def lazy_above() -> int:
    """Return the number of bytes above which arrays stay in their file.

    It is 512 MB, or what the environment variable `NAPARI_CELLINR_LAZY_MB` says.

    Raises
    ------
    FileError
        If the variable is not a number from 0.
    """
    text = os.environ.get("NAPARI_CELLINR_LAZY_MB", str(_USUAL_LIMIT))
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = math.nan
    if not 0 <= megabytes < math.inf:
        raise FileError(
            f"NAPARI_CELLINR_LAZY_MB is {text!r}; a number of megabytes from 0 is needed."
        )
    return int(megabytes * _MEGABYTE)


def is_lazy_size(n_bytes: int, file_bytes: int, limit: int) -> bool:
    """Return whether an array is better left in its file.

    That is so if it is larger than `limit`, and also if a short file claims a long array: what
    has to be inflated a lot is not inflated all at once.
    """
    return n_bytes > limit or n_bytes > max(_SURE, _SUSPICIOUS * file_bytes)


def chunks_of(shape: Sequence[int], itemsize: int, grain: Sequence[int]) -> tuple[int, ...]:
    """Return the size of the parts in which an array is read, of about 16 MB each.

    Parameters
    ----------
    shape
        Of the whole array.
    itemsize
        Bytes per element.
    grain
        The smallest part that can be read by itself, such as a plane or a tile; parts are
        made of whole grains, which are joined along the last axes first.
    """
    chunk = [min(g, n) for g, n in zip(grain, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = _CHUNK // max(1, math.prod(chunk) * itemsize)
        if room > 1:
            chunk[axis] = min(shape[axis], chunk[axis] * room)
        if chunk[axis] < shape[axis]:
            break
    return tuple(chunk)


def lazy_array(source: Any, chunks: tuple[int, ...]) -> Any:
    """Return a dask array of a source with `shape`, `dtype` and slices; read one part at a time."""
    import dask.array

    from_array: Any = dask.array.from_array
    return from_array(
        source, chunks=chunks, name=False, lock=True, asarray=False, fancy=False,
        meta=np.empty((0,) * len(source.shape), source.dtype),
    )  # fmt: skip


class RawArray:
    """An uncompressed array in C order somewhere in a file.

    Parameters
    ----------
    path
        The file.
    offset
        Bytes before the first element.
    shape, dtype
        As stored, in any byte order; what is read has that of this machine.
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
                raise FileError(f"{self.path} has become shorter while it was open; open it again.")
            whole = np.memmap(self.path, self.stored, "r", self.offset, self.shape)
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        return np.array(whole[key], dtype=self.dtype)
