"""Grey levels of raw frames as parts of their brightest, and pixels that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.defects import empty_part, lost_lines
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["to_unit", "without_data"]

_BRIGHT = 99.9
"""Percentile of the grey levels that becomes 1, so that a few hot pixels do not matter."""

_FACTOR, _NEAR = 2.0, 3
"""How many times brighter than those before it, and those after it, one frame is not counted."""


def without_data(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which pixels belong to blank frames, to parts without data, and to lost lines.

    Parameters
    ----------
    values
        Grey levels, axes (…, Y, X).
    """
    missing = np.zeros(values.shape, bool)
    planes, masks = (array.reshape(-1, *values.shape[-2:]) for array in (values, missing))
    for plane, mask in zip(planes, masks, strict=True):
        if plane.min() == plane.max():
            mask[...] = True
            continue
        for found in (lost_lines(plane), empty_part(plane)):
            if found is not None:
                mask |= found
    return missing


def _recorded(values: NDArray[Any]) -> NDArray[Any]:
    """Return the grey levels that were recorded: not those of blank frames and lost lines.

    A saturated blank frame, or a hot column, would otherwise make all others dark.
    """
    missing = without_data(values)
    missing[_far_brighter(values)] = True
    return values[~missing] if missing.any() and not missing.all() else values


def _far_brighter(values: NDArray[Any]) -> list[int]:
    """Return the frames that are far brighter than those before and after them, as by a fault."""
    if values.ndim < 3:
        return []
    floor = float(np.median([frame.min() for frame in values]))
    levels = [float(np.percentile(frame, _BRIGHT)) - floor for frame in values]
    return [
        number
        for number in range(1, len(levels) - 1)
        if levels[number] > _FACTOR * max(levels[max(0, number - _NEAR) : number])
        and levels[number] > _FACTOR * max(levels[number + 1 : number + 1 + _NEAR])
    ]


def to_unit(values: NDArray[Any], background: float) -> tuple[NDArray[np.float32], float]:
    """Return grey levels above the background, scaled so that bright parts are about 1.

    Parameters
    ----------
    values
        Grey levels, axes (…, Y, X).
    background
        Grey level of the camera without light.

    Returns
    -------
    NDArray
        Scaled values of the same shape, float32.
    float
        Grey levels that are 1 in them.

    Raises
    ------
    ConfigError
        If the background is not below the brightest parts.
    """
    bright = float(np.percentile(_recorded(values), _BRIGHT)) - background
    if bright <= 0:
        raise ConfigError(
            f"background {background:g} was given, but the brightest parts of the image are at "
            f"{bright + background:g}; give the grey level of the camera without light."
        )
    return ((values - background) / bright).astype(np.float32), bright
