"""What to render from a saved fit: scale, times, crop and channel, and the frames they select."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image import Image

__all__ = ["Query", "factors_of", "frames_of", "query_of", "times_of"]

MOST_TIMES = 100_000
"""Largest number of times in a range such as `0:10:0.5`."""


@dataclass(frozen=True)
class Query:
    """What to render from a saved fit; everything left out is as in the fit.

    Parameters
    ----------
    scale
        Factor by axis letter, such as `{"Z": 2.5}`: above 1 for a finer grid.
    voxel
        Voxel size or time step by axis letter, in the unit of that axis; instead of `scale`.
    times
        Times to render, in the unit of the time axis, counted from the first frame.
    crop
        Part by axis letter, in elements of the source.
    channel
        Index of a channel of the source; all channels if None.

    Examples
    --------
    >>> from napari_cellinr import Query
    >>> Query(scale={"Z": 2}, crop={"Y": slice(10, 20)}).scale
    {'Z': 2}
    """

    scale: Mapping[str, float] = field(default_factory=dict)
    voxel: Mapping[str, float] = field(default_factory=dict)
    times: tuple[float, ...] | None = None
    crop: Mapping[str, slice] = field(default_factory=dict)
    channel: int | None = None


def query_of(values: Mapping[str, Any]) -> Query:
    """Return the query for plain values as in macros, where a crop has two numbers per axis.

    Raises
    ------
    ConfigError
        If a name is not known, or a value has a wrong type.
    """
    others = dict(values)
    try:
        crop = {
            axis: ends if isinstance(ends, slice) else slice(*ends)
            for axis, ends in (others.pop("crop", None) or {}).items()
        }
        times = others.pop("times", None)
        return Query(crop=crop, times=None if times is None else tuple(times), **others)
    except TypeError:
        raise ConfigError(
            f"{dict(values)} was given; allowed are scale, voxel, times, crop and channel."
        ) from None


def times_of(text: str) -> tuple[float, ...]:
    """Return times from text such as `0,2.5,5` or `0:10:0.5`, the last one included.

    Raises
    ------
    ConfigError
        If the text is neither a list nor a range.
    """
    try:
        if ":" not in text:
            return tuple(float(part) for part in text.split(","))
        first, last, step = (float(part) for part in text.split(":"))
        count = int((last - first) / step + 1e-9) + 1
        if not (step > 0 and 0 < count <= MOST_TIMES):
            raise ValueError
    except (ValueError, ArithmeticError):
        raise ConfigError(
            f"{text!r} was given; times such as 0,2.5,5 or first:last:step are needed"
        ) from None
    return tuple((first + step * np.arange(count)).tolist())


def factors_of(image: Image, query: Query) -> dict[str, float]:
    """Return the scale factor of a query by axis letter, from its scale or its voxel size.

    Parameters
    ----------
    image
        Its voxel size and time step correspond to a factor of 1.
    query
        What to render.

    Raises
    ------
    ConfigError
        If both are given along one axis, or a step is not positive.
    """
    factors = {axis.upper(): float(factor) for axis, factor in query.scale.items()}
    for name, step in query.voxel.items():
        axis = name.upper()
        if axis in factors:
            raise ConfigError(
                f"a scale and a voxel size were given along {axis}; give one of them."
            )
        if not (math.isfinite(step) and step > 0):
            raise ConfigError(f"a step of {step:g} along {axis} was given; it must be positive.")
        if axis in image.axes:
            factors[axis] = image.steps[axis] / step
        else:
            factors[axis] = 1.0  # the axis is missing: `samplings` raises the error
    return factors


def frames_of(whole: Image, query: Query) -> tuple[list[int], Image]:
    """Return the frames that a query selects, and the cropped image with their time axis.

    For methods that cannot render times between the frames.

    Parameters
    ----------
    whole
        Geometry of the fit.
    query
        What to render.

    Raises
    ------
    ConfigError
        If a time lies between frames or outside the series, or times are unevenly spaced.
    AxesError
        If the crop does not fit.
    """
    part = whole.crop(**dict(query.crop))
    if "T" in query.scale or "T" in query.voxel:
        raise ConfigError(
            "a scale along T was given, but this fit has no times between its frames; use "
            "superresolve."
        )
    if "T" not in whole.axes:
        if query.times is not None:
            raise ConfigError("times were given, but this fit has no time axis; leave them out.")
        return [0], part
    step, place = whole.steps["T"], whole.axes.index("T")
    if query.times is None:
        first = round((part.translate[place] - whole.translate[place]) / step)
        return list(range(first, first + part.sizes["T"])), part
    frames = [_frame(time, step, whole) for time in query.times]
    gaps = {after - before for before, after in itertools.pairwise(frames)}
    if not frames or len(gaps) > 1 or min(gaps, default=1) < 1:
        raise ConfigError(
            f"times {query.times} were given; one time, or several in ascending order with equal "
            "intervals, are needed."
        )
    start = whole.translate[place] + frames[0] * step
    scale, translate = list(part.scale), list(part.translate)
    scale[place], translate[place] = step * min(gaps, default=1), start
    taken = part.crop(T=slice(0, 1)).like(
        np.broadcast_to(np.float32(0), _with(part.shape, place, len(frames))),
        scale=tuple(scale),
        translate=tuple(translate),
    )
    return frames, taken


def _frame(time: float, step: float, whole: Image) -> int:
    """Return the frame at a time."""
    frame, last = round(time / step), whole.sizes["T"] - 1
    if abs(time / step - frame) > 1e-3 or not 0 <= frame <= last:
        unit = whole.units[whole.axes.index("T")]
        raise ConfigError(
            f"time {time:g} was given; this fit has frames every {step:g} {unit} from 0 to "
            f"{last * step:g}. Use superresolve for times between them."
        )
    return frame


def _with(shape: tuple[int, ...], place: int, size: int) -> tuple[int, ...]:
    return (*shape[:place], size, *shape[place + 1 :])
