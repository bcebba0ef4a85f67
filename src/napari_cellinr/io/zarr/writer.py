"""Writing OME-Zarr 0.4 and 0.5: chunked, with a resolution pyramid, piece by piece."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numcodecs import Zstd
from zarr.codecs import ZstdCodec
from zarr.storage import LocalStore

from napari_cellinr.errors import FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.record import note, printable
from napari_cellinr.io.zarr.parts import ZARR_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "CHUNK",
    "VERSIONS",
    "create_level",
    "halved",
    "level_count",
    "multiscales",
    "omero",
    "steps_of",
    "write",
]

VERSIONS = ("0.4", "0.5")

CHUNK = {"Z": 16, "Y": 256, "X": 256}
"""Elements of a chunk along each axis; 1 along the others."""

_SMALLEST = 256
"""Rows and columns down to which coarser pyramid levels are made."""

_TYPES = {"T": "time", "C": "channel"}
_COLOURS = ("00FF00", "FF00FF", "00FFFF", "FFFF00", "FF0000", "0000FF", "FFFFFF")


def write(path: Path, image: Image, version: str = "0.5") -> None:
    """Write an image as OME-Zarr, with a pyramid of factor 2 along y and x.

    Parameters
    ----------
    path
        The folder, which must not exist yet.
    image
        Known axes in any order; stored in the order T, C, Z, Y, X.
    version
        One of `VERSIONS`.

    Raises
    ------
    FileError
        If the version is another one.
    AxesError
        If an axis is unknown.
    """
    for _ in steps_of(path, image, version):
        pass


def steps_of(path: Path, image: Image, version: str = "0.5") -> Iterator[tuple[int, int]]:
    """Write an image as `write` does; yield after each piece their number and the total number.

    Parameters
    ----------
    path, image, version
        As for `write`.

    Raises
    ------
    FileError
        If the version is not one of `VERSIONS`.
    AxesError
        If an axis is unknown.
    """
    if version not in VERSIONS:
        raise FileError(f"OME-Zarr {version} was requested; {' and '.join(VERSIONS)} are written.")
    ordered = image.canonical()
    store = LocalStore(path)
    zarr_format: Any = 2 if version == "0.4" else 3
    group = zarr.create_group(store, zarr_format=zarr_format)
    levels = [create_level(group, ordered, i, zarr_format) for i in range(level_count(ordered))]
    pieces = list(_pieces(ordered))
    for done, where in enumerate(pieces, 1):
        _write_piece(levels, ordered, where)
        yield done, len(pieces)
    _check_there(path, len(levels))
    facts: dict[str, Any] = {"multiscales": [multiscales(ordered, len(levels), version)]}
    if "C" in ordered.axes:
        facts["omero"] = omero(ordered, _windows(ordered, levels[-1]))
    if version == "0.5":
        facts = {"ome": {"version": version, **facts}}
    group.attrs.update(facts | json.loads(note(image)))
    _check_there(path, len(levels))


def _check_there(path: Path, n_levels: int) -> None:
    """Raise `FileError` if parts were removed meanwhile, which zarr would not notice."""
    for folder in (path, *(path / str(level) for level in range(n_levels))):
        if not any((folder / name).is_file() for name in ZARR_FILES):
            raise FileError(
                f"the folder {path.parent} was removed while an OME-Zarr was written into it. "
                "Make it again, or choose another."
            )


def level_count(image: Image) -> int:
    """Return the number of levels of the pyramid of an image, the full resolution included."""
    longest = max(image.sizes["Y"], image.sizes["X"])
    return 1 + max(0, math.ceil(math.log2(longest / _SMALLEST))) if longest > _SMALLEST else 1


def create_level(group: Any, image: Image, level: int, zarr_format: int) -> Any:
    """Return the empty array of a level; each of its chunks has a checksum.

    Parameters
    ----------
    group
        Group of the image.
    image
        The image, whose axes, size and dtype decide.
    level
        Number of the level; 0 is the full resolution.
    zarr_format
        2 or 3.
    """
    shape = _level_shape(image, level)
    chunks = tuple(min(n, CHUNK.get(axis, 1)) for axis, n in zip(image.axes, shape, strict=True))
    options: dict[str, Any] = {"compressors": ZstdCodec(level=3, checksum=True)}
    if zarr_format == 2:
        options = {
            "compressors": Zstd(level=3, checksum=True),
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
        }
    else:
        options["dimension_names"] = list(image.axes.lower())
    return group.create_array(
        str(level), shape=shape, chunks=chunks, dtype=_native(image.dtype), fill_value=0, **options
    )


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


def _level_shape(image: Image, level: int) -> tuple[int, ...]:
    return tuple(-(-n // 2**level) if a in "YX" else n for a, n in image.sizes.items())


def _pieces(image: Image) -> Iterator[tuple[slice, ...]]:
    """Yield the parts that are written at once: whole rows and columns, a few planes."""
    ranges = []
    for axis, size in image.sizes.items():
        step = size if axis in "YX" else min(size, CHUNK.get(axis, 1))
        ranges.append([slice(start, min(size, start + step)) for start in range(0, size, step)])
    yield from itertools.product(*ranges)


def _write_piece(levels: list[Any], image: Image, where: tuple[slice, ...]) -> None:
    piece = np.asarray(image.data[where], dtype=_native(image.dtype))
    for level in levels:
        level[
            tuple(w if a in "ZTC" else slice(None) for a, w in zip(image.axes, where, strict=True))
        ] = piece
        piece = halved(piece, image.axes)


def halved(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """Return means of 2 × 2 pixels along y and x; the last row or column of an odd size stays.

    Parameters
    ----------
    array
        Any dtype; whole numbers stay whole.
    axes
        Letters of its axes, with Y and X.
    """
    for axis in "YX":
        place = axes.index(axis)
        first = array.take(range(0, array.shape[place], 2), place).astype(np.float64)
        second = array.take(range(1, array.shape[place], 2), place)
        paired = [slice(None)] * array.ndim
        paired[place] = slice(0, second.shape[place])
        first[tuple(paired)] = (first[tuple(paired)] + second) / 2
        whole = first if array.dtype.kind == "f" else np.rint(first)
        array = whole.astype(array.dtype)
    return array


def multiscales(image: Image, n_levels: int, version: str) -> dict[str, Any]:
    """Return axes, steps and levels of an image in the metadata of a version of OME-Zarr.

    Parameters
    ----------
    image
        The image at full resolution.
    n_levels
        Number of levels, each half as large along Y and X as the one before.
    version
        `0.4` or `0.5`.
    """
    axes = []
    for axis, unit in zip(image.axes, image.units, strict=True):
        described = {"name": axis.lower(), "type": _TYPES.get(axis, "space")}
        if unit != UNCALIBRATED:
            described["unit"] = unit
        axes.append(described)
    datasets = []
    for level in range(n_levels):
        factor = [2**level if axis in "YX" else 1 for axis in image.axes]
        steps = zip(image.scale, image.translate, factor, strict=True)
        scale, place = zip(*((s * f, p + s * (f - 1) / 2) for s, p, f in steps), strict=True)
        changes = [
            {"type": "scale", "scale": list(scale)},
            {"type": "translation", "translation": list(place)},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": changes})
    found: dict[str, Any] = {"axes": axes, "datasets": datasets, "name": printable(image.name)}
    if version == "0.4":
        found["version"] = version
    if n_levels > 1:
        found["type"] = "mean"
    return found


def _windows(image: Image, coarsest: Any) -> list[tuple[float, float]]:
    """Return the lowest and the highest value of each channel, at the coarsest level."""
    place = image.axes.index("C")
    values = np.asarray(coarsest[...])
    found = []
    for index in range(image.sizes["C"]):
        part = values.take(index, place).astype(np.float64)
        part = part[np.isfinite(part)]
        found.append((float(part.min()), float(part.max())) if part.size else (0.0, 1.0))
    return found


def omero(image: Image, windows: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return names, colours and contrast limits of the channels, for viewers.

    Parameters
    ----------
    image
        Axes with C.
    windows
        Lowest and highest value of each channel.
    """
    colours = image.meta.get(COLOURS) or ()
    channels = []
    for index, (low, high) in enumerate(windows):
        colour = colours[index][1:] if index < len(colours) else _COLOURS[index % len(_COLOURS)]
        name = {"label": printable(image.channels[index])} if image.channels else {}
        window = {"min": low, "max": high, "start": low, "end": high}
        channels.append({**name, "color": colour.upper(), "window": window, "active": True})
    return {"channels": channels}
