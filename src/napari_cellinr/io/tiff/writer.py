"""Writing TIFF: ImageJ hyperstacks if ImageJ can store the data, OME-TIFF otherwise."""

from __future__ import annotations

import itertools
import logging
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.metadata.colours import COLOURS, packed
from napari_cellinr.io.metadata.record import KEY, note, printable
from napari_cellinr.io.metadata.units import convert

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["IMAGEJ_BYTES", "write"]

_logger = logging.getLogger(__name__)

IMAGEJ_BYTES = 2**32 - 2**25
"""Largest array, in bytes, that fits into an ImageJ file with its 32-bit offsets and tags."""

_EXTREME = 1e5
"""Steps above this, or below its inverse, lose precision as fractions of 32-bit integers."""

_UINT32 = 2**32 - 1

_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_OME_TYPES = (*_IMAGEJ_TYPES, "int8", "int16", "int32", "uint32", "float64")
_UNIT_SYMBOLS = {
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "meter": "m",
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}
"""Unit symbols of OME-XML by pint name."""


def write(path: Path, image: Image, *, ome: bool) -> None:
    """Write an image with its voxel size, units and channel names.

    Parameters
    ----------
    path
        File to write; an existing one is replaced.
    image
        Known axes in any order; stored in the order T, C, Z, Y, X (ImageJ: T, Z, C, Y, X).
    ome
        Whether to write OME-TIFF. It is also used for data types other than uint8, uint16 and
        float32, and for more than 4 GB, which ImageJ cannot read.

    Raises
    ------
    FileError
        If no data type of OME-TIFF holds every value exactly.
    AxesError
        If an axis is unknown.
    """
    ordered = image.canonical()
    if isinstance(ordered.data, np.ndarray) or ordered.dtype.name not in _OME_TYPES:
        ordered = ordered.like(_storable(ordered.array()))
    fits_imagej = (
        ordered.dtype.name in _IMAGEJ_TYPES
        and _n_bytes(ordered) <= IMAGEJ_BYTES
        and ordered.sizes["X"] > 1  # tifffile takes a single column for RGB samples
    )
    if not (ome or fits_imagej):
        _logger.info(
            "%s is written as OME-TIFF: ImageJ's own format cannot store %s of shape %s.",
            path.name, ordered.dtype, ordered.shape,
        )  # fmt: skip
    if ome or not fits_imagej:
        _write_ome(path, ordered, note(image))
    else:
        _write_imagej(path, ordered, note(image))


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in a data type of OME-TIFF, with exactly the same values."""
    if array.dtype.name in _OME_TYPES:
        return array
    smaller: dict[str, tuple[str, ...]] = {
        "bool": ("uint8",),
        "float16": ("float32",),
    }
    for name in smaller.get(array.dtype.name, ("int32", "uint32", "float64")):
        if _holds(array, name):
            _logger.info("%s is stored as %s, which loses nothing here.", array.dtype, name)
            return array.astype(name)
    raise FileError(
        f"values of type {array.dtype} were given that no TIFF type holds exactly; at most 32-bit "
        f"integers or 64-bit floats are allowed. Convert the array first."
    )


def _holds(array: NDArray[Any], dtype: str) -> bool:
    """Return whether every value survives conversion to `dtype` and back."""
    if array.dtype.kind in "iu" and np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return bool(array.min() >= limits.min and array.max() <= limits.max)
    if array.dtype.kind in "iu":
        return bool(max(abs(int(array.min())), abs(int(array.max()))) <= 2**53)
    return bool(np.array_equal(array.astype(dtype).astype(array.dtype), array, equal_nan=True))


def _write_imagej(path: Path, image: Image, record: str) -> None:
    order = [image.axes.index(axis) for axis in "TZCYX" if axis in image.axes]
    unit, resolution = _resolution(image)
    metadata = {
        "axes": "".join(image.axes[i] for i in order),
        "mode": "composite" if image.sizes.get("C", 1) > 1 else "grayscale",
        "unit": {UNCALIBRATED: None, "micrometer": "um"}.get(unit, unit),
        "spacing": _step(image, "Z", unit),
        "finterval": _step(image, "T", "second"),
        "Labels": _labels(image),
        "LUTs": [_table(colour) for colour in _colours(image)],
        KEY: record,
    }
    tifffile.imwrite(
        path,
        image.array().transpose(order),
        imagej=True,
        photometric="minisblack",
        metadata={key: value for key, value in metadata.items() if value},
        resolution=resolution,
    )


def _resolution(image: Image) -> tuple[str, tuple[tuple[int, int], tuple[int, int]] | None]:
    """Return ImageJ's spatial unit, that of x, and the pixels per unit along x and y, as fractions.

    If one of them is unknown, neither is written, and the note holds what is known.
    """
    unit = _unit(image, "X")
    steps = [_step(image, axis, unit) or 0.0 for axis in "XY"]
    if not all(1 / _EXTREME < step < _EXTREME for step in steps):
        return UNCALIBRATED, None
    return unit, (_fraction(1 / steps[0]), _fraction(1 / steps[1]))


def _fraction(number: float) -> tuple[int, int]:
    """Return the nearest fraction of two 32-bit integers; older tifffile round more."""
    return Fraction(number).limit_denominator(int(_UINT32 / max(1, number))).as_integer_ratio()


def _labels(image: Image) -> list[str]:
    """Return the channel names repeated for every time point and z plane, as in ImageJ."""
    if "C" not in image.axes:
        return []
    n_repeats = image.sizes.get("T", 1) * image.sizes.get("Z", 1)
    return [printable(name) for name in image.channels] * n_repeats


def _write_ome(path: Path, image: Image, record: str) -> None:
    metadata: dict[str, Any] = {
        "axes": image.axes,
        "Name": printable(image.name),
        "Description": record,
    }
    for axis, key in (
        ("T", "TimeIncrement"),
        ("Z", "PhysicalSizeZ"),
        ("Y", "PhysicalSizeY"),
        ("X", "PhysicalSizeX"),
    ):
        symbol = _UNIT_SYMBOLS.get(_unit(image, axis))
        if symbol:
            metadata[key] = image.steps[axis]
            metadata[f"{key}Unit"] = symbol
    channels: dict[str, list[Any]] = {}
    if image.channels:
        channels["Name"] = [printable(name) for name in image.channels]
    if colours := _colours(image):
        channels["Color"] = [packed(colour) for colour in colours]
    if channels:
        metadata["Channel"] = channels
    tifffile.imwrite(
        path,
        _planes(image),
        shape=image.shape,
        dtype=image.dtype.newbyteorder("="),
        ome=True,
        bigtiff=_n_bytes(image) > IMAGEJ_BYTES,
        photometric="minisblack",
        metadata=metadata,
    )


def _n_bytes(image: Image) -> int:
    return math.prod(image.shape) * image.dtype.itemsize


def _planes(image: Image) -> Any:
    """Return the array, or an iterator over its planes if it is not in memory."""
    if isinstance(image.data, np.ndarray):
        return image.data.astype(image.dtype.newbyteorder("="), copy=False)
    leading = itertools.product(*(range(n) for n in image.shape[:-2]))
    return (np.asarray(image.data[index], image.dtype.newbyteorder("=")) for index in leading)


def _colours(image: Image) -> list[str]:
    """Return the display colours of the channels; empty unless there is one for each."""
    colours = list(image.meta.get(COLOURS, ()))
    return colours if len(colours) == image.sizes.get("C", 1) else []


def _table(colour: str) -> NDArray[np.uint8]:
    """Return ImageJ's lookup table from black to a colour, shape (3, 256)."""
    brightest = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    ramp = np.outer(brightest, np.linspace(0, 1, 256))
    table: NDArray[np.uint8] = np.rint(ramp).astype(np.uint8)
    return table


def _unit(image: Image, axis: str) -> str:
    """Return the unit of an axis; `pixel` if the image lacks the axis."""
    return image.units[image.axes.index(axis)] if axis in image.axes else UNCALIBRATED


def _step(image: Image, axis: str, unit: str) -> float | None:
    """Return the step along an axis in `unit`; `None` if it is unknown."""
    own = _unit(image, axis)
    return None if UNCALIBRATED in (own, unit) else convert(image.steps[axis], own, unit)
