"""Tracks of points and displacement arrows from the motion field of a reconstruction.

The motion field is an image of axes T C [Z] Y X, float32: for the material at each position in
the reference frame, its displacement at each time, in the unit of the image; C are the components
in the order of the spatial axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["Arrows", "Tracks", "arrows", "known", "seconds", "textured", "tracks", "visible_arrows"]

MOST_ARROWS = 5000
"""Largest number of arrows of one frame."""

VISIBLE_ARROWS = 700
"""Number of arrows of one frame that do not cover the scene in the viewer."""

SHORTEST = 0.3
"""Length in voxels below which an arrow is not shown."""

APART = 0.5
"""Smallest distance of arrows as a fraction of the length of the longer ones."""

FEWEST = 6
"""Smallest number of arrows along each axis of an image, however long they are."""

HALF = 0.5
"""Confidence below which a displacement is not shown; one half is an error of half a pixel."""

LOST = 0.5
"""Error of a displacement in pixels from which on a point is not tracked further."""

SURE = 0.15
"""Fraction of the strongest contrast below which motion cannot be seen."""


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
        times, points = np.nonzero(self.inside & ~self.lost)
        rows = np.column_stack([points, times, self.places[times, points]])
        return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


@dataclass(frozen=True)
class Arrows:
    """Displacements in the format of a napari vectors layer.

    Parameters
    ----------
    data
        Shape (arrows, 2, 1 + axes), float32, in time points and voxels: start of the arrow, the
        position in the reference frame, and its displacement, which is 0 along time.
    speed
        Speed of the material, shape (arrows,), in the unit of the image per unit of time.
    """

    data: NDArray[np.float32]
    speed: NDArray[np.float32]


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
    moved = _voxels(motion)
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


def arrows(
    motion: Image,
    *,
    step: Sequence[int] | int | None = None,
    threshold: float = 0.0,
    most: int = MOST_ARROWS,
) -> Arrows:
    """Return arrows on a regular grid at every time.

    Parameters
    ----------
    motion
        Motion field, axes T C [Z] Y X.
    step
        Spacing of the arrows in voxels, one for all axes or one per axis; the smallest that
        `most` allows if not given.
    threshold
        Arrows shorter than this are omitted, in the unit of the motion field.
    most
        Largest number of arrows of one frame; if there are more, they are thinned evenly.
    """
    moved = _voxels(motion)
    size = moved.shape[2:]
    if step is None:
        step = _step(size, most)
    strides = (step,) * len(size) if isinstance(step, int) else tuple(step)
    part = tuple(slice(min(n, m) // 2, None, n) for n, m in zip(strides, size, strict=True))
    places = [np.arange(m)[p] for m, p in zip(size, part, strict=True)]
    starts = np.stack(np.meshgrid(*places, indexing="ij"))
    everything = (slice(None), slice(None), *part)
    lengths, voxels = np.asarray(motion.array(), np.float32)[everything], moved[everything]
    far = np.linalg.norm(lengths, axis=1)
    speeds = _speed(lengths, seconds(motion))
    data, speed = [], []
    for time in range(len(lengths)):
        chosen = np.argwhere(far[time] >= max(threshold, 1e-6))
        if len(chosen) > most:
            chosen = chosen[np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        arrow = np.zeros((len(chosen), 2, 1 + len(size)), np.float32)
        arrow[:, 0, 0] = time
        arrow[:, 0, 1:] = starts[:, *chosen.T].T
        arrow[:, 1, 1:] = voxels[time][:, *chosen.T].T
        data.append(arrow)
        speed.append(speeds[time][*chosen.T])
    return Arrows(np.concatenate(data), np.concatenate(speed).astype(np.float32))


def visible_arrows(
    motion: Image,
    scene: Image,
    reference: int = 0,
    *,
    every: int | None = None,
    shortest: float | None = None,
    confidence: Image | None = None,
    error: Image | None = None,
) -> Arrows:
    """Return arrows where motion is well determined, few enough not to cover the scene.

    Parameters
    ----------
    motion
        Motion field, axes T C [Z] Y X.
    scene
        Reconstructed scene, axes T [Z] Y X.
    reference
        Index of the reference frame, in which the arrows start.
    every
        Spacing of the arrows along Y and X in voxels; if not given, the smallest at which arrows do
        not cover each other or the scene. There are arrows in every plane.
    shortest
        Arrows shorter than this are omitted, in the unit of the motion field; 0.3 voxels if not
        given.
    confidence
        Confidence of the motion, 0 to 1, axes T [Z] Y X; arrows below 0.5 are omitted.
    error
        Error of the motion in pixels, axes T [Z] Y X; arrows are omitted at the times at which it
        is half a pixel or more.
    """
    sure = known(scene, confidence, min(reference, scene.shape[0] - 1))
    least = SHORTEST * min(motion.steps[axis] for axis in "YX") if shortest is None else shortest
    planes = (1,) * (sure.ndim - 2)  # arrows in every plane: the viewer shows one at a time
    step = _room(motion, sure) if every is None else (*planes, every, every)
    found = arrows(motion, step=step, threshold=least)
    places = np.round(found.data[:, 0, 1:]).astype(int)
    kept = sure[tuple(places.T)] if len(places) else np.zeros(0, bool)
    if error is not None and len(places):
        times = found.data[:, 0, 0].astype(int)
        kept &= error.array()[(times, *places.T)] < LOST
    return Arrows(found.data[kept], found.speed[kept])


def known(scene: Image, confidence: Image | None, frame: int) -> NDArray[np.bool_]:
    """Return where the motion of a frame is well determined, axes ([Z,] Y, X).

    That is where the scene has texture and the confidence is at least 0.5.

    Parameters
    ----------
    scene
        Axes T [Z] Y X.
    confidence
        Confidence of the motion, 0 to 1, axes T [Z] Y X, or `None`.
    frame
        Index of the frame.
    """
    found = textured(scene, frame)
    if confidence is None:
        return found
    return found & (np.asarray(confidence.array()[frame]) >= HALF)


def textured(scene: Image, frame: int) -> NDArray[np.bool_]:
    """Return where a frame has enough contrast to see motion, axes ([Z,] Y, X).

    Parameters
    ----------
    scene
        Axes T [Z] Y X.
    frame
        Index of the frame.
    """
    from scipy.ndimage import gaussian_filter

    values = np.asarray(scene.array()[frame], np.float64)
    axes = [axis for axis, size in enumerate(values.shape) if size > 2]
    power = sum((np.gradient(values, axis=axis) ** 2 for axis in axes), np.zeros(values.shape))
    contrast = np.sqrt(gaussian_filter(power, 2.0))
    found: NDArray[np.bool_] = contrast > SURE * max(float(contrast.max()), 1e-30)
    return found


def seconds(motion: Image) -> tuple[float, ...]:
    """Return the time of each time point, in the unit of the image."""
    if "times" in motion.meta:
        return tuple(float(t) for t in motion.meta["times"])
    place = motion.axes.index("T")
    start, interval = motion.translate[place], motion.scale[place]
    return tuple(start + interval * i for i in range(motion.shape[place]))


def _voxels(motion: Image) -> NDArray[np.float32]:
    """Return displacements in voxels, axes T C [Z] Y X, float32."""
    space = motion.axes[2:]
    if motion.axes[:2] != "TC" or space not in {"YX", "ZYX"} or motion.shape[1] != len(space):
        raise AxesError(
            f"an image of axes {motion.axes} and shape {motion.shape} was given; a motion field "
            "has axes TCYX with 2 components, or TCZYX with 3. Give the motion of a "
            "reconstruction."
        )
    values = np.asarray(motion.array(), np.float32)
    size = np.array(motion.scale[2:], np.float32)
    return values / size.reshape(1, -1, *[1] * len(space))


def _at(values: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (times, components, *voxels) at points, linearly interpolated."""
    from scipy.ndimage import map_coordinates

    flat = values.reshape(-1, *values.shape[2:])
    found = [map_coordinates(part, points.T, np.float64, order=1, mode="nearest") for part in flat]
    return np.stack(found).reshape(*values.shape[:2], len(points))


