"""Scores that do not depend on the canonical frame, and conventional answers to compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from data import SIZE, Recording
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, shift
from skimage.registration import optical_flow_ilk, phase_cross_correlation
from skimage.transform import warp

Array = NDArray[Any]
MARGIN, SMOOTH = 5, 8.0  # pixels
BAR_COLUMNS = slice(42, 84)
BARS = (slice(14, 22), slice(35, 43), slice(57, 65))  # rows of the phase target, by eye
GAPS = (slice(25, 31), slice(47, 53))


def spread(recording: Recording, forward: Array, *, everywhere: bool = True) -> tuple[float, float]:
    """Return the motion that is not explained and the motion itself, in pixels.

    Twice the mean distance of the places of material points from their mean over the frames:
    of the errors of the predicted places, and of the true ones. Points are followed that are
    in the frame all the time, a few pixels inside in the first one.

    Parameters
    ----------
    recording
        With its true motion.
    forward
        Displacement from the first frame in pixels, axes T C Y X.
    everywhere
        Whether to take points where there is nothing, too; else only those of the specimen, of at
        least a tenth of its largest value in the first frame.
    """
    motion, times, truth = recording.motion, recording.times, recording.truth
    assert motion is not None
    assert times is not None
    assert truth is not None
    points = np.mgrid[8 : SIZE - 8 : 2, 8 : SIZE - 8 : 2].reshape(2, -1).astype(float)
    if not everywhere:
        starts = np.mgrid[MARGIN : SIZE - MARGIN, MARGIN : SIZE - MARGIN].reshape(2, -1)
        first = truth[0] if truth.ndim == 3 else truth[0].max(0)
        points = motion.backward(starts[:, first[tuple(starts)] > 0.1 * first.max()], times[0])
    true = np.array([motion.forward(points, time) for time in times])
    kept = ((true >= 0) & (true <= SIZE - 1)).all((0, 1))
    true = true[:, :, kept]
    found = np.array(
        [
            true[0] + [map_coordinates(part, true[0], order=1, mode="nearest") for part in moved]
            for moved in forward
        ]
    )
    return _spread(found - true), _spread(true)


def _spread(places: Array) -> float:
    return float(2 * np.linalg.norm(places - places.mean(0), axis=1).mean())


def bar_contrast(phase: Array) -> float:
    """Return how far the bars of the phase target stand out of their gaps, 1 at most.

    The darkest bar minus the brightest gap, as a part of the mean difference of bars and gaps.

    Parameters
    ----------
    phase
        The part of the target that the benchmark uses, axes Y X.
    """
    profile = phase[:, BAR_COLUMNS].mean(1)
    bars, gaps = ([profile[rows].mean() for rows in parts] for parts in (BARS, GAPS))
    return float((min(bars) - max(gaps)) / (np.mean(bars) - np.mean(gaps)))


def correlation(result: Array, truth: Array) -> float:
    """Return the mean correlation over planes after their coarse parts were taken away."""
    values = [_fine(plane) for plane in result.reshape(-1, *result.shape[-2:])]
    wanted = [_fine(plane) for plane in truth.reshape(-1, *truth.shape[-2:])]
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(values, wanted, strict=True)]))


def _fine(plane: Array) -> Array:
    part: Array = (plane - gaussian_filter(plane, SMOOTH))[MARGIN:-MARGIN, MARGIN:-MARGIN].ravel()
    return part


def tikhonov_of(recording: Recording, frames: Array) -> Array:
    """Return the phase by Tikhonov from four contrast frames, axes Y X."""
    from napari_cellinr.acquisition import prepare
    from napari_cellinr.classic.deconvolve import tikhonov
    from napari_cellinr.config.optics import optics_from_dict
    from napari_cellinr.optics.dpc import DPCModel

    image = recording.image.like(frames.astype(np.float32))
    measurement = prepare(image, optics_from_dict(recording.optics))
    assert isinstance(measurement.model, DPCModel)
    phase: Array = tikhonov(measurement.model, torch.from_numpy(measurement.frames))[1].numpy()
    return phase


def conventional(recording: Recording) -> Array:
    """Return Tikhonov for each set of four frames, or the raw frames, axes T Y X."""
    raw = np.asarray(recording.image.array(), float)
    if recording.optics["kind"] != "dpc":
        return raw
    sets = [tikhonov_of(recording, raw[i : i + 4]) for i in range(0, len(raw), 4)]
    return np.repeat(sets, 4, 0)


def registered(recording: Recording, *, local: bool = False) -> Array:
    """Return registration and averaging: all frames brought to each frame, axes T Y X.

    Phase correlation finds one shift, iterative Lucas-Kanade (`local`) one for each pixel. Of
    phase-contrast frames, whose patterns differ, those of a set are brought to each of them and
    then reconstructed by Tikhonov.
    """
    raw = np.asarray(recording.image.array(), float)
    is_phase = recording.optics["kind"] == "dpc"
    results = []
    for i, reference in enumerate(raw):
        first = i // 4 * 4
        others = raw[first : first + 4] if is_phase else raw
        moved = np.array([_brought(frame, reference, local=local) for frame in others])
        results.append(tikhonov_of(recording, moved) if is_phase else moved.mean(0))
    return np.array(results)


def _brought(frame: Array, reference: Array, *, local: bool) -> Array:
    if local:
        flow = optical_flow_ilk(reference, frame, radius=7)
        places = np.indices(frame.shape) + flow
        brought: Array = warp(frame, places, mode="edge", order=3)
        return brought
    offset = phase_cross_correlation(reference, frame, upsample_factor=20)[0]
    moved: Array = shift(frame, offset, order=3, mode="nearest")
    return moved
