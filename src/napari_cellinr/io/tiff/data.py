"""Lazy arrays of TIFF series: planes and tiles are decoded when they are needed."""

from __future__ import annotations

import itertools
import logging
import math
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.io.lazy import RawArray, chunks_of, lazy_array
from napari_cellinr.io.safety.bounded import BoundedFile
from napari_cellinr.io.tiff.check import check_directories, check_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LACKING", "OpenTiff", "damage_refused", "explain", "lazy_series", "open_file"]

LACKING = "its OME description lacks"
"""How an error about an attribute that OME-XML must have begins; its name follows."""

_SIGNS_OF_DAMAGE = (
    "circular reference",
    "corrupted",
    "could not read all values",
    "failed to reshape",
    "invalid offset",
    "invalid page offset",
    "invalid value offset",
    "segments, got",
)
"""Log messages of tifffile about damage that it otherwise ignores, reading the rest."""

_NO_DAMAGE = (
    "ImageJ series metadata invalid or corrupted file",
    "invalid shaped series metadata or corrupted file",
)
"""Log messages of tifffile about a number of planes that `planes.series_of` checks, and about one
of several images that has no description by tifffile; then their pages are read."""

_LARGEST_PLANE = 64 * 2**20
"""Bytes up to which a plane is decoded as a whole even if only a part of it is needed."""


def explain(path: Path, error: Exception) -> str:
    """Return a sentence that says what is wrong with a file and what to do.

    Parameters
    ----------
    path
        The TIFF file.
    error
        What was raised when it was read.
    """
    if str(error).startswith("not a TIFF file"):
        return f"{path} is not a TIFF file although its name says so; give a TIFF file."
    if "COMPRESSION" in str(error) and "not supported" in str(error):
        return (
            f"{path} is compressed in a way that tifffile {tifffile.__version__} does not read "
            f"({error}). Convert it to a TIFF without compression, or update tifffile and "
            f"imagecodecs."
        )
    if str(error).startswith(LACKING):
        return (
            f"{path} cannot be read: {error}, which OME-TIFF requires. Open and save it with the "
            "program that made it, or correct the description."
        )
    return (
        f"{path} is damaged or not complete ({error}); copy it again from its source, or open "
        f"and save it with the program that made it."
    )


@contextmanager
def damage_refused(path: Path) -> Iterator[None]:
    """Raise a `FileError` at the end if tifffile logged damage inside the block."""
    messages: list[str] = []
    thread = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                messages.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("tifffile")
    logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)
    for message in messages:
        if any(text in message for text in _NO_DAMAGE):
            continue
        if any(sign in message for sign in _SIGNS_OF_DAMAGE):
            raise FileError(explain(path, ValueError(message)))


