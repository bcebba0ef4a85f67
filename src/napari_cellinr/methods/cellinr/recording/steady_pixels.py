"""Single hot and dead pixels: the same in all images, and without the halo of what is imaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import correlate1d, maximum_filter, median_filter

from napari_cellinr.classic.camera.pixels import has_halo

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["steady_pixels", "steady_text"]

_FEWEST = 2  # images; of one, `odd_pixels` finds them
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
_SD = 1.4826  # standard deviation of normal numbers in units of their median deviation
_ODD = 12.0  # least distance from the pixels around, in standard deviations of all such distances
_ABOVE_NOISE = 4.0  # and in those of the noise of one image
_NEARLY_ALL = 0.85  # smallest part of the images in which they differ: noise hides some
_LEAST = 0.25  # by at least this part of the usual difference: that of one image is noisy
_BRIGHT = 3.0  # largest noise of bright places, in the usual noise
_MOST = 0.01  # largest part of the pixels
_SECOND = np.array([1, -2, 1]) / 6**0.5


def steady_pixels(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return by how much hot and dead pixels differ from those around; None if there are none.

    The offsets of the other pixels are found without them: one that is a thousand grey levels
    away from all others would leave traces in the rows, columns and pixels around it.

    Parameters
    ----------
    values
        Grey levels of one camera, axes (image, Y, X).

    Returns
    -------
    NDArray or None
        Axes YX, grey levels; 0 for all other pixels.
    """
    if len(values) < _FEWEST or min(values.shape[1:]) < len(_RING):
        return None
    middle = np.median(values, axis=0)
    away = middle - median_filter(middle, footprint=_RING, mode="mirror")
    usual = _SD * float(np.median(np.abs(away)))
    # single photons on nothing are no hot pixels
    if usual <= 0 or not (np.abs(away) > _ODD * usual).any():
        return None
    rough = correlate1d(correlate1d(values, _SECOND, 1), _SECOND, 2)
    noise = _SD * float(np.median(np.abs(rough)))
    spread = _SD * np.median(np.abs(values - middle), axis=0)
    around = median_filter(spread, footprint=_RING, mode="mirror").clip(noise, _BRIGHT * noise)
    odd = np.abs(away) > np.maximum(_ODD * usual, _ABOVE_NOISE * around)
    if noise <= 0 or not odd.any() or odd.mean() > _MOST:
        return None
    odd[odd] = _steady(values, np.argwhere(odd), away[odd])
    units = (middle / noise).astype(np.float32)
    for sign in (1, -1):
        side = odd & (sign * away > 0)
        # beside a small object is a pixel with one bright neighbour, which is brighter itself
        side &= sign * middle >= maximum_filter(sign * middle, 3, mode="mirror")
        odd &= side | (sign * away <= 0)
        places = np.argwhere(side)
        if len(places):
            odd[tuple(places[has_halo(sign * units, places)].T)] = False
    return np.where(odd, away, 0).astype(np.float32) if odd.any() else None


def _steady(
    values: NDArray[np.float32], places: NDArray[np.int64], heights: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Return which pixels are brighter, or darker, than those around in nearly all images.

    Where a photon is many grey levels, chance makes some pixels bright in half of the images.

    Parameters
    ----------
    values
        Grey levels, axes (image, Y, X).
    places
        Row and column of each pixel, shape (pixel, 2).
    heights
        By how much each usually differs from those around, shape (pixel,).

    Returns
    -------
    NDArray
        Shape (pixel,).
    """
    rows, columns = places.T
    n_rows, n_columns = values.shape[1:]
    ring = [
        values[:, _mirrored(rows + y, n_rows), _mirrored(columns + x, n_columns)]
        for y, x in np.argwhere(_RING) - 1
    ]
    part = (values[:, rows, columns] - np.median(ring, axis=0)) / heights
    return np.asarray((part > _LEAST).mean(0) >= _NEARLY_ALL)


def _mirrored(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return places along an axis; those one beyond its ends are mirrored at the outermost one."""
    return np.asarray(size - 1 - np.abs(size - 1 - np.abs(places)))


def steady_text(heights: NDArray[np.float32], of_channel: str = "") -> str:
    """Return a sentence about the pixels that were found.

    Parameters
    ----------
    heights
        What `steady_pixels` returns.
    of_channel
        Words that name the channel.
    """
    rows, columns = np.nonzero(heights)
    several = len(rows) > 1
    most = float(np.abs(heights).max())
    return (
        f"{len(rows)} hot or dead pixel{'s' * several}{of_channel} "
        f"({'the first ' * several}at row {rows[0]}, column {columns[0]}) "
        f"differ{'s' * (not several)} from those around by up to {most:.3g} grey levels in all "
        "images; this was subtracted."
    )