def _step(size: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the smallest step, equal along all axes, that gives at most `most` points."""
    step = 1
    while math.prod(-(-n // step) for n in size) > most:
        step += 1
    return tuple(min(step, n) for n in size)


def _room(motion: Image, sure: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return steps at which arrows do not overlap where motion is well determined; 1 along Z."""
    plane, n_planes = sure.shape[-2:], math.prod(sure.shape[:-2])
    most = min(VISIBLE_ARROWS, MOST_ARROWS // n_planes) / max(0.05, float(sure.mean()))
    planes, step = (1,) * (sure.ndim - 2), _step(plane, max(1, round(most)))
    if not sure.any():
        return (*planes, *step)
    lengths = np.linalg.norm(_voxels(motion)[:, :, sure], axis=1).max(axis=0)
    apart = round(APART * float(np.quantile(lengths, 0.9)))
    spaced = (
        min(max(few, apart), max(few, size // FEWEST))
        for few, size in zip(step, plane, strict=True)
    )
    return (*planes, *spaced)


def _speed(lengths: NDArray[np.float32], times: Sequence[float]) -> NDArray[np.float64]:
    """Return the speed of each point at each time, axes (T, *points)."""
    if len(times) < 2:
        return np.zeros((len(lengths), *lengths.shape[2:]))
    rates = np.gradient(lengths.astype(np.float64), np.asarray(times, np.float64), axis=0)
    speed: NDArray[np.float64] = np.linalg.norm(rates, axis=1)
    return speed
