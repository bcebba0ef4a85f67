"""What the files of a series state about the axes along which they are stacked."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.metadata.times import times_of
from napari_cellinr.io.metadata.units import convert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image
    from napari_cellinr.io.metadata.units import Step

__all__ = ["channel_names", "common_step", "frame_times", "unlike", "without_axes"]

_TOLERANCE = 1e-3
"""Relative difference between the steps of two files above which they are not the same."""

_TOLERANCE_OF_TIMES = 0.1
"""Relative difference from the stated time step above which times are not those of the series."""


def without_axes(image: Image, axes: str) -> Image:
    """Return the image without axes of length 1.

    Parameters
    ----------
    image
        The image of a file.
    axes
        Axes of length 1.
    """
    kept = [i for i, axis in enumerate(image.axes) if axis not in axes]
    return image.like(
        image.data[tuple(0 if axis in axes else slice(None) for axis in image.axes)],
        axes="".join(image.axes[i] for i in kept),
        scale=[image.scale[i] for i in kept],
        units=[image.units[i] for i in kept],
        translate=[image.translate[i] for i in kept],
    )


def common_step(files: Sequence[Image], axis: str, numbers: Sequence[float] = ()) -> Step:
    """Return the step along an axis that all files state; that of an unknown step if they differ.

    Files that are some of a recording, each the same number of places after the one before, are
    as many steps apart.

    Parameters
    ----------
    files
        The images in the order of the stack, all with this axis.
    axis
        Letter of the axis.
    numbers
        In the names of the files, in order; empty if they count more than one thing. If they count
        by 2, 10, …, some perhaps missing, and the files do not state their places, the step between
        them is not known.
    """
    steps = [_step(file, axis) for file in files]
    if not all(_same(steps[0], step) for step in steps):
        return 1.0, UNCALIBRATED
    step, unit = steps[0]
    apart, counted = _distances(_stated_places(files, axis)), set(_distances(numbers))
    if apart and min(apart) > 0 and math.isclose(min(apart), max(apart)):
        return step * apart[0], unit
    usual = min(counted, default=1)
    if not apart and usual != 1 and all((n / usual).is_integer() for n in counted):
        return 1.0, UNCALIBRATED
    return step, unit


def _stated_places(files: Sequence[Image], axis: str) -> list[float]:
    """Return the places in their recording that files state, in steps along an axis, each once."""
    place = files[0].axes.index(axis)
    return list(dict.fromkeys(file.translate[place] / file.scale[place] for file in files))


def _distances(places: Sequence[float]) -> list[float]:
    return [b - a for a, b in pairwise(places)]


def frame_times(
    files: Sequence[Image], axes: str, shape: Sequence[int], step: Step
) -> tuple[float, ...]:
    """Return the time of the earliest file of each frame in seconds; empty if one lacks it.

    They are also left out if they contradict the time step: times in a file may count from the
    moment at which it was begun.

    Parameters
    ----------
    files
        The images in the order of the stack; ignored if not all were read.
    axes, shape
        The axes along which they are stacked, and the number of files along each.
    step
        The time step that the files state.
    """
    times = [times_of(file) for file in files]
    if "T" not in axes or len(times) != math.prod(shape) or not all(times):
        return ()
    by_axis = np.reshape(times, tuple(shape))
    others = tuple(i for i, axis in enumerate(axes) if axis != "T")
    found = by_axis.min(axis=others)
    seconds = convert(*step, "second")
    if seconds is not None and len(found) > 1:
        measured = float(np.median(np.diff(found)))
        if not math.isclose(measured, seconds, rel_tol=_TOLERANCE_OF_TIMES):
            return ()
    return tuple(found.tolist())


def channel_names(files: Sequence[Image], axes: str, shape: Sequence[int]) -> tuple[str, ...]:
    """Return the names of the channels if each file states that of its own; else none.

    Parameters
    ----------
    files, axes, shape
        As for `frame_times`.
    """
    names = [file.channels for file in files]
    alone = all(len(name) == 1 for name in names)
    if "C" not in axes or len(names) != math.prod(shape) or not alone:
        return ()
    place = axes.index("C")
    by_channel: Any = np.moveaxis(np.reshape(names, tuple(shape)), place, 0)
    found = [set(map(str, channel.ravel())) for channel in by_channel]
    agreed = all(len(one) == 1 for one in found) and len(set.union(*found)) == len(found)
    return tuple(one.pop() for one in found) if agreed else ()


def unlike(files: Sequence[Image], axes: str) -> tuple[str, ...]:
    """Return sentences about files whose voxel size or place in the recording does not fit.

    Parameters
    ----------
    files
        The images in the order of the stack.
    axes
        The axes along which they are stacked.
    """
    first, others = files[0], [axis for axis in files[0].axes if axis not in axes]
    bad = [
        file
        for file in files[1:]
        if not all(_same(_step(first, axis), _step(file, axis)) for axis in others)
    ]
    texts = []
    if bad:
        texts.append(
            f"{len(bad)} of {len(files)} files {'states' if len(bad) == 1 else 'state'} another "
            f"voxel size than the first: {bad[0].meta['source']} {_voxel(bad[0], others)}, "
            f"{first.meta['source']} {_voxel(first, others)}, which is used for all. If both are "
            "right, the files do not belong to one image."
        )
    return (*texts, *(text for axis in axes if axis != "C" for text in _places(files, axis)))


def _places(files: Sequence[Image], axis: str) -> tuple[str, ...]:
    """Return a sentence if files state a place in their recording that contradicts their order."""
    stated = _stated_places(files, axis)
    steps = _distances(stated)
    if not any(stated) or not steps or (min(steps) > 0 and math.isclose(min(steps), max(steps))):
        return ()
    shown = ", ".join(f"{number:g}" for number in stated[:8])
    return (
        f"the files state that they are number {shown} along {axis} of their recording, counted "
        "from 0: some are missing between them, or their names are in another order. A constant "
        f"step along {axis}, and what is computed between them, are wrong there.",
    )


def _step(image: Image, axis: str) -> Step:
    place = image.axes.index(axis)
    return image.scale[place], image.units[place]


def _same(one: Step, other: Step) -> bool:
    return one[1] == other[1] and math.isclose(one[0], other[0], rel_tol=_TOLERANCE)


def _voxel(image: Image, axes: Sequence[str]) -> str:
    steps = [(axis.lower(), *_step(image, axis)) for axis in axes if axis in "ZYX"]
    return ", ".join(
        f"{axis}={step:g} {unit}" if unit != UNCALIBRATED else f"{axis} unknown"
        for axis, step, unit in steps
    )
