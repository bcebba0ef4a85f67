"""Values that the camera, or a program, has cut off at the ends of the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.pixels import saturated_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SATURATED", "limit_warnings"]

SATURATED = 1e-3
"""Fraction of the voxels that may be saturated without a warning."""

_CUT_OFF = 1e-2  # the same for the lowest value
_SOME = 1_000_000  # voxels that are looked at
_LEVELS = 32  # fewest different values: fewer are labels, or single photons
_NEXT = 4  # values next to the extreme one that it is compared with
_MORE = 5.0  # least number of voxels with the extreme value, in that of each of these
_STEEP = 2.0  # largest ratio of the numbers of the next two values; it is larger for dim photons


def limit_warnings(values: NDArray[Any]) -> list[str]:
    """Return sentences about values that lie at the ends of the range more often than they can.

    Parameters
    ----------
    values
        Grey levels of all voxels that are used, any shape.
    """
    saturated = saturated_part(values)
    some = values.reshape(-1)[:: values.size // _SOME + 1]
    some = some[np.isfinite(some)]
    levels, counts = np.unique(some, return_counts=True)
    if saturated > SATURATED:
        high = (
            f"{100 * saturated:.1f} % of the voxels are saturated: they are brighter than the "
            "camera can record, so the result is too dark there."
        )
    elif (part := _excess(counts[::-1])) > SATURATED:
        high = (
            f"{100 * part:.1f} % of the voxels have the largest value, {levels[-1]:g}, as if they "
            "were saturated, or cut off by a program; the result is too dark there."
        )
    else:
        high = ""
    low = ""
    if (part := _excess(counts)) > _CUT_OFF:
        low = (
            f"{100 * part:.1f} % of the voxels have the lowest value, {levels[0]:g}, as if all "
            "that is darker was cut off; the result is too bright there, and the noise is not "
            "well known."
        )
    return [text for text in (high, low) if text]


def _excess(counts: NDArray[np.intp]) -> float:
    """Return the fraction of voxels with the first of many values; 0 if others are as frequent."""
    if len(counts) < _LEVELS:
        return 0.0
    first, *others = counts[: 1 + _NEXT].tolist()
    if first < _MORE * max(others) or others[0] > _STEEP * others[1] + _NEXT:
        return 0.0
    return float(first / counts.sum())
