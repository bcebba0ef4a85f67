"""A note inside our own files on what their format cannot express exactly.

ImageJ keeps a pixel size as a fraction of two 32-bit numbers, NIfTI as a 32-bit float, and
both drop or add axes of length 1. The note restores what was written, bit for bit. It counts
only as far as it agrees with the proper fields of the file: another program may have changed
them and carried the note along.
"""

from __future__ import annotations

import json
import math
from typing import Any

from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.units import Step, convert

__all__ = ["KEY", "note", "printable", "restore"]

KEY = "napari_cellinr"
"""Name of the note; lower case, as ImageJ descriptions are written."""

_TOLERANCE = 1e-5
"""Relative; well above the rounding of a 32-bit float, far below any difference that matters."""


def printable(text: str) -> str:
    """Return the text as every format can hold it: one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def note(image: Image) -> str:
    """Return axes, shape, steps, units, origin and channel names as one line of ASCII JSON."""
    facts: dict[str, Any] = {
        "axes": image.axes,
        "shape": image.shape,
        "scale": image.scale,
        "units": image.units,
        "translate": image.translate,
        "channels": image.channels,
    }
    if "displacement_unit" in image.meta:  # of the values of a motion, not of its axes
        facts["displacement_unit"] = str(image.meta["displacement_unit"])
    return json.dumps({KEY: facts})


def restore(image: Image, text: str | None) -> Image:
    """Return the image as `note` described it, or unchanged where the note does not fit.

    Parameters
    ----------
    image
        As the proper fields of the file describe it; axes of length 1 may be missing.
    text
        What stands where a note would be; anything else is ignored.
    """
    try:
        facts = json.loads(text or "")[KEY]
        wanted = Image(
            _Shape(tuple(facts["shape"]), image.dtype),
            axes=facts["axes"],
            scale=facts["scale"],
            units=facts["units"],
            translate=facts["translate"],
            channels=facts["channels"],
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return image  # no note, or a damaged one: the proper fields are enough
    if _long_axes(wanted) != _long_axes(image):
        return image
    order = sorted(image.axes, key=(wanted.axes + image.axes).index)
    data: Any = image.data
    data = data.transpose([image.axes.index(axis) for axis in order])
    steps = [_agreed(image, wanted, axis) for axis in wanted.axes]
    same_names = not image.channels or image.channels == tuple(map(printable, wanted.channels))
    return image.like(
        _with_singletons(data, "".join(order), wanted.axes),
        axes=wanted.axes,
        scale=[step for step, _ in steps],
        units=[unit for _, unit in steps],
        translate=wanted.translate,
        channels=wanted.channels if same_names else image.channels,
    )


class _Shape:
    """Stands in for an array of which only the shape is known."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError


def _with_singletons(data: Any, axes: str, wanted: str) -> Any:
    """Return a view of an array, lazy or not, which gains and loses axes of length 1 only."""
    kept = data[tuple(slice(None) if axis in wanted else 0 for axis in axes)]
    return kept[tuple(slice(None) if axis in axes else None for axis in wanted)]


def _long_axes(image: Image) -> dict[str, int]:
    """Return the sizes by axis, without the axes of length 1 that formats add or drop."""
    return {axis: size for axis, size in image.sizes.items() if size > 1}


def _agreed(image: Image, wanted: Image, axis: str) -> Step:
    """Return the exact step of the note if the file does not contradict it."""
    step, unit = wanted.steps[axis], wanted.units[wanted.axes.index(axis)]
    if axis not in image.axes:
        return step, unit
    stated, stated_unit = image.steps[axis], image.units[image.axes.index(axis)]
    if stated_unit == UNCALIBRATED:
        return step, unit
    same = convert(stated, stated_unit, unit)
    if same is not None and math.isclose(same, step, rel_tol=_TOLERANCE):
        return step, unit
    return stated, stated_unit
