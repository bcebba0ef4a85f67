"""Where there is something to see, how wrong the motion is there, and where it is lost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_cellinr.methods.nstm.plan import frame_times
from napari_cellinr.motion import textured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.problem import NSTMProblem

__all__ = ["LOST", "doubted_texture", "lost_part", "motion_error", "shown", "structured"]

LOST = 1.0
"""Usual error of the motion in pixels above which material is lost."""

AROUND = 2.0
"""Standard deviation in pixels of the neighbourhood in which structure is looked for."""

CHANCE = 4.0
"""Standard deviations of the mean square of noise above which there is structure."""


def motion_error(
    images: Sequence[Image], reference: int, there: NDArray[np.bool_] | None = None
) -> float:
    """Return the error of the motion in pixels: the largest in time, the median over the texture.

    Parameters
    ----------
    images
        Scene, motion, speed, confidence and error.
    reference
        Number of the time at which the texture counts; the last time if there are fewer.
    there
        What `shown` says.
    """
    largest, chosen = _largest_error(images, reference, there)
    return float(np.median(largest[chosen]))


def lost_part(
    images: Sequence[Image],
    error: NDArray[np.float32],
    reference: int,
    there: NDArray[np.bool_] | None = None,
) -> tuple[float, tuple[int, ...]]:
    """Return which part of the texture has an error above `LOST`, and where most of it is.

    Material that leaves the image is not counted from then on: nothing tells its motion.

    Parameters
    ----------
    images, reference
        As for `motion_error`.
    error
        Of the motion, (T, [Z,] Y, X), in pixels.
    there
        What `shown` says.

    Returns
    -------
    float
        Part of the positions with texture, 0 to 1.
    tuple of int
        Middle of the largest region, in voxels of the result; empty if there is none.
    """
    from scipy.ndimage import center_of_mass, label

    _, chosen = _largest_error(images, reference, there)
    lost = chosen & ((error > LOST) & _inside(images[1])).any(0)
    if not lost.any():
        return 0.0, ()
    regions, _ = label(lost)
    widest = int(np.bincount(regions[lost]).argmax())
    middle = center_of_mass(regions == widest)
    return float(lost.sum() / chosen.sum()), tuple(round(place) for place in middle)


def doubted_texture(problem: NSTMProblem) -> float:
    """Return which part of the texture of a fit may be lost, so that another motion is tried.

    Here the error counts that nine of ten points do not reach, not the usual one, and all texture
    counts, also that of the noise of a phase, which `shown` leaves out: to try another motion once
    too often costs time only, since the better fit is kept.

    Parameters
    ----------
    problem
        A fit whose motion was checked.
    """
    images = problem.render()
    return lost_part(images, np.asarray(images[4].array()), problem.config.reference)[0]


def shown(problem: NSTMProblem) -> NDArray[np.bool_] | None:
    """Return where the frames of a phase show structure at the reference time, axes (Y, X).

    The noise of a phase, whose coarse parts are hardly transmitted, is texture like that of the
    specimen, so that empty places would count as places whose motion is not known.

    Parameters
    ----------
    problem
        A fit.

    Returns
    -------
    NDArray or None
        None if it is no phase in planes, or does not move: all of its texture counts.
    """
    optics = problem.optics
    if optics.nonnegative or not problem.config.moving:
        return None
    if problem.frames.ndim != 3 or any(zoom != 1 for zoom in optics.zoom):
        return None
    reference = frame_times(optics)[problem.config.reference]
    shots = optics.shot_times().flatten().tolist()  # one for each colour of an exposure
    moved = problem.rendering().displacement(shots, reference)
    contrast, bad = problem.frames.cpu().numpy(), problem.plan.bad
    return structured(np.where(bad, 0, contrast), ~bad, problem.plan.noise, moved)


def structured(
    frames: NDArray[np.floating],
    seen: NDArray[np.bool_],
    noise: float,
    moved: NDArray[np.floating],
) -> NDArray[np.bool_]:
    """Return where material differs from the background by more than noise, axes (Y, X).

    Parameters
    ----------
    frames
        Contrast, 0 in the background, (frames, Y, X).
    seen
        Which pixels are data, shape of the frames.
    noise
        Standard deviation of the noise.
    moved
        Displacement in pixels of the material that is at each position at the reference time,
        (frames, 2, Y, X).
    """
    sigma = (0.0, AROUND, AROUND)
    squares = gaussian_filter(np.where(seen, np.square(frames, dtype=float), 0.0), sigma)
    counted = gaussian_filter(seen.astype(float), sigma)
    grid = np.indices(frames.shape[1:])
    found, weight = (
        sum(
            map_coordinates(part, grid + field, order=1, mode="nearest")
            for part, field in zip(parts, moved, strict=True)
        )
        for parts in (squares, counted)
    )
    values = 4 * math.pi * AROUND**2 * np.maximum(weight, 1e-3)  # independent, of a mean
    more = found / np.maximum(weight, 1e-3) / noise**2 - 1
    there: NDArray[np.bool_] = more > CHANCE * np.sqrt(2 / values)
    return there


def _inside(motion: Image) -> NDArray[np.bool_]:
    """Return whether the material of each position is in the image at each time, (T, [Z,] Y, X)."""
    sizes = motion.shape[2:]
    step, last = (
        np.reshape(values, (-1, *[1] * len(sizes))) for values in (motion.scale[2:], sizes)
    )
    places = np.asarray(motion.array()) / step + np.indices(sizes)
    inside: NDArray[np.bool_] = ((places >= 0) & (places <= last - 1)).all(1)
    return inside


def _largest_error(
    images: Sequence[Image], reference: int, there: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the largest error in time, and where there is texture: everywhere if nowhere."""
    scene, error = images[0], np.asarray(images[4].array())
    if "C" in scene.axes:
        scene = scene.take("C", scene.sizes["C"] - 1)
    chosen = textured(scene, min(reference, len(error) - 1))
    if there is not None and (chosen & there).any():
        chosen &= there
    return error.max(0), chosen if chosen.any() else np.ones_like(chosen)
