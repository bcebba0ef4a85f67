"""Displacement arrows, from the motion field of a reconstruction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from napari_cellinr.motion.field import LOST, speed_of, times_of, voxels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = [
    "ARROWS",
    "ArrowKind",
    "Arrows",
    "arrows",
    "known",
    "textured",
    "visible_arrows",
]

ArrowKind: TypeAlias = Literal["reference", "next"]

ARROWS: Final[dict[ArrowKind, str]] = {
    "reference": "from the place in the reference frame to the place now",
    "next": "from the place now to the place at the next time",
}
"""What an arrow shows, with a description of each kind."""

MOST_ARROWS = 5000
"""Largest number of arrows of one frame."""

VISIBLE_ARROWS = 700
"""Number of arrows of one frame that do not cover the scene in the viewer."""

SHORTEST: Final[dict[ArrowKind, float]] = {"reference": 0.3, "next": 0.1}
"""Length in voxels below which an arrow is not shown."""

APART = 0.5
"""Smallest distance of arrows as a fraction of the length of the longer ones."""

FEWEST = 6
"""Smallest number of arrows along each axis of an image, however long they are."""

HALF = 0.5
"""Confidence below which a displacement is not shown; one half is an error of half a pixel."""

SURE = 0.15
"""Fraction of the strongest contrast below which motion cannot be seen."""


@dataclass(frozen=True)
class Arrows:
    """Displacements in the format of a napari vectors layer.

    Parameters
    ----------
    data
        Shape (arrows, 2, 1 + axes), float32, in time points and voxels: start of the arrow and its
        displacement, which is 0 along time.
    speed
        Speed of the material, shape (arrows,), in the unit of the image per unit of time.
    """

    data: NDArray[np.float32]
    speed: NDArray[np.float32]


def arrows(
    motion: Image,
    *,
    step: Sequence[int] | int | None = None,
    threshold: float = 0.0,
    most: int = MOST_ARROWS,
    kind: ArrowKind = "reference",
) -> Arrows:
    """Return arrows on a regular grid of material points at every time.

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
    kind
        One of `ARROWS`; there are no arrows to the next time at the last one.
    """
    return _moved(motion, step, threshold, most, kind)[0]


def _moved(
    motion: Image,
    step: Sequence[int] | int | None,
    threshold: float,
    most: int,
    kind: ArrowKind,
) -> tuple[Arrows, NDArray[np.intp]]:
    """Return arrows, and the voxel of the reference frame that each belongs to, (arrows, axes)."""
    moved = voxels(motion)
    size = moved.shape[2:]
    if step is None:
        step = _step(size, most)
    strides = (step,) * len(size) if isinstance(step, int) else tuple(step)
    part = tuple(slice(min(n, m) // 2, None, n) for n, m in zip(strides, size, strict=True))
    places = [np.arange(m)[p] for m, p in zip(size, part, strict=True)]
    material = np.stack(np.meshgrid(*places, indexing="ij"))
    everything = (slice(None), slice(None), *part)
    lengths, steps = np.asarray(motion.array(), np.float32)[everything], moved[everything]
    speeds = speed_of(lengths, times_of(motion))
    starts = np.broadcast_to(material, steps.shape).astype(np.float32)
    if kind == "next":
        starts = (starts + steps)[:-1]
        lengths, steps = np.diff(lengths, axis=0), np.diff(steps, axis=0)
    far = np.linalg.norm(lengths, axis=1)
    data: list[NDArray[np.float32]] = [np.zeros((0, 2, 1 + len(size)), np.float32)]
    speed: list[NDArray[np.float64]] = [np.zeros(0)]
    points: list[NDArray[np.intp]] = [np.zeros((0, len(size)), np.intp)]
    for time in range(len(lengths)):
        chosen = np.argwhere(far[time] >= max(threshold, 1e-6))
        if len(chosen) > most:
            chosen = chosen[np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        arrow = np.zeros((len(chosen), 2, 1 + len(size)), np.float32)
        arrow[:, 0, 0] = time
        arrow[:, 0, 1:] = starts[time][:, *chosen.T].T
        arrow[:, 1, 1:] = steps[time][:, *chosen.T].T
        data.append(arrow)
        speed.append(speeds[time][*chosen.T])
        points.append(material[:, *chosen.T].T)
    found = Arrows(np.concatenate(data), np.concatenate(speed).astype(np.float32))
    return found, np.concatenate(points)


def visible_arrows(
    motion: Image,
    scene: Image,
    reference: int = 0,
    *,
    every: int | None = None,
    shortest: float | None = None,
    confidence: Image | None = None,
    error: Image | None = None,
    kind: ArrowKind = "reference",
) -> Arrows:
    """Return arrows where motion is well determined, few enough not to cover the scene.

    Parameters
    ----------
    motion
        Motion field, axes T C [Z] Y X.
    scene
        Reconstructed scene, axes T [Z] Y X.
    reference
        Index of the reference frame.
    every
        Spacing of the arrows along Y and X in voxels; if not given, the smallest at which arrows do
        not cover each other or the scene. There are arrows in every plane.
    shortest
        Arrows shorter than this are omitted, in the unit of the motion field; 0.3 voxels if not
        given, 0.1 voxels for arrows to the next time.
    confidence
        Confidence of the motion, 0 to 1, axes T [Z] Y X; arrows below 0.5 are omitted.
    error
        Error of the motion in pixels, axes T [Z] Y X; arrows are omitted at the times at which it
        is half a pixel or more.
    kind
        One of `ARROWS`.
    """
    sure = known(scene, confidence, min(reference, scene.shape[0] - 1))
    least = shortest
    if least is None:
        least = SHORTEST[kind] * min(motion.steps[axis] for axis in "YX")
    planes = (1,) * (sure.ndim - 2)  # arrows in every plane: the viewer shows one at a time
    step = _room(motion, sure, kind) if every is None else (*planes, every, every)
    found, places = _moved(motion, step, least, MOST_ARROWS, kind)
    kept = sure[tuple(places.T)] if len(places) else np.zeros(0, bool)
    if error is not None and len(places):
        errors, times = error.array(), found.data[:, 0, 0].astype(int)
        kept &= errors[(times, *places.T)] < LOST
        if kind == "next":
            kept &= errors[(times + 1, *places.T)] < LOST
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


def _step(size: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the smallest step, equal along all axes, that gives at most `most` points."""
    step = 1
    while math.prod(-(-n // step) for n in size) > most:
        step += 1
    return tuple(min(step, n) for n in size)


def _room(motion: Image, sure: NDArray[np.bool_], kind: ArrowKind) -> tuple[int, ...]:
    """Return steps at which arrows do not overlap where motion is well determined; 1 along Z."""
    plane, n_planes = sure.shape[-2:], math.prod(sure.shape[:-2])
    most = min(VISIBLE_ARROWS, MOST_ARROWS // n_planes) / max(0.05, float(sure.mean()))
    planes, step = (1,) * (sure.ndim - 2), _step(plane, max(1, round(most)))
    if not sure.any():
        return (*planes, *step)
    moved = voxels(motion)[:, :, sure]
    moved = np.diff(moved, axis=0) if kind == "next" and len(moved) > 1 else moved
    lengths = np.linalg.norm(moved, axis=1).max(axis=0)
    apart = round(APART * float(np.quantile(lengths, 0.9)))
    spaced = (
        min(max(few, apart), max(few, size // FEWEST))
        for few, size in zip(step, plane, strict=True)
    )
    return (*planes, *spaced)
