"""An image that is open, in parts: the file it can be read from, and its result while it grows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from dask.highlevelgraph import MaterializedLayer

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.io import read
from napari_cellinr.io.lazy import chunks_of, lazy_array
from napari_cellinr.io.names import ADDRESSES, place_of
from napari_cellinr.io.series.channels import PART
from napari_cellinr.io.series.sequences import SERIES
from napari_cellinr.io.zarr.regions import read_region
from napari_cellinr.io.zarr.writer import CHUNK, level_count
from napari_cellinr.runs.scale.source import Source, digest, is_same, sample, with_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["file_of", "growing", "lazy", "levels_of", "limits_of", "reads"]

_UNITS: Final = ("micrometer", "second")
"""Units in which the voxel size of a recording can be stated."""

_READING: Final = (
    *("original-array-", "array-", "load-", "from-value-"),
    *("transpose-", "getitem-", "stack-", "reshape-"),
)
"""How dask names the layers of arrays and files that are read, and of how they are arranged."""

_SAMPLE: Final = {"Z": 4, "Y": 256, "X": 256}
_WHOLE: Final = 1_000_000
"""Voxels up to which all values count for the contrast limits."""


def file_of(image: Image) -> Source | None:
    """Return the file that an open image can be read from, or None.

    None also if the image has other values, axes or voxels than its file.

    Parameters
    ----------
    image
        Axes in canonical order; only a few small blocks of it are read.
    """
    path, series = image.meta.get("source"), image.meta.get(SERIES, {})
    if not path or series.get("files"):
        return None
    part: Mapping[str, Any] = image.meta.get(PART, {})
    source = Source(
        _absolute(str(series.get("path", path))),
        series=part.get("series") or 0,
        stack=series.get("along") or None,
        channel=part.get("channel"),
    )
    for axes in (None, image.axes) if source.channel is None else (None,):
        try:
            found = _calibrated(replace(source, axes=axes), image)
        except (CellINRError, OSError):
            continue
        if reads(found, image):
            return found
    return None


def reads(source: Source, image: Image) -> bool:
    """Return whether a source has the voxels of an open image, which may have been edited since.

    A digest knows a few blocks only. All values of an array in memory are compared with those of
    the file; a lazy one must read from a file, and not compute anything.

    Parameters
    ----------
    source
        The file.
    image
        Axes in canonical order.
    """
    try:
        there = source.image()
        if not (_is_aligned(there, image) and is_same(digest(there), digest(image))):
            return False
        if not isinstance(image.data, np.ndarray):
            return _only_reads(image.data)
        return all(_are_equal(there.data[i], image.data[i]) for i in range(image.shape[0]))
    except (CellINRError, OSError):
        return False


def lazy(image: Image) -> Image:
    """Return an image of which only what is needed is read, such as one of a Zarr array.

    Parameters
    ----------
    image
        Its values are a NumPy or dask array, or are read by slicing.
    """
    data: Any = image.data
    if isinstance(data, np.ndarray) or hasattr(data, "dask"):
        return image
    values = _Sliced(data)
    grain = getattr(data, "chunks", None) or [CHUNK.get(axis, 1) for axis in image.axes]
    return image.like(lazy_array(values, chunks_of(values.shape, values.dtype.itemsize, grain)))


def growing(path: Path, image: Image) -> Image:
    """Return the result of a plan as it is on the disk now: parts that are not finished are 0.

    Parameters
    ----------
    path
        Its OME-Zarr folder.
    image
        Its geometry.
    """
    level = _Level(path, image.shape)
    grain = [CHUNK.get(axis, 1) for axis in image.axes]
    return image.like(lazy_array(level, chunks_of(level.shape, level.dtype.itemsize, grain)))


def levels_of(path: Path, image: Image) -> tuple[Image, ...]:
    """Return all levels of a complete result, lazy, the full resolution first.

    Parameters
    ----------
    path, image
        As for `growing`.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    return tuple(read(path, level=number, lazy_above=0) for number in range(level_count(image)))


def limits_of(image: Image) -> tuple[float, float]:
    """Return the percentiles 1 and 99.9 of a sample of an image, for its contrast limits.

    Parameters
    ----------
    image
        Lazy; of several channels, the first one counts.
    """
    channel = image.take("C", 0) if "C" in image.axes else image
    try:
        values = np.asarray(sample(with_time(channel.canonical()), _SAMPLE, _WHOLE), np.float32)
    except FileError:  # a digest could read other places
        return 0.0, 1.0
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (1, 99.9)) if values.size else (0.0, 0.0)
    return float(low), float(high) if high > low else float(low) + 1


def _absolute(path: str) -> str:
    """Return a path that holds in any folder; an address as it is."""
    return path if path.startswith(ADDRESSES) else str(place_of(path).absolute())


def _are_equal(first: Any, other: Any) -> bool:
    first, other = np.asarray(first), np.asarray(other)
    return np.array_equal(first, other, equal_nan=first.dtype.kind == "f")


def _only_reads(data: Any) -> bool:
    """Return whether a dask array only reads, selects and orders values of something else."""
    for name, layer in data.dask.layers.items():
        if not name.startswith(_READING):
            return False
        if isinstance(layer, MaterializedLayer) and any(map(_is_in_memory, layer.values())):
            return False
    return True


def _is_in_memory(task: Any) -> bool:
    return isinstance(getattr(task, "value", task), np.ndarray)


class _Sliced:
    """An array that is read by slicing, as NumPy arrays."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.shape, self.dtype = tuple(map(int, data.shape)), np.dtype(data.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.asarray(self._data[key])


class _Level:
    """The full resolution of a result that is being written, read anew each time."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape, self.ndim = path, shape, len(shape)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        return read_region(self.path, key)


def _calibrated(source: Source, image: Image) -> Source:
    """Return a source with the voxel size of an image, where that of its file is another one."""
    found = source.image()
    there = dict(zip(found.axes, zip(found.scale, found.units, strict=True), strict=True))
    here = dict(zip(image.axes, zip(image.scale, image.units, strict=True), strict=True))
    steps = {
        axis: step
        for axis, (step, unit) in here.items()
        if unit in _UNITS and axis in there and there[axis] != (step, unit)
    }
    return replace(source, voxel=steps) if steps else source


def _is_aligned(first: Image, other: Image) -> bool:
    """Return whether two images have the same voxels at the same places."""
    names = ("axes", "shape", "dtype", "units")
    return all(getattr(first, name) == getattr(other, name) for name in names) and all(
        np.allclose(getattr(first, name), getattr(other, name)) for name in ("scale", "translate")
    )
