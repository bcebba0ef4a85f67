"""Units as files spell them, and as an `Image` names them (by their pint names)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.image import UNCALIBRATED

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = [
    "LENGTHS",
    "TIMES",
    "Step",
    "convert",
    "in_units_of",
    "known_step",
    "pint_name",
    "print_step",
]

Step = tuple[float, str]
"""The distance between two elements and its unit."""

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
"""Picometres per unit: whole numbers, so that conversions round only once."""

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
"""5080 dpi: no printer or screen states a finer resolution, hardly a microscope a coarser one."""


def pint_name(text: str) -> str:
    """Return the pint name of a unit as files spell it, `pixel` if it is not known.

    Understands symbols, plurals, both Greek letters for micro and the escape of ImageJ.
    """
    word = text.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("μ", "µ").lower()
    for spelling in (word, word.removesuffix("s")):
        name = _SPELLINGS.get(spelling, spelling.replace("metre", "meter"))
        if name in LENGTHS or name in TIMES:
            return name
    return UNCALIBRATED


def convert(value: float, unit: str, to: str) -> float | None:
    """Return `value` in another unit, `None` if the two units do not measure the same thing."""
    if unit == to:
        return value
    for table in (LENGTHS, TIMES):
        if unit in table and to in table:
            return value * table[unit] / table[to]
    return None


def in_units_of(image: Image, other: Image) -> Image:
    """Return an image with its steps and place in the units of another one, where both are known.

    Axes that the other one lacks, or whose units cannot be converted, stay as they are.
    """
    wanted = dict(zip(other.axes, other.units, strict=True))
    scale, translate, units = list(image.scale), list(image.translate), list(image.units)
    for place, axis in enumerate(image.axes):
        factor = convert(1.0, units[place], wanted.get(axis, units[place]))
        if factor is not None:
            scale[place] *= factor
            translate[place] *= factor
            units[place] = wanted.get(axis, units[place])
    return replace(image, scale=tuple(scale), translate=tuple(translate), units=tuple(units))


def known_step(value: object, unit: str) -> Step | None:
    """Return the step if it is a positive number in a known unit, else `None`.

    Parameters
    ----------
    value
        The step as the file states it; `None` and text that is no number are allowed.
    unit
        A pint name.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    if unit == UNCALIBRATED or not (math.isfinite(number) and number > 0):
        return None
    return number, unit


def print_step(value: float, unit: str) -> Step | None:
    """Return a step from resolution tags in micrometers, `None` if it is a size for printing.

    TIFF resolutions per inch or centimetre are mostly defaults for printers and screens, such
    as 72 or 300 dpi. They say something about the specimen only where they are far finer.
    """
    step = known_step(value, unit)
    if step is None or step[0] * LENGTHS[unit] > _LARGEST_PIXEL:
        return None
    micrometers = convert(value, unit, "micrometer")
    return None if micrometers is None else (micrometers, "micrometer")
