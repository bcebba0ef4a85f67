"""Units of length and time: notations in files, pint names in an `Image`, conversions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.image import UNCALIBRATED

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from napari_cellinr.image import Image

__all__ = [
    "LENGTHS",
    "TIMES",
    "Step",
    "calibrated",
    "convert",
    "in_units_of",
    "known_length",
    "known_step",
    "partly_known",
    "pint_name",
    "print_step",
    "shared_units",
]

Step = tuple[float, str]
"""Distance between two elements, and its unit as a pint name."""

LENGTHS = {
    "picometer": 1,
    "angstrom": 100,
    "nanometer": 1_000,
    "micrometer": 1_000_000,
    "millimeter": 1_000_000_000,
    "centimeter": 10_000_000_000,
    "inch": 25_400_000_000,
    "meter": 1_000_000_000_000,
}
"""Picometres per unit; integers, so that conversions round only once."""

TIMES = {
    "nanosecond": 1,
    "microsecond": 1_000,
    "millisecond": 1_000_000,
    "second": 1_000_000_000,
    "minute": 60_000_000_000,
    "hour": 3_600_000_000_000,
    "day": 86_400_000_000_000,
}
"""Nanoseconds per unit."""

_SPELLINGS = {
    "pm": "picometer",
    "å": "angstrom",
    "nm": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "micron": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "in": "inch",
    '"': "inch",
    "m": "meter",
    "ns": "nanosecond",
    "us": "microsecond",
    "µs": "microsecond",
    "usec": "microsecond",
    "ms": "millisecond",
    "msec": "millisecond",
    "s": "second",
    "sec": "second",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
}

_LARGEST_PIXEL = 5 * LENGTHS["micrometer"]
"""Picometres; 5 µm is 5080 dpi, finer than printers and screens, coarser than microscopes."""


def pint_name(text: str) -> str:
    """Return the pint name of a unit in a file, `pixel` if it is unknown.

    Symbols, plurals, both characters for micro and ImageJ's escape sequence are recognised.
    """
    word = text.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("μ", "µ").lower()
    for spelling in (word, word.removesuffix("s")):
        name = _SPELLINGS.get(spelling, spelling.replace("metre", "meter"))
        if name in LENGTHS or name in TIMES:
            return name
    return UNCALIBRATED


def convert(value: float, unit: str, to: str) -> float | None:
    """Return a value in another unit, `None` if one is a length and the other is not.

    Parameters
    ----------
    value
        Length or time, in `unit`.
    unit, to
        Pint names of the old and the new unit.
    """
    if unit == to:
        return value
    for table in (LENGTHS, TIMES):
        if unit in table and to in table:
            return value * table[unit] / table[to]
    return None


def calibrated(image: Image) -> str:
    """Return the axes of an image along which the step is a length or a time, such as "TYX"."""
    steps = zip(image.axes, image.units, strict=True)
    return "".join(axis for axis, unit in steps if unit in LENGTHS or unit in TIMES)


def partly_known(image: Image, path: object) -> tuple[str, ...]:
    """Return a sentence if the size of a pixel is known along one of Y and X only.

    Parameters
    ----------
    image
        An image with axes Y and X.
    path
        Its file, for the sentence.
    """
    known = calibrated(image)
    if len({"Y", "X"} & {*image.axes}) < 2 or ("Y" in known) == ("X" in known):
        return ()
    there, missing = ("Y", "X") if "Y" in known else ("X", "Y")
    return (
        f"{path} states the size of a pixel along {there}, but not along {missing}, where it stays "
        f"unknown; give it, for example with --voxel {missing.lower()}=0.1 or "
        f"with_voxel_size({missing}=0.1).",
    )


def shared_units(
    axes: str, scale: Sequence[float], units: Sequence[str], lacking: Collection[int], path: object
) -> tuple[list[str], tuple[str, ...]]:
    """Return units in which steps without a unit have that of the other axes of space.

    A step of 1 without a unit stays unknown, because it is what programs write for no step.

    Parameters
    ----------
    axes
        One letter per dimension.
    scale, units
        The steps and their units as a file states them; `pixel` for one that is not known.
    lacking
        Numbers of the axes for which the file states no unit.
    path
        The file, for the sentences.

    Returns
    -------
    units
        A unit for each axis.
    warnings
        A sentence about units that were taken from another axis.
    """
    found = {u for axis, u in zip(axes, units, strict=True) if axis in "ZYX" and u in LENGTHS}
    bare = [
        axis
        for number, (axis, step) in enumerate(zip(axes, scale, strict=True))
        if axis in "ZYX" and number in lacking and step != 1
    ]
    if len(found) != 1 or not bare:
        return list(units), ()
    unit = found.pop()
    changed = [unit if axis in bare else old for axis, old in zip(axes, units, strict=True)]
    return changed, (
        f"{path} states a step along {' and '.join(bare)} without a unit; it is read in "
        f"{unit}, as along the other axes.",
    )


def in_units_of(image: Image, other: Image) -> Image:
    """Return an image with its steps and position in the units of another image.

    Axes that the other image lacks, or whose units cannot be converted, stay as they are.

    Parameters
    ----------
    image
        The image to convert, any axes.
    other
        The image whose units are used, axis by axis.
    """
    new_units = dict(zip(other.axes, other.units, strict=True))
    scale, translate, units = list(image.scale), list(image.translate), list(image.units)
    for i, axis in enumerate(image.axes):
        factor = convert(1.0, units[i], new_units.get(axis, units[i]))
        if factor is not None:
            scale[i] *= factor
            translate[i] *= factor
            units[i] = new_units.get(axis, units[i])
    return replace(image, scale=tuple(scale), translate=tuple(translate), units=tuple(units))


def known_step(value: object, unit: str) -> Step | None:
    """Return the step if it is a positive number in a known unit, else `None`.

    Parameters
    ----------
    value
        The step that the file states; may be `None` or text that is not a number.
    unit
        Pint name of its unit.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if unit == UNCALIBRATED or not (math.isfinite(number) and number > 0):
        return None
    return number, unit


def known_length(value: object, unit: str) -> Step | None:
    """Return the step along an axis of space without its sign, or `None` as `known_step` does.

    Programs write a negative step where planes were recorded downwards; ImageJ drops the sign, too.

    Parameters
    ----------
    value
        The step that the file states; may be `None` or text that is not a number.
    unit
        Pint name of its unit.
    """
    return known_step(value, unit) or known_step(_opposite(value), unit)


def _opposite(value: object) -> float | None:
    try:
        return -float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def print_step(value: float, unit: str) -> Step | None:
    """Return a step from TIFF resolution tags in micrometers, `None` if it is a print resolution.

    Resolutions per inch or centimetre are mostly defaults for printers and screens, such as 72
    or 300 dpi. Only pixels of at most 5 µm are taken for sizes in the specimen.

    Parameters
    ----------
    value
        Size of a pixel, in `unit`.
    unit
        Pint name of a unit of length.
    """
    step = known_step(value, unit)
    if step is None or step[0] * LENGTHS[unit] > _LARGEST_PIXEL:
        return None
    micrometers = convert(value, unit, "micrometer")
    return None if micrometers is None else (micrometers, "micrometer")
