"""Times of the frames as a file states them, and the time step that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.metadata.units import TIMES as UNITS
from napari_cellinr.io.metadata.units import convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["TIMES", "times_of", "with_times"]

TIMES = "times"
"""Key in `Image.meta` of the time of each frame, in seconds from the first."""

_UNEVEN = 1.5
"""Ratio of two intervals between frames above which the frames are not equally spaced."""

_DIFFERENT = 0.1
"""Relative difference between stated and measured time step above which the latter counts."""


def times_of(image: Image) -> tuple[float, ...]:
    """Return the time of each frame in seconds from the first; empty if not known."""
    times = image.meta.get(TIMES, ())
    known = isinstance(times, list | tuple) and len(times) == image.sizes.get("T", 0)
    return tuple(map(float, times)) if known else ()


def with_times(image: Image, seconds: Sequence[float], path: object) -> Image:
    """Return the image with the times of its frames, and the time step that follows from them.

    A step that the file states otherwise stays if the times agree with it. If the frames are not
    equally spaced, a warning says so.

    Parameters
    ----------
    image
        The image, with or without a time step.
    seconds
        Time of each frame in s, in their order; ignored if there is not one for each frame, or,
        with a warning, if they do not increase.
    path
        File that states them, for the warning.
    """
    times = np.asarray(seconds, float)
    n_frames = image.sizes.get("T", 1)
    if len(times) != n_frames or n_frames < 2 or not np.isfinite(times).all():
        return image
    intervals = np.diff(times)
    if intervals.min() <= 0:
        first = int(np.argmin(intervals))
        text = (
            f"{path}: the times of the frames do not increase (frame {first} at {times[first]:g} s "
            f"is followed by {times[first + 1]:g} s); they are not used. Check the time step."
        )
        return with_warnings(image, (text,) if intervals.any() else ())
    is_uneven = intervals.max() >= _UNEVEN * intervals.min()
    measured = float(np.median(intervals) if is_uneven else intervals.mean())
    texts = []
    if is_uneven:
        first = int(np.argmax(intervals))
        texts.append(
            f"{path}: the frames are not equally spaced in time (from {intervals.min():.4g} s to "
            f"{intervals.max():.4g} s, the longest after frame {first}, counted from 0); a "
            "constant time step, and what is computed between frames, are wrong there."
        )
    stated = _stated(image)
    differs = stated is not None and abs(stated - measured) > _DIFFERENT * measured
    if differs:
        texts.append(
            f"{path} states a time step of {stated:.4g} s, but most of its frames were recorded "
            f"{measured:.4g} s apart, which is used."
        )
    image = image.like(image.data, meta={**image.meta, TIMES: (times - times[0]).tolist()})
    if stated is None or differs:
        image = image.with_voxel_size(T=measured)
    return with_warnings(image, tuple(texts))


def _stated(image: Image) -> float | None:
    """Return the time step in seconds; None if it is not known."""
    unit = image.units[image.axes.index("T")]
    return (
        None
        if unit == UNCALIBRATED or unit not in UNITS
        else convert(image.steps["T"], unit, "second")
    )
