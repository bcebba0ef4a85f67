"""A metadata note in files that we write, for what their format cannot store exactly.

ImageJ stores a pixel size as a fraction of two 32-bit integers, NIfTI as a 32-bit float, and
both drop or add axes of length 1. The note restores the exact metadata. It is used only where it
agrees with the regular fields of the file, because another program may have changed those and
copied the note.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.image.frame_times import PLACES
from napari_cellinr.io.metadata.colours import COLOURS, hex_colour
from napari_cellinr.io.metadata.rotation import AFFINE_KEYS, is_rotated
from napari_cellinr.io.metadata.times import (
    TIMES,
    are_even,
    places_of,
    step_of,
    times_of,
    with_noted_times,
)
from napari_cellinr.io.metadata.units import Step, convert

__all__ = ["KEY", "note", "printable", "restore"]

KEY = "napari_cellinr"
"""Key of the note; lower case, as in ImageJ descriptions."""

_TOLERANCE = 1e-5
"""Relative difference of steps: above float32 rounding, below any difference that matters."""

_LONGEST = 1e12
"""Time in s that no recording takes; times beyond it, or closer than its inverse, are damage."""


def printable(text: str) -> str:
    """Return the text as one line without control characters, as every format can store it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def note(image: Image) -> str:
    """Return axes, shape, steps, units, position, names and more as one line of ASCII JSON."""
    facts: dict[str, Any] = {
        "axes": image.axes,
        "shape": image.shape,
        "scale": image.scale,
        "units": image.units,
        "translate": image.translate,
        "channels": image.channels,
    }
    times = times_of(image)
    if times and np.isfinite(times).all() and not are_even(times, step_of(image)):
        facts[TIMES] = times
    elif not times and (places := places_of(image)):
        facts[PLACES] = places  # frames are missing, and the time step is not known
    if "displacement_unit" in image.meta:  # unit of the values of a motion field, not of its axes
        facts["displacement_unit"] = str(image.meta["displacement_unit"])
    if image.meta.get(COLOURS):
        facts["colours"] = [str(colour) for colour in image.meta[COLOURS]]
    if is_rotated(image):  # other affines follow from steps and position
        facts |= {key: image.meta[key] for key in AFFINE_KEYS if key in image.meta}
    return json.dumps({KEY: facts})


def restore(image: Image, text: str | None) -> Image:
    """Return the image with the metadata of the note, or unchanged if the note does not fit.

    Parameters
    ----------
    image
        The image as the regular fields of the file describe it; axes of length 1 may be missing.
    text
        The text in the place of the note; ignored if it is something else.
    """
    try:
        facts = json.loads(text or "")[KEY]
        noted = Image(
            _Shape(tuple(facts["shape"]), image.dtype),
            axes=facts["axes"],
            scale=facts["scale"],
            units=facts["units"],
            translate=facts["translate"],
            channels=facts["channels"],
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return image  # no note, or a damaged one: the regular fields are enough
    if _long_axes(noted) != _long_axes(image):
        return image
    order = sorted(image.axes, key=(noted.axes + image.axes).index)
    data: Any = image.data
    data = data.transpose([image.axes.index(axis) for axis in order])
    steps = [_agreed(image, noted, axis) for axis in noted.axes]
    found = {} if "affine" in image.meta else {k: facts[k] for k in AFFINE_KEYS if k in facts}
    colours = facts.get("colours", ())
    if COLOURS not in image.meta and len(colours) == noted.sizes.get("C", 1):
        named = [hex_colour(str(colour)) for colour in colours]
        found |= {COLOURS: named} if all(named) else {}
    same_names = not image.channels or image.channels == tuple(map(printable, noted.channels))
    restored = image.like(
        _with_singletons(data, "".join(order), noted.axes),
        axes=noted.axes,
        scale=[step for step, _ in steps],
        units=[unit for _, unit in steps],
        translate=noted.translate,
        channels=noted.channels if same_names else image.channels,
        meta={**image.meta, **found},
    )
    if TIMES not in image.meta and (places := _increasing(facts.get(PLACES), noted)):
        restored = restored.like(restored.data, meta={**restored.meta, PLACES: places})
    known = [] if TIMES in image.meta else _noted_times(facts, noted, steps)
    return (
        with_noted_times(restored, known, image.meta.get("source", image.name))
        if known
        else restored
    )


def _noted_times(facts: Any, noted: Image, steps: list[Step]) -> list[float]:
    """Return the times of the frames in a note; none if they, or the time step, were changed."""
    times = _increasing(facts.get(TIMES), noted)
    place = noted.axes.find("T")
    return times if steps[place] == (noted.scale[place], noted.units[place]) else []


def _increasing(times: Any, noted: Image) -> list[float]:
    """Return numbers that a note holds for each frame, if they increase; else none."""
    n_frames = noted.sizes.get("T", 0)
    if not isinstance(times, list) or len(times) != n_frames or n_frames < 2:
        return []
    if not all(isinstance(t, int | float) and abs(t) < _LONGEST for t in times):
        return []
    return list(map(float, times)) if bool(np.all(np.diff(times) > 1 / _LONGEST)) else []


class _Shape:
    """An array-like of which only shape and data type are known."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype

    def __getitem__(self, key: Any) -> Any:
        raise NotImplementedError


def _with_singletons(data: Any, axes: str, new_axes: str) -> Any:
    """Return a view, lazy or not, with axes of length 1 removed and added as in `new_axes`."""
    kept = data[tuple(slice(None) if axis in new_axes else 0 for axis in axes)]
    return kept[tuple(slice(None) if axis in axes else None for axis in new_axes)]


def _long_axes(image: Image) -> dict[str, int]:
    """Return the sizes by axis letter, without the axes of length 1 that formats add or drop."""
    return {axis: size for axis, size in image.sizes.items() if size > 1}


def _agreed(image: Image, noted: Image, axis: str) -> Step:
    """Return the exact step of the note, or that of the file if the two contradict each other."""
    step, unit = noted.steps[axis], noted.units[noted.axes.index(axis)]
    if axis not in image.axes:
        return step, unit
    stated, stated_unit = image.steps[axis], image.units[image.axes.index(axis)]
    if stated_unit == UNCALIBRATED:
        return step, unit
    same = convert(stated, stated_unit, unit)
    if same is not None and math.isclose(same, step, rel_tol=_TOLERANCE):
        return step, unit
    return stated, stated_unit
