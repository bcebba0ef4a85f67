"""Clusters of hot pixels: the same in all planes and frames, and with sharp edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    correlate1d,
    find_objects,
    generate_binary_structure,
    label,
    median_filter,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["hot_clusters", "hot_text"]

_FEWEST, _MOST = 5, 48  # planes from which clusters can be told, and that are looked at
_WIDEST = 5  # pixels of a cluster along each axis
_AROUND = 9  # pixels along each axis of the median that counts as what is around
_HEIGHT = 8.0  # least height, in standard deviations of the noise of the median of all planes
_BRIGHT, _ABOVE = 0.99, 2.0  # quantile of the pixels that is the specimen's, and least height in it
_CORE = 0.25  # least height of a pixel of the core, in that of the highest
_HALO = (0.03, 3.0)  # largest height of the pixels next to the core: in its own, and in standard
# deviations of their mean; the microscope blurs all that it images by more
_STEADY = 0.5  # least height in all but a tenth of the planes, in the median one
_FEW = 0.01  # largest part of the pixels
_SECOND = np.array([1, -2, 1]) / 6**0.5


def hot_clusters(planes: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the clusters of two or more hot pixels that all planes have; None if there are none.

    A bead has a halo, and fades with the distance from the focus. Single hot pixels are found by
    `odd_pixels`.

    Parameters
    ----------
    planes
        Planes of one camera, of any z and time, axes Y, X each, real and finite.

    Returns
    -------
    NDArray or None
        Axes YX, bool.
    """
    if len(planes) < _FEWEST or min(planes[0].shape) < 2 * _WIDEST:
        return None
    some = np.stack([np.asarray(one, np.float32) for one in planes[:: -(-len(planes) // _MOST)]])
    middle = np.median(some, axis=0)
    height = middle - median_filter(middle, _AROUND, mode="nearest")
    rough = correlate1d(correlate1d(middle, _SECOND, 0), _SECOND, 1)
    noise = float(np.median(np.abs(rough))) / 0.6745
    # rows of other offsets, and lost columns, cut sharp pieces out of a specimen
    specimen = float(np.quantile(middle, _BRIGHT) - np.median(middle))
    least = max(_HEIGHT * noise, _ABOVE * specimen, 1e-6)
    labels, _ = label(height > least, np.ones((3, 3), bool))
    found = np.zeros(middle.shape, bool)
    for number, box in enumerate(find_objects(labels), 1):
        if max(part.stop - part.start for part in box) <= _WIDEST:
            wider = tuple(slice(max(0, part.start - 3), part.stop + 3) for part in box)
            own = labels[wider] == number
            if own.sum() > 1 and _is_hot(own, height[wider], some[(slice(None), *wider)], noise):
                found[wider] |= own
    return found if found.any() and found.mean() <= _FEW else None


def hot_text(mask: NDArray[np.bool_], channel: int | None = None) -> str:
    """Return a sentence that names the clusters.

    Parameters
    ----------
    mask
        Their pixels, axes YX, or ZYX if the same in all planes.
    channel
        Number of the channel from 0, if there are several.
    """
    plane = mask if mask.ndim == 2 else mask[0]
    labels, count = label(plane, np.ones((3, 3), bool))
    rows, columns = (box.start for box in find_objects(labels)[0])
    several, of_channel = count > 1, "" if channel is None else f" of channel {channel + 1}"
    return (
        f"{count} cluster{'s' * several} of hot pixels ({int(plane.sum())} pixels, "
        f"{'the first ' * several}at row {rows}, column {columns}) {'are' if several else 'is'} "
        f"the same in all planes{of_channel}; they were replaced by their neighbours."
    )


def _is_hot(
    own: NDArray[np.bool_],
    height: NDArray[np.float32],
    planes: NDArray[np.float32],
    noise: float,
) -> bool:
    """Return whether a cluster has sharp edges, and the same height in nearly all planes.

    Parameters
    ----------
    own
        Its pixels, axes YX.
    height
        Grey levels above what is around.
    planes
        The same part of all planes.
    noise
        Standard deviation of the noise of the heights.
    """
    core = own & (height > _CORE * float(height[own].max()))
    beside = binary_dilation(core, generate_binary_structure(2, 1)) & ~core
    around = binary_dilation(own, np.ones((3, 3), bool), iterations=3) & ~binary_dilation(
        own, np.ones((3, 3), bool)
    )
    if core.sum() < 2 or not beside.any() or not around.any():
        return False
    level = float(height[core].mean())
    # the median of few photons is 0 in the halo of what is dim, and their mean is not
    halo = max(
        float(one[beside].mean() - np.median(one[around])) for one in (height, _usual_mean(planes))
    )
    if halo > max(_HALO[0] * level, _HALO[1] * noise / float(beside.sum()) ** 0.5):
        return False
    heights = planes[:, core].mean(1) - np.median(planes[:, around], axis=1)
    return bool(np.quantile(heights, 0.1) > _STEADY * np.median(heights) > 0)


def _usual_mean(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of planes at each pixel, without the lowest and the highest tenth."""
    left_out = len(planes) // 10
    return np.asarray(np.sort(planes, axis=0)[left_out : len(planes) - left_out].mean(axis=0))
