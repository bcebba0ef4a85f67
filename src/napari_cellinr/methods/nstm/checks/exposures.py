"""How wrong the motion may be between two exposures of the same material.

A scan records each row, or plane, at a time of its own. At the time of the frame, the position of
its material is interpolated between two exposures, or extrapolated beyond the last one, and
two fits agree on it although nothing was recorded then. The error of a linear interpolation tells
by how much: half of the acceleration, times the distances in time to both exposures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.optics.base import ForwardModel

__all__ = ["delays_of", "error_between"]

NEAR = 2
"""Frames before and after a time among which the nearest exposures are looked for."""


def delays_of(optics: ForwardModel) -> NDArray[np.float32] | None:
    """Return how much later than its frame each position is exposed, in the unit of the times.

    Parameters
    ----------
    optics
        The microscope.

    Returns
    -------
    NDArray or None
        Axes (frames, [Z,] Y, X) of the scene without its padding, of length 1 where all positions
        are exposed at once; None if those of a frame all are.
    """
    times = optics.shot_times().cpu().double().numpy()
    if times.ndim == 1 or optics.samples != 1:
        return None
    for axis, pad in enumerate(optics.padding, start=1):
        if pad and times.shape[axis] > 1:
            times = times.take(np.arange(pad, times.shape[axis] - pad), axis)
    frames = optics.frame_times().cpu().double().numpy()
    delays: NDArray[np.float32] = (times - frames.reshape(-1, *[1] * (times.ndim - 1))).astype(
        np.float32
    )
    return delays if np.ptp(delays) > 0 else None


def error_between(
    moved: NDArray[np.float32],
    frames: Sequence[float],
    delays: NDArray[np.float32] | None,
    times: Sequence[float],
) -> NDArray[np.float32]:
    """Return by how much the motion may be wrong at times at which its material was not exposed.

    Parameters
    ----------
    moved
        Displacement of the material of each position at each frame, (frames, axes, [Z,] Y, X),
        in pixels, of which a scan has as many as the scene has voxels; without `delays`, in any
        unit of length.
    frames
        Times of the frames.
    delays
        What `delays_of` returned.
    times
        When the error is wanted.

    Returns
    -------
    NDArray
        Axes (T, [Z,] Y, X), float32, in the unit of `moved`; 0 with fewer than three frames, whose
        motion has no acceleration, or if frames share a time.
    """
    when = np.asarray(frames, np.float64)
    shape = (len(times), *moved.shape[2:])
    if len(when) < 3 or (np.diff(when) <= 0).any():
        return np.zeros(shape, np.float32)
    exposed = _exposures(moved, when, delays)
    faster = _acceleration(moved, when)
    found = np.empty(shape, np.float32)
    for number, time in enumerate(times):
        middle = int(np.abs(when - time).argmin())
        first = min(max(middle - NEAR, 0), max(len(when) - 2 * NEAR - 1, 0))
        near = exposed[first : first + 2 * NEAR + 1]
        before = np.clip((near <= time).sum(0) - 1, 0, len(near) - 2)[None]
        gaps = [np.take_along_axis(near, before + k, 0)[0] - time for k in (0, 1)]
        found[number] = 0.5 * faster[middle] * np.abs(gaps[0] * gaps[1])
    return found


def _exposures(
    moved: NDArray[np.float32], frames: NDArray[np.float64], delays: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """Return when the material of each position is exposed in each frame, (frames, [Z,] Y, X)."""
    start = frames.reshape(-1, *[1] * (moved.ndim - 2))
    if delays is None:
        return np.broadcast_to(start, (len(frames), *moved.shape[2:]))
    exposed = np.empty((len(frames), *moved.shape[2:]))
    grid = np.indices(moved.shape[2:])
    for number, (shift, delay) in enumerate(zip(moved, delays, strict=True)):
        sizes = np.reshape(delay.shape, (-1, *[1] * delay.ndim))
        places = np.clip(np.rint(grid + shift).astype(int), 0, sizes - 1)
        exposed[number] = delay[tuple(places)]
    return exposed + start


def _acceleration(moved: NDArray[np.float32], frames: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest acceleration near each frame, (frames, [Z,] Y, X), per squared time."""
    steps = np.diff(frames).reshape(-1, *[1] * (moved.ndim - 1))
    speeds = np.diff(moved, axis=0) / steps
    changes = np.linalg.norm(np.diff(speeds, axis=0) / ((steps[1:] + steps[:-1]) / 2), axis=1)
    inner = np.concatenate([changes[:1], changes, changes[-1:]])
    largest: NDArray[np.float32] = maximum_filter1d(inner, 3, axis=0, mode="nearest")
    return largest.astype(np.float32)
