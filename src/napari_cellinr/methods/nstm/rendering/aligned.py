"""The recording itself, aligned: every raw frame moved to where its material was at one time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from napari_cellinr.methods.nstm.checks.residual import is_local
from napari_cellinr.methods.nstm.plan import frame_times
from napari_cellinr.methods.nstm.rendering.material import Material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.methods.nstm.problem import NSTMProblem

__all__ = ["aligned", "can_align"]


def can_align(problem: NSTMProblem, source: Image) -> bool:
    """Return whether the frames of a recording show the specimen where it is, one after the other.

    Parameters
    ----------
    problem
        The fit.
    source
        The recording, axes T [C] [Z] Y X, or others that count the raw frames.
    """
    frames = tuple(problem.frames.shape)
    space = source.shape[len(source.shape) - len(frames) + 1 :]
    count = source.sizes.get("T", 1) if "Z" in source.axes else frames[0]
    return is_local(problem.optics) and space == frames[1:] and count == frames[0]


def aligned(problem: NSTMProblem, source: Image) -> Image:
    """Return a recording whose material is where it was in the reference frame, float32.

    Each raw frame is interpolated, by cubic splines, where its material was when the frame, or each
    row or plane of it, was recorded. Nothing else changes: noise and brightness are those of the
    recording. Material that was outside of a frame is 0 there.

    Parameters
    ----------
    problem
        The fit, of one channel or all.
    source
        The recording with all its channels, as for `can_align`.
    """
    space = problem.frames.ndim - 1
    values = np.asarray(source.array(), np.float32)
    rows = values.reshape(len(problem.frames), -1, *values.shape[-space:])
    found = np.empty_like(rows)
    for number, places in enumerate(_places(problem)):
        sizes = np.reshape(values.shape[-space:], (-1, *[1] * space))
        inside = ((places >= -0.5) & (places <= sizes - 0.5)).all(0)
        for channel, frame in enumerate(rows[number]):
            moved = map_coordinates(frame, places, order=3, mode="nearest")
            found[number, channel] = np.where(inside, moved, 0)
    return source.like(found.reshape(values.shape), name=f"{source.name} aligned")


def _places(problem: NSTMProblem) -> list[NDArray[np.float32]]:
    """Return where the material of each pixel is in each frame, in pixels, (axes, [Z,] Y, X)."""
    optics, model = problem.optics, problem.model
    shape, samples = problem.plan.shape.scene, optics.samples
    axes = [
        torch.arange(n, dtype=torch.float32) * zoom + pad
        for n, zoom, pad in zip(problem.frames.shape[1:], optics.zoom, optics.padding, strict=True)
    ]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij")).to(problem.device)
    reference = frame_times(optics)[problem.config.reference]
    plan = problem.plan
    part = (reference - plan.first) / max(plan.last - plan.first, 1e-12)
    moment = torch.full((1, *[1] * len(shape)), part * problem.config.moving, device=problem.device)
    steps = torch.tensor(optics.zoom, device=problem.device).reshape(-1, *[1] * len(shape))
    found = []
    material = Material(model, moment.float(), grid)
    for shot in range(len(problem.frames)):
        middle = shot * samples + samples // 2
        there = material.at(problem.times[middle : middle + 1])
        found.append(((there - grid) / steps).cpu().numpy())
    own = np.indices(problem.frames.shape[1:], np.float32)
    return [moved + own for moved in found]