class OpenTiff:
    """An open, checked TIFF file; closed when nothing refers to it any more.

    Parameters
    ----------
    path
        An existing file; its directories are checked first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        stream = BoundedFile(path)
        self._closing = weakref.finalize(self, stream.close)
        try:
            self.n_directories = check_directories(stream)
            stream.seek(0)
            self.file = tifffile.TiffFile(stream)
        except BaseException:
            self.close()
            raise
        self.file_bytes = stream.length

    def close(self) -> None:
        """Close the file."""
        self._closing()


def lazy_series(opened: OpenTiff, series: tifffile.TiffPageSeries) -> Any:
    """Return a dask array of a series, in native byte order.

    Parameters
    ----------
    opened
        The file. It stays open as long as the array is in use, unless the series is one
        uncompressed block.
    series
        One of its series, or one level of a pyramid.
    """
    shape, dtype = tuple(series.shape), np.dtype(series.dtype)
    if series.dataoffset is not None:
        stored = dtype.newbyteorder(opened.file.byteorder)
        source: Any = RawArray(opened.path, series.dataoffset, shape, stored)
        return lazy_array(source, chunks_of(shape, dtype.itemsize, _row(shape)))
    source = _Pages(opened, series)
    return lazy_array(source, chunks_of(shape, dtype.itemsize, source.grain))


@contextmanager
def open_file(page: Any) -> Iterator[None]:
    """Open the file of a page in this context if it is another file of a series, and closed.

    Parameters
    ----------
    page
        A page of an image in several files.
    """
    file = page.parent.filehandle
    if not file.closed:
        yield
        return
    file.open()
    try:
        yield
    finally:
        file.close()


def _row(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (len(shape) - 1) + shape[-1:]


class _Pages:
    """The pages of a series as one array; each is decoded when it is needed."""

    def __init__(self, opened: OpenTiff, series: tifffile.TiffPageSeries) -> None:
        self.path = opened.path
        self.shape = tuple(series.shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(series.dtype).newbyteorder("=")
        self._opened = opened
        self._pages = series.pages  # tifffile makes each page when it is accessed
        self._keyframe = series.keyframe
        self._n_leading = self._leading(series)
        self._in_parts = self._may_be_in_parts()

    @property
    def grain(self) -> tuple[int, ...]:
        """Shape of the smallest part that can be decoded on its own."""
        plane = self.shape[self._n_leading :]
        if self._in_parts:
            plane = tuple(min(c, n) for c, n in zip(self._keyframe.chunks, plane, strict=True))
        return (1,) * self._n_leading + plane

    def _leading(self, series: tifffile.TiffPageSeries) -> int:
        """Return the number of leading axes, those along which pages are stacked."""
        for n in range(self.ndim + 1):
            fits = math.prod(self.shape[n:]) == math.prod(self._keyframe.shape)
            if fits and math.prod(self.shape[:n]) == len(series.pages):
                return n
        raise FileError(explain(self.path, ValueError("its planes do not fill its array")))

    def _may_be_in_parts(self) -> bool:
        """Return whether pages are large 2-D images made of several strips or tiles."""
        page = self._keyframe
        plain = page.shape == self.shape[self._n_leading :] and page.axes == "YX"
        return plain and page.nbytes > _LARGEST_PLANE and math.prod(page.chunked) > 1

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part, read and decoded now."""
        keys = key if isinstance(key, tuple) else (key,)
        keys = keys + (slice(None),) * (self.ndim - len(keys))
        n = self._n_leading
        ranges = [range(*k.indices(size)) for k, size in zip(keys, self.shape, strict=True)]
        inside = tuple(slice(r.start, r.stop, r.step) for r in ranges[n:])
        result = np.empty([len(r) for r in ranges], self.dtype)
        try:
            with damage_refused(self.path):
                for place in itertools.product(*(range(len(r)) for r in ranges[:n])):
                    index = [r[p] for r, p in zip(ranges[:n], place, strict=True)]
                    number = int(np.ravel_multi_index(index, self.shape[:n])) if n else 0
                    result[place] = self._part(self._pages[number], inside)
        except FileError:
            raise
        except MemoryError:
            raise
        except Exception as error:  # codecs raise errors of many kinds
            raise FileError(explain(self.path, error)) from error
        return result

    def _part(self, page: Any, inside: tuple[slice, ...]) -> Any:
        if page is None:
            return 0  # a missing plane; the reader has logged a warning
        with open_file(page):
            check_page(page)
            if self._in_parts:
                return self._from_parts(page, inside)
            plane: NDArray[Any] = page.asarray(maxworkers=1).reshape(self.shape[self._n_leading :])
            return plane[inside]

    def _from_parts(self, page: Any, inside: tuple[slice, ...]) -> NDArray[Any]:
        """Return rows and columns of one page, assembled from the strips or tiles they overlap."""
        (height, width), columns = self._keyframe.chunks, self._keyframe.chunked[-1]
        rows, cols = inside
        target = np.zeros((rows.stop - rows.start, cols.stop - cols.start), self.dtype)
        tables = self._keyframe.jpegtables
        for i in range(rows.start // height, -(-rows.stop // height)):
            for j in range(cols.start // width, -(-cols.stop // width)):
                part = self._decoded(page, i * columns + j, tables)
                if part is None:
                    continue
                top, left = i * height - rows.start, j * width - cols.start
                a, b = max(0, top), max(0, left)
                piece = part[a - top :, b - left :][: len(target) - a, : target.shape[1] - b]
                target[a : a + piece.shape[0], b : b + piece.shape[1]] = piece
        return target[:: rows.step, :: cols.step]

    def _decoded(self, page: Any, index: int, tables: Any) -> NDArray[Any] | None:
        if not page.databytecounts[index]:
            return None
        file = page.parent.filehandle
        file.seek(page.dataoffsets[index])
        data = file.read(page.databytecounts[index])
        segment, _, shape = self._keyframe.decode(data, index, jpegtables=tables)
        return None if segment is None else segment.reshape(shape)[0, :, :, 0]
