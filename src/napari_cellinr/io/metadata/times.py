"""Times of the frames as a file states them, and the time step that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.image.frame_times import PLACES, TIMES, without_times
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.metadata.units import TIMES as UNITS
from napari_cellinr.io.metadata.units import convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = [
    "TIMES",
    "are_even",
    "at_places",
    "places_of",
    "step_of",
    "times_of",
    "with_noted_times",
    "with_times",
]

_UNEVEN = 1.5
"""Ratio of two intervals between frames above which the frames are not equally spaced."""

_EVEN = 1e-6
"""Relative difference of intervals up to which times follow from the time step."""

_DIFFERENT = 0.1
"""Relative difference between stated and measured time step above which the latter counts."""


def times_of(image: Image) -> tuple[float, ...]:
    """Return the time of each frame in seconds from the first; empty if not known."""
    n_frames = image.sizes.get("T", 0)
    if times := _one_for_each(image, TIMES):
        return times
    places, step = _one_for_each(image, PLACES), step_of(image) if n_frames else None
    return tuple(step * place for place in places) if step is not None else ()


def places_of(image: Image) -> tuple[float, ...]:
    """Return the place of each frame in time steps from the first; empty if a step gives them.

    Frames are where they are only if some are farther apart than others by half: small differences
    are those of the clock.

    Parameters
    ----------
    image
        Any image.
    """
    places, step = _one_for_each(image, PLACES), step_of(image) if "T" in image.axes else None
    if (times := _one_for_each(image, TIMES)) and step:
        places = tuple((time - times[0]) / step for time in times)
    intervals = np.diff(places)
    if len(intervals) == 0 or not intervals.min() > 0:
        return ()
    return places if intervals.max() >= _UNEVEN * intervals.min() else ()


def _one_for_each(image: Image, key: str) -> tuple[float, ...]:
    """Return the numbers of an entry of the provenance, if there is one for each frame."""
    found = image.meta.get(key, ())
    if not isinstance(found, list | tuple) or len(found) != image.sizes.get("T", 0):
        return ()
    try:
        return tuple(map(float, found))
    except (TypeError, ValueError):  # in layers, an entry of this name may be from elsewhere
        return ()


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
    uneven = _uneven_text(times, path)
    is_uneven = bool(uneven)
    measured = float(np.median(intervals) if is_uneven else intervals.mean())
    texts = [uneven] if uneven else []
    stated = step_of(image)
    differs = stated is not None and abs(stated - measured) > _DIFFERENT * measured
    if stated is not None and differs:
        texts.append(_other_step(path, stated, measured))
    if stated is None or differs:
        image = image.with_voxel_size(T=measured)
    image = image.like(image.data, meta={**image.meta, TIMES: (times - times[0]).tolist()})
    return with_warnings(image, tuple(texts))


def _uneven_text(seconds: Sequence[float] | NDArray[np.floating], path: object) -> str:
    """Return a sentence if frames are not equally spaced in time, else an empty text.

    Parameters
    ----------
    seconds
        Time of each frame in s, increasing.
    path
        File that states them.
    """
    intervals = np.diff(np.asarray(seconds, float))
    if len(intervals) == 0 or intervals.max() < _UNEVEN * intervals.min():
        return ""
    first = int(np.argmax(intervals))
    return (
        f"{path}: the frames are not equally spaced in time (from {intervals.min():.4g} s to "
        f"{intervals.max():.4g} s, the longest after frame {first}, counted from 0); a "
        "constant time step, and what is computed between frames, are wrong there."
    )


def are_even(times: Sequence[float] | NDArray[np.floating], step: float | None = None) -> bool:
    """Return whether times follow from a constant step.

    Parameters
    ----------
    times
        Of each frame, in any unit.
    step
        The constant step, in the same unit; any if not given.
    """
    intervals = np.diff(np.asarray(times, float))
    if len(intervals) == 0:
        return True
    if step is not None and abs(intervals.mean() - step) > _DIFFERENT * abs(step):
        return False  # such as of a part where frames are farther apart than in the whole
    return bool(np.ptp(intervals) <= _EVEN * np.abs(intervals).max())


def with_noted_times(image: Image, seconds: Sequence[float], path: object) -> Image:
    """Return the image with times that were written with it.

    Unless they are unevenly spaced, the time step is theirs.

    Parameters
    ----------
    image
        The image.
    seconds
        Time of each frame in s, increasing.
    path
        File that states them, for warnings.
    """
    timed = image.like(image.data, meta={**image.meta, TIMES: list(seconds)})
    stated = step_of(image)
    if stated is None:
        return timed
    uneven = _uneven_text(seconds, path)
    measured = float(np.diff(np.asarray(seconds)).mean())
    if uneven or abs(stated - measured) <= _DIFFERENT * measured:
        return with_warnings(timed, (uneven,) if uneven else ())
    place = image.axes.index("T")
    step = image.scale[place] * measured / stated
    scale = (*image.scale[:place], step, *image.scale[place + 1 :])
    text = _other_step(path, stated, measured)
    return with_warnings(timed.like(timed.data, scale=scale), (text,))


def _other_step(path: object, stated: float, measured: float) -> str:
    return (
        f"{path} states a time step of {stated:.4g} s, but most of its frames were recorded "
        f"{measured:.4g} s apart, which is used."
    )


def at_places(
    image: Image, places: NDArray[np.floating], stamps: NDArray[np.floating] | None = None
) -> dict[str, Any]:
    """Return the provenance of frames at other times: with these, if no constant step gives them.

    Parameters
    ----------
    image
        The recorded frames.
    places
        Where the others are, in recorded frames, (frames,).
    stamps
        Times of the recorded frames in the unit of their axis; those that the image states, or
        equal steps, if not given.
    """
    n_frames, unit = image.sizes["T"], image.units[image.axes.index("T")]
    known: Any = times_of(image)
    second = convert(1.0, unit, "second")
    step: float | None = None
    if known and stamps is None and second is not None and len(places) > 1:
        step = second * image.steps["T"] * float(np.diff(places).mean())
    if len(places) == n_frames and np.allclose(places, np.arange(n_frames)) and stamps is None:
        return dict(image.meta)
    own = _one_for_each(image, PLACES)
    if stamps is not None or not known:
        steps = np.arange(n_frames) * image.steps["T"] if stamps is None else stamps - stamps[0]
        known = () if second is None else steps * second
    meta = {key: fact for key, fact in without_times(image.meta).items() if key != PLACES}
    if len(known) == 0:
        if own and stamps is None and len(places) > 1:  # in steps of the others, of unknown length
            there = np.interp(places, np.arange(n_frames), own)
            meta[PLACES] = ((there - there[0]) / float(np.diff(places).mean())).tolist()
        return meta
    found = np.interp(places, np.arange(n_frames), known)
    return meta if are_even(found, step) else {**meta, TIMES: found.tolist()}


def step_of(image: Image) -> float | None:
    """Return the time step of an image with a time axis in s; None if it is not known."""
    unit = image.units[image.axes.index("T")]
    return (
        None
        if unit == UNCALIBRATED or unit not in UNITS
        else convert(image.steps["T"], unit, "second")
    )
