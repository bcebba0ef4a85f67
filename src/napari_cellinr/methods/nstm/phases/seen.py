"""Motion of the parts of frames of which not every pixel is data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.methods.nstm.phases.errors import between
from napari_cellinr.methods.nstm.phases.likelihood import (
    LARGEST_MOTION,
    PART_WIDTH,
    LocalMotion,
    local_motion,
    part_places,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_cellinr.methods.nstm.phases.spectra import Transfer

__all__ = ["FEW_FRAMES", "filled", "motion_of_seen"]

FEW_FRAMES = 3
"""Smallest number of frames: of two, a difference of the scene may always be motion."""

LEAST_SEEN = 0.9
"""Part of the window of a part that has to be data: the edge of the rest looks like structure."""

FILLED_FROM = 1.5
"""Standard deviation in pixels of the neighbourhood that fills pixels without data."""


def motion_of_seen(
    frames: NDArray[np.floating],
    transfer: Transfer,
    grid: tuple[int, int],
    moments: NDArray[np.floating],
    noise: float,
    seen: NDArray[np.bool_],
    *,
    reach: float = LARGEST_MOTION,
    width: float = PART_WIDTH,
    is_stopped: Callable[[], bool] = lambda: False,
) -> LocalMotion | None:
    """Return the most likely motion of the parts of which at least `LEAST_SEEN` is data.

    The frames are cut to the box of the pixels that are data in all of them, since an edge between
    data and none looks like structure that rests. Frames without any data take no part; the shifts
    in these are interpolated in time.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X).
    transfer, grid, moments, noise, reach, width, is_stopped
        As for `local_motion`.
    seen
        Which pixels are data, shape of the frames.

    Returns
    -------
    LocalMotion or None
        Without parts, with a gain of 0, if too few pixels are data. None if it was stopped.
    """
    kept = np.flatnonzero(seen.any((1, 2)))
    common = np.logical_and.reduce(seen[kept])
    if len(kept) < FEW_FRAMES or not common.any():
        return _without_parts(len(frames))
    rows, columns = (
        slice(int(found[0]), int(found[-1]) + 1)
        for found in (np.flatnonzero(common.any(1)), np.flatnonzero(common.any(0)))
    )
    inside = seen[kept][:, rows, columns]
    places = part_places(inside.shape[1:])
    places = places[_part_seen(inside, places, width) >= LEAST_SEEN]
    if not len(places):
        return _without_parts(len(frames))
    times = np.asarray(moments, float)
    one = local_motion(
        filled(frames[kept][:, rows, columns], inside),
        (transfer[0][kept], transfer[1][kept]),
        grid,
        times[kept],
        noise,
        places=places,
        reach=reach,
        width=width,
        is_stopped=is_stopped,
    )
    if one is None:
        return None
    assert one.covariances is not None
    weights = between(times.tolist(), times[kept])
    weights[kept] = np.eye(len(kept))  # a colour keeps what it tells, beside others of its moment
    return replace(
        one,
        places=places + np.array([rows.start, columns.start]),
        shifts=weights @ one.shifts,
        covariances=weights @ one.covariances @ weights.T,
    )


def filled(frames: NDArray[np.floating], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return frames whose unseen pixels are the mean of the seen ones beside them.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X).
    seen
        Which pixels count.
    """
    sigma = (0.0, FILLED_FROM, FILLED_FROM)
    weight = gaussian_filter(seen.astype(float), sigma)
    mean = gaussian_filter(np.where(seen, frames, 0.0).astype(float), sigma)
    values: NDArray[np.float64] = np.where(seen, frames, mean / np.maximum(weight, 0.1))
    return values


def _without_parts(n_frames: int) -> LocalMotion:
    """Return what is known if no part of the frames is data."""
    shifts, covariances = np.empty((0, n_frames, 2)), np.empty((0, n_frames, n_frames))
    return LocalMotion(np.empty((0, 2)), shifts, np.empty(0), 0.0, np.inf, covariances=covariances)


def _part_seen(
    seen: NDArray[np.bool_], places: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Return which part of the window of each place is data, in the frame with least, (parts,)."""
    y, x = np.minimum(np.rint(places).astype(int), np.array(seen.shape[1:]) - 1).T
    whole = gaussian_filter(np.ones(seen.shape[1:]), width, mode="constant")
    amounts = gaussian_filter(seen.astype(float), (0, width, width), mode="constant")
    parts: NDArray[np.float64] = (amounts / whole)[:, y, x].min(0)
    return parts
