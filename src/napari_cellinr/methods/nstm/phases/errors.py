"""Error of a motion, by how uncertain the motion of the parts beside it is, and how far off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.nstm.phases.likelihood import LocalMotion

__all__ = ["AVERAGED_OVER", "FAR_WEIGHT", "KnownParts", "between"]

AVERAGED_OVER = 2.5
"""Standard deviation in pixels of the neighbourhood in which motion of parts is averaged: half of
`SPACING`, so that the parts beside a point count."""

FAR_WEIGHT = 1e-9
"""Weight of parts far away relative to those near, so that it decides only where none is near."""


@dataclass(frozen=True)
class KnownParts:
    """Parts of the frames: where they are in each frame, and how uncertain that is.

    Parameters
    ----------
    places
        In pixels, (parts, frames, 2).
    covariances
        What `curvature.covariance` returns for each part, (parts, frames, frames).
    moments
        When each frame was taken, as a fraction of the recording, (frames,). Colours of one
        exposure are frames with the same one.
    """

    places: NDArray[np.float64]
    covariances: NDArray[np.float64]
    moments: NDArray[np.float64]

    @classmethod
    def of(cls, found: LocalMotion, moments: NDArray[np.floating]) -> KnownParts | None:
        """Return them from their motion; None if there is no part.

        Parameters
        ----------
        found
            Motion of parts.
        moments
            When each frame was taken, as a fraction of the recording, (frames,).
        """
        if found.covariances is None or not len(found.places):
            return None
        places = found.places[:, None] + found.shifts
        return cls(places, found.covariances, np.asarray(moments, float))

    def errors(
        self,
        moved: NDArray[np.floating],
        times: Sequence[float],
        reference: float,
    ) -> NDArray[np.float32]:
        """Return the root mean square error of a motion, in pixels.

        If a part is at v with a variance s², a motion that puts it at m is wrong by s² + (m - v)²
        in the mean square. At each position, the parts beside it at the reference time count.

        Parameters
        ----------
        moved
            Displacement of the material at each position since the reference time, in pixels,
            (T, 2, Y, X).
        times, reference
            When it is there, and when it is at its position, as fractions of the recording.

        Returns
        -------
        numpy.ndarray
            (T, Y, X), float32.
        """
        now, then = (between(part, self.moments) for part in (times, [reference]))
        starts = then[0] @ self.places
        squares = np.empty((len(times), len(starts)))
        for number, (weights, field) in enumerate(zip(now - then[0], moved, strict=True)):
            off = [
                map_coordinates(part, starts.T, order=1, mode="nearest") - true
                for part, true in zip(field, (weights @ self.places).T, strict=True)
            ]
            variance = np.einsum("k,nkl,l->n", weights, self.covariances, weights)
            squares[number] = variance + np.square(off).sum(0)
        found = np.empty((len(times), *moved.shape[2:]), np.float32)
        columns = np.arange(moved.shape[3])
        for row in range(moved.shape[2]):  # all of a large frame at once would take much memory
            apart = (row - starts[:, :1]) ** 2 + (columns - starts[:, 1:]) ** 2
            beside = np.exp(-apart / (2 * AVERAGED_OVER**2)) + FAR_WEIGHT / (1 + apart)
            found[:, row] = np.sqrt(squares @ beside / beside.sum(0))
        return found


def between(times: Sequence[float], moments: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the weight of each frame in a linear interpolation at some times, (T, frames).

    Frames of one moment, such as the colours of an exposure, have the same weight.

    Parameters
    ----------
    times
        Where to interpolate; beyond the first and the last moment, these count.
    moments
        When each frame was taken, (frames,).
    """
    distinct, number = np.unique(moments, return_inverse=True)
    of_moment = np.equal(number, np.arange(len(distinct))[:, None]).astype(float)
    of_moment /= of_moment.sum(1, keepdims=True)
    found = np.stack([np.interp(times, distinct, row) for row in np.eye(len(distinct))], axis=1)
    weights: NDArray[np.float64] = found @ of_moment
    return weights
