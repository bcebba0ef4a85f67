"""Writing TIFF: ImageJ hyperstacks where ImageJ can hold the numbers, OME-TIFF otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_cellinr.errors import FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.record import KEY, note, printable
from napari_cellinr.io.units import convert

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["IMAGEJ_BYTES", "write"]

_logger = logging.getLogger(__name__)

IMAGEJ_BYTES = 2**32 - 2**25
"""Largest array that fits into an ImageJ file with its 32-bit offsets and tags."""

_EXTREME = 1e5
"""Steps beyond this, or below its inverse, make poor fractions of two 32-bit numbers."""

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
"""As OME spells them."""


def write(path: Path, image: Image, *, ome: bool) -> None:
    """Write an image with its steps, units and channel names.

    Parameters
    ----------
    path
        Where to write, without regard to what is there.
    image
        Known axes in any order; stored in the order T, C, Z, Y, X (ImageJ: T, Z, C, Y, X).
    ome
        Whether OME-TIFF is wanted. It is also taken for numbers that ImageJ does not know
        (other than 8 and 16 bit without sign, and 32-bit float) and for more than 4 GB.

    Raises
    ------
    FileError
        If no type of a TIFF holds every number exactly.
    AxesError
        If an axis is unknown.
    """
    ordered = image.canonical()
    array = _storable(ordered.array())
    fits_imagej = (
        array.dtype.name in _IMAGEJ_TYPES
        and array.nbytes <= IMAGEJ_BYTES
        and ordered.sizes["X"] > 1  # tifffile takes single columns for samples of a colour
    )
    if not (ome or fits_imagej):
        _logger.info(
            "%s is written as OME-TIFF: ImageJ's own format has no place for %s of shape %s.",
            path.name, array.dtype, array.shape,
        )  # fmt: skip
    ordered = ordered.like(array)
    if ome or not fits_imagej:
        _write_ome(path, ordered, note(image))
    else:
        _write_imagej(path, ordered, note(image))


def _storable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array in a type that OME-TIFF knows, with exactly the same numbers."""
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
        f"numbers of type {array.dtype} that no TIFF type holds exactly were given; at most 32-bit "
        f"integers or 64-bit floats are allowed. Convert the array first."
    )


def _holds(array: NDArray[Any], dtype: str) -> bool:
    """Return whether every number survives the way to `dtype` and back."""
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


def _resolution(image: Image) -> tuple[str, tuple[float, float] | None]:
    """Return the one spatial unit of ImageJ, that of x, and the elements per unit along x and y.

    Without both, the unit would mislead: the rest is left to the note then.
    """
    unit = _unit(image, "X")
    steps = [_step(image, axis, unit) or 0.0 for axis in "XY"]
    if not all(1 / _EXTREME < step < _EXTREME for step in steps):
        return UNCALIBRATED, None
    return unit, (1 / steps[0], 1 / steps[1])


def _labels(image: Image) -> list[str]:
    """Return the names of the channels once for every time and plane, as ImageJ shows them."""
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
    if image.channels:
        metadata["Channel"] = {"Name": [printable(name) for name in image.channels]}
    array = image.array()
    tifffile.imwrite(
        path,
        array,
        ome=True,
        bigtiff=array.nbytes > IMAGEJ_BYTES,
        photometric="minisblack",
        metadata=metadata,
    )


def _unit(image: Image, axis: str) -> str:
    """Return the unit of an axis, `pixel` if the image lacks the axis."""
    return image.units[image.axes.index(axis)] if axis in image.axes else UNCALIBRATED


def _step(image: Image, axis: str, unit: str) -> float | None:
    """Return the step along an axis in `unit`, `None` if it is not known."""
    own = _unit(image, axis)
    return None if UNCALIBRATED in (own, unit) else convert(image.steps[axis], own, unit)
