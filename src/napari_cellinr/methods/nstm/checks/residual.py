"""Where the frames contradict the motion: the error of pixels that a fit has not seen.

Where things cross, or move against each other within a few pixels, one smooth motion cannot follow
all of them. Two fits may then agree on the same wrong motion, but the frames still differ from
both, and by more than around.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.nstm.problem import NSTMProblem
    from napari_cellinr.optics.base import ForwardModel

__all__ = ["at_material", "clear_edges", "contradiction", "displacements", "is_local"]

AROUND = 3.0
"""Standard deviation in pixels of the neighbourhood in which errors are averaged."""

CHANCE = 1.4
"""Mean squared error of a neighbourhood relative to the usual one, up to which it is chance: three
standard deviations of the mean of its 113 pixels."""

STEP = 2
"""Pixels between the places at which the result is kept."""

FINE = 1.0
"""Standard deviation in pixels of the Gaussian mean whose slopes are taken."""


def contradiction(halves: Sequence[NSTMProblem]) -> NDArray[np.float32] | None:
    """Return by which displacement each place of each frame would have to be wrong, in pixels.

    A displacement d leaves an error of d times the slope of the frame along it. So the squared
    error of the pixels that a fit has not seen, beyond the usual one, and the squared slope, both
    averaged over a neighbourhood, give d.

    Parameters
    ----------
    halves
        Fits to two halves of the pixels, each of which has held out the other half.

    Returns
    -------
    NDArray or None
        Axes (shots, [Z,] Y, X), every second pixel along Y and X, float32; None for a microscope
        whose frames do not show the specimen where it is.
    """
    first, second = halves
    if not is_local(first.optics):
        return None
    errors = torch.where(first.held, first.squared_errors(), second.squared_errors())
    counted = (first.held | second.held).cpu().numpy().astype(np.float64)
    squares = errors.cpu().numpy().astype(np.float64) * counted
    frames, sigmas = first.frames.cpu().numpy(), first.sigmas.cpu().numpy()
    part = 2 * (1 - first.part_seen)  # of the pixels that one of the fits has not seen
    chance = 1 + (CHANCE - 1) / math.sqrt(part)
    shift = displacements(squares, counted, frames, sigmas, chance)
    motion = max(half.model.largest_motion(half.times) for half in halves)
    moved = motion / min(first.optics.zoom[-2:])
    clear_edges(shift, 2 * AROUND + moved)
    far = float(max(first.plan.shape.displacement))
    return np.minimum(shift, far)[..., ::STEP, ::STEP].astype(np.float32)


def displacements(
    squares: NDArray[np.float64],
    counted: NDArray[np.float64],
    frames: NDArray[np.float32],
    sigmas: NDArray[np.float32],
    chance: float = CHANCE,
) -> NDArray[np.float64]:
    """Return which displacement would explain the errors of each neighbourhood, in pixels.

    Parameters
    ----------
    squares
        Squared errors in variances of the noise, 0 where they do not count; (shots, [Z,] Y, X).
    counted
        1 where they do.
    frames, sigmas
        The raw frames, and the standard deviation of their noise.
    chance
        Mean squared error of a neighbourhood relative to the usual one, up to which it is chance.

    Returns
    -------
    NDArray
        Axes as the frames; 0 where the errors are not larger than usual.
    """
    parts = [_of_frame(*each) for each in zip(squares, counted, frames, sigmas, strict=True)]
    level, slope = (np.stack(values) for values in zip(*parts, strict=True))
    steep = slope > np.quantile(slope, 0.5)
    usual = max(1.0, float(np.median(level[steep])))
    found: NDArray[np.float64] = np.sqrt(
        np.maximum(level - chance * usual, 0) / np.maximum(slope / 2, 1e-6)
    )
    return found


def clear_edges(shift: NDArray[np.float64], width: float) -> None:
    """Set a margin to 0: material that enters or leaves there is predicted badly whatever moves.

    Parameters
    ----------
    shift
        Axes (shots, [Z,] Y, X).
    width
        Of the margin in pixels; a quarter of the frame at most.
    """
    for axis in (-2, -1):
        n = shift.shape[axis]
        margin = min(math.ceil(width), n // 4)
        places = np.arange(n)
        near = (places < margin) | (places >= n - margin)
        np.moveaxis(shift, axis, 0)[near] = 0


def is_local(optics: ForwardModel) -> bool:
    """Return whether each frame shows the scene where it is, blurred or not."""
    sizes = [
        round(n * zoom) + 2 * pad
        for n, zoom, pad in zip(optics.data_shape[1:], optics.zoom, optics.padding, strict=True)
    ]
    return list(optics.scene_shape) == sizes


def _of_frame(
    squares: NDArray[np.float64],
    counted: NDArray[np.float64],
    frame: NDArray[np.float32],
    sigmas: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return squared error and squared slope of the neighbourhoods, in variances of the noise.

    Parameters
    ----------
    squares
        Squared errors in variances of the noise, 0 where they do not count; axes ([Z,] Y, X).
    counted
        1 where they do.
    frame, sigmas
        The raw frame, and the standard deviation of its noise.
    """
    sigma = (*(0.0,) * (frame.ndim - 2), AROUND, AROUND)
    fine = (*(0.0,) * (frame.ndim - 2), FINE, FINE)
    smooth = gaussian_filter(frame.astype(np.float64), fine)
    slopes = sum(np.gradient(smooth, axis=axis) ** 2 for axis in (-2, -1)) / sigmas**2
    weight = np.maximum(gaussian_filter(counted, sigma), 1e-3)
    return gaussian_filter(squares, sigma) / weight, gaussian_filter(slopes, sigma)


def at_material(
    shift: NDArray[np.float32], places: NDArray[np.float32], numbers: Sequence[int]
) -> NDArray[np.float32]:
    """Return the contradiction that the material of each point has met up to each time, in pixels.

    Parameters
    ----------
    shift
        What `contradiction` returned.
    places
        Where the material is at each time, in pixels of the frames, (T, axes, [Z,] Y, X).
    numbers
        The frame of each time.

    Returns
    -------
    NDArray
        Axes (T, [Z,] Y, X), float32.
    """
    steps = np.reshape([1.0] * (places.shape[1] - 2) + [STEP, STEP], (-1, *[1] * shift[0].ndim))
    found = [
        map_coordinates(shift[number], where / steps, order=1, mode="nearest")
        for where, number in zip(places, numbers, strict=True)
    ]
    return np.stack(found).astype(np.float32)
