"""Tracks of material points, from the motion field of a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError
from napari_cellinr.motion.field import LOST, speed_of, times_of, voxels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["Tracks", "tracks"]


@dataclass(frozen=True)
class Tracks:
    """Positions of material points at each time.

    Parameters
    ----------
    places
        Positions in voxels of the result, shape (times, points, axes), float32.
    inside
        Whether a point is in the field of view, shape (times, points).
    error
        Error of each position in pixels of the frames, shape (times, points), float32; None if it
        is not known.
    """

    places: NDArray[np.float32]
    inside: NDArray[np.bool_]
    error: NDArray[np.float32] | None = None

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Where a point is lost, since its position has become too uncertain, (times, points).

        A point that is lost at one time is lost at all later ones, and at all earlier ones if it is
        lost before the reference time, at which the error is smallest.
        """
        if self.error is None:
            return np.zeros(self.inside.shape, bool)
        uncertain = self.error >= LOST
        start = int(self.error.mean(axis=1).argmin())
        later = np.logical_or.accumulate(uncertain[start:], axis=0)
        earlier = np.logical_or.accumulate(uncertain[start::-1], axis=0)[::-1]
        return np.concatenate([earlier[:-1], later])

    def as_rows(self) -> NDArray[np.float64]:
        """Return rows (track, time point, position…), as in napari tracks.

        Tracks have gaps where a point is out of view, and end where it is lost.
        """
        points, times = np.nonzero((self.inside & ~self.lost).T)
        return np.column_stack([points, times, self.places[times, points]])

    def of_rows(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return values, shape (times, points), in the order of `as_rows`."""
        return np.asarray(values.T[(self.inside & ~self.lost).T], np.float64)

    def speed(self, motion: Image) -> NDArray[np.float64]:
        """Return the speed of each point at each time, in the unit of the motion per unit of time.

        Parameters
        ----------
        motion
            The motion field that the tracks follow.

        Returns
        -------
        NDArray
            Shape (times, points), float64.
        """
        return speed_of(np.moveaxis(self._metric(motion), 2, 1), times_of(motion))

    def distance(self, motion: Image) -> NDArray[np.float64]:
        """Return the length of the path of each point since the first time, (times, points).

        Parameters
        ----------
        motion
            The motion field that the tracks follow; the length is in its unit.
        """
        steps = np.linalg.norm(np.diff(self._metric(motion), axis=0), axis=-1)
        start = np.zeros((1, steps.shape[1]))
        return np.concatenate([start, np.cumsum(steps, axis=0)]).astype(np.float64)

    def displacement(self, motion: Image) -> NDArray[np.float64]:
        """Return how far each point is from where it was first, (times, points), float64.

        Parameters
        ----------
        motion
            The motion field that the tracks follow; the length is in its unit.
        """
        places = self._metric(motion)
        return np.asarray(np.linalg.norm(places - places[:1], axis=-1), np.float64)

    def _metric(self, motion: Image) -> NDArray[np.float64]:
        """Return the positions in the unit of the motion, (times, points, axes)."""
        found: NDArray[np.float64] = self.places.astype(np.float64) * np.array(motion.scale[2:])
        return found


def tracks(motion: Image, seeds: NDArray[np.floating], error: Image | None = None) -> Tracks:
    """Return the tracks of the material points that are at `seeds` in the reference frame.

    Parameters
    ----------
    motion
        Motion field, axes T C [Z] Y X.
    seeds
        Positions in voxels of the motion field, shape (points, axes).
    error
        Error of the motion in pixels, axes T [Z] Y X, if it is known.

    Raises
    ------
    AxesError
        If the image is not a motion field, or the seeds have another number of axes.
    """
    moved = voxels(motion)
    n_axes = moved.shape[1]
    points = np.asarray(seeds, np.float64)
    if points.ndim != 2 or points.shape[1] != n_axes or not len(points):
        raise AxesError(
            f"seeds of shape {points.shape} were given; one row of {n_axes} coordinates per point "
            "is needed."
        )
    places = points + np.moveaxis(_at(moved, points), 1, 2)
    size = np.array(moved.shape[2:])
    inside = np.all((places >= -0.5) & (places <= size - 0.5), axis=-1, keepdims=False)
    if error is None:
        return Tracks(places.astype(np.float32), inside)
    values = np.asarray(error.array(), np.float32)[:, None]
    return Tracks(places.astype(np.float32), inside, _at(values, points)[:, 0].astype(np.float32))


def _at(values: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (times, components, *voxels) at points, linearly interpolated."""
    from scipy.ndimage import map_coordinates

    flat = values.reshape(-1, *values.shape[2:])
    found = [map_coordinates(part, points.T, np.float64, order=1, mode="nearest") for part in flat]
    return np.stack(found).reshape(*values.shape[:2], len(points))
