"""Steps that files state and that no image can have: they are read as unknown, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.metadata.units import LENGTHS, TIMES, partly_known, pint_name

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["is_strange", "unused", "with_plausible_steps"]

_NO_UNITS = {
    *("", "pixel", "pixels", "px", "voxel", "voxels", "none", "null", "unknown", "a.u."),
    *("reference frame", "frame", "frames", "plane", "slice", "index", "unit", "gray value"),
}
"""Words in the place of a unit that mean none."""

_LENGTH = (1e-4, 1e18)
"""Shortest and longest step in space in picometres: a millionth of an atom, and 1000 km."""

_TIME = (1e-6, 1e21)
"""Shortest and longest step in time in nanoseconds: 1 fs, and 30 000 years."""


def with_plausible_steps(image: Image, path: object) -> Image:
    """Return the image without steps that cannot be, with sentences about what is wrong.

    A length along time, a time along an axis of space, and steps of impossible sizes become
    unknown. A size of a pixel that is known along one of Y and X only is named.

    Parameters
    ----------
    image
        An image as its file describes it.
    path
        The file, for the sentences.
    """
    scale, units, translate = list(image.scale), list(image.units), list(image.translate)
    texts = []
    for place, (axis, step, unit) in enumerate(zip(image.axes, scale, units, strict=True)):
        fault = _fault(axis, step, unit)
        if fault:
            texts.append(f"{path} states {fault}; it is read as unknown.")
            scale[place], units[place] = 1.0, UNCALIBRATED
            translate[place] /= step
    if texts:
        image = image.like(image.data, scale=scale, units=units, translate=translate)
    return with_warnings(image, (*texts, *partly_known(image, path)))


def _fault(axis: str, step: float, unit: str) -> str:
    """Return what is wrong with a step; empty if nothing is."""
    if axis in "ZYX" and unit in TIMES:
        return f"a step of {step:g} {unit} along {axis}, which is not a length"
    if axis == "T" and unit in LENGTHS:
        return f"a time step of {step:g} {unit}, which is not a time"
    for table, (least, most) in ((LENGTHS, _LENGTH), (TIMES, _TIME)):
        if unit in table and not least <= step * table[unit] <= most:
            return f"a step of {step:g} {unit} along {axis}, which no microscope can have"
    return ""


def unused(path: object, what: str, value: object) -> str:
    """Return a sentence about a number or unit in a file that cannot be used.

    Parameters
    ----------
    path
        The file.
    what
        Its name in the file, such as `spacing`.
    value
        What the file states.
    """
    return f"{path} states {what}={str(value)[:40]}, which cannot be used; it is read as unknown."


def is_strange(unit: str) -> bool:
    """Return whether a unit in a file is neither known nor a word for no unit, such as `pixel`."""
    return pint_name(unit) == UNCALIBRATED and unit.strip().lower() not in _NO_UNITS
