"""From physical settings to the sizes and rates of a space-time model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.fields.pyramid import level_cells
from napari_cellinr.methods.nstm.model import SpaceTimeShape
from napari_cellinr.methods.nstm.recording.noise import noise_map
from napari_cellinr.methods.nstm.recording.usable import (
    check_enough,
    is_comparable,
    left_out,
    unusable_pixels,
)
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "Plan",
    "check_reference",
    "check_times",
    "fading",
    "frame_times",
    "held_blocks",
    "held_frames",
    "plan",
]

LEVELS = 8
"""Levels of both encodings (Cao et al. 2024)."""

COARSEST = 10.0
"""Size of the cells of the first level of the scene, in camera pixels."""

FINEST = 2.0
"""Size of those of the last level in voxels of the scene, which may be finer than camera pixels:
structured illumination shows what is finer."""

USUAL_RANGE = 0.25
"""Movement over the whole recording where none is given, as a part of the image."""

USUAL_STRUCTURE = 0.1
"""Smallest moving structure where none is given, as a part of the image."""

CELLS_PER_STRUCTURE = 0.8
"""Cells of the motion along the smallest moving structure."""

POINTS_PER_CELL = 2
"""Points at which the motion is decoded, along each of its finest cells; twice as many take a
quarter of the time more, and change the motion by hundredths of a pixel."""

MOTION_RATE = 2.4
"""Learning rate of the motion times the number of steps, for a displacement scale of 1."""

BLOCK = 4
"""Side of a block of held-out pixels."""

MANY = 24
"""Number of frames from which on whole frames are held out instead of blocks."""

ONE_OF = 12
"""One of so many frames is held out then, so that its neighbours in time are not."""


@dataclass(frozen=True)
class Plan:
    """Sizes and rates of a fit.

    Parameters
    ----------
    shape
        Sizes of the space-time model.
    noise
        Standard deviation of the noise of the frames, in their unit: root mean square.
    noise_map
        That of every pixel, (shots, [Z,] Y, X).
    held
        Which pixels of the frames are held out, (shots, [Z,] Y, X).
    bad
        Which pixels are no data, such as those of blank frames, (shots, [Z,] Y, X).
    without
        What is wrong with the frames that are left out, by their position.
    times
        Time of every shot or place, 0 at the first and 1 at the last; shape (shots, …).
    first, last
        The first and the last time, in seconds or frames.
    motion_rate
        Learning rate of the motion.
    structure
        Size of the smallest structure that moves on its own, along each axis in voxels.
    """

    shape: SpaceTimeShape
    noise: float
    noise_map: NDArray[np.float32]
    held: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    times: torch.Tensor
    first: float
    last: float
    motion_rate: float
    structure: tuple[float, ...]
    without: Mapping[int, str] = field(default_factory=dict)

    @property
    def moments(self) -> torch.Tensor:
        """When each shot was taken, as a fraction of the recording, shape (shots,)."""
        return self.times.reshape(len(self.noise_map), -1).mean(1)


def fading(
    frames: torch.Tensor, moments: torch.Tensor, bad: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the decrease of the logarithm of the mean brightness over the recording, shape (1,).

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    moments
        When each was taken, as a fraction of the recording, shape (shots,).
    bad
        Which pixels do not count; all do if not given.
    """
    if bad is not None and bad.any():
        some = ~bad.flatten(1).all(1)
        frames, moments = torch.where(bad, frames[~bad].median(), frames)[some], moments[some]
    bright = frames.flatten(1).mean(1).clamp(min=1e-6).log()
    times = moments - moments.mean()
    slope = (times * bright).sum() / (times**2).sum().clamp(min=1e-12)
    return -slope.reshape(1)


def frame_times(model: ForwardModel) -> list[float]:
    """Return the time of each frame; colours of one band have the same, which counts once."""
    return list(dict.fromkeys(model.frame_times().tolist()))


def check_reference(reference: int, n_frames: int) -> None:
    """Raise `ConfigError` if the recording does not have the reference frame.

    Parameters
    ----------
    reference
        Number of the frame, from 0.
    n_frames
        Number of frames.
    """
    if reference >= n_frames:
        raise ConfigError(
            f"reference {reference} was given; the recording has {n_of(n_frames, 'frame')}, of "
            "which the first is 0."
        )


def check_times(chosen: int | tuple[float, ...] | None, times: torch.Tensor) -> None:
    """Raise `ConfigError` if a time to reconstruct is outside the recording.

    Parameters
    ----------
    chosen
        A number of times, times from the first on, or none.
    times
        Those of the shots.
    """
    lasting = float(times.max()) - float(times.min())
    if isinstance(chosen, tuple) and chosen[-1] > lasting * (1 + 1e-6):
        raise ConfigError(
            f"times {chosen[0]:g} to {chosen[-1]:g} were given; the recording lasts from 0 to "
            f"{lasting:g}. Motion is not extrapolated."
        )


def plan(measurement: Measurement, config: NSTMConfig) -> Plan:
    """Return sizes and rates of a fit to these raw frames.

    Parameters
    ----------
    measurement
        Forward model and raw frames.
    config
        The settings.
    """
    model = measurement.model
    times = model.shot_times().cpu().double()  # MPS has no float64
    first, last = float(times.min()), float(times.max())
    span = max(last - first, 1e-12)
    sizes = model.scene_shape
    part = ((times - first) / span).float().reshape(len(times), *_places(times, len(sizes)))
    reach = _reach(measurement, config, last - first)
    margin = [_margin(far, size) for far, size in zip(reach, sizes, strict=True)]
    low = tuple(-float(m) for m in margin)
    high = tuple(n - 1.0 + m for n, m in zip(sizes, margin, strict=True))
    extents = [end - start for start, end in zip(low, high, strict=True)]
    zoom = model.zoom
    coarsest = [max(1.0, e / (COARSEST * z)) for e, z in zip(extents, zoom, strict=True)]
    finest = [max(1.0, e / FINEST) for e in extents]
    structure = _structure(measurement, config)
    cells = [
        max(1.0, min(n * CELLS_PER_STRUCTURE / size, n / 4))
        for n, size in zip(sizes, structure, strict=True)
    ]
    n_times = max(1, len(times) - 1)
    shape = SpaceTimeShape(
        scene=tuple(sizes),
        low=low,
        high=high,
        canonical=tuple(int(extent) + 1 for extent in extents),
        scene_cells=level_cells(coarsest, finest, LEVELS),
        # From one cell on, in time as well: a fine start sticks where large motion is half right.
        motion_cells=level_cells([1.0] * (1 + len(sizes)), [n_times, *cells], LEVELS),
        motion_lattice=_motion_grid(sizes, cells, part),
        displacement=reach,
        channels=model.channels,
        layers=config.fixed_layers() if config.moving else 1,
    )
    generator = np.random.default_rng(config.seed)
    frames = measurement.frames
    held = held_frames(frames.shape, model.loss_margin, part)
    if not held.any():
        held = held_blocks(frames.shape, model.loss_margin, config.held_out, generator)
    rate = config.motion_rate * MOTION_RATE / config.steps if config.moving else 0.0
    optics = config.optics
    without = left_out(frames, optics.frames_per_set if is_comparable(optics) else 0)
    check_enough(without, len(frames))
    bad = unusable_pixels(frames, without)
    if (held & ~bad).any():
        held &= ~bad
    sigmas = noise_map(np.where(bad, np.median(frames[~bad]), frames), counts=model.nonnegative)
    noise = float(np.sqrt(np.mean(sigmas.astype(np.float64) ** 2)))
    return Plan(shape, noise, sigmas, held, bad, part, first, last, rate, structure, without)


def _margin(reach: float, size: int) -> int:
    """Return the voxels of the canonical scene outside of the image, at either end of an axis.

    Two more than the motion reaches are for cubic interpolation. Of very few pixels, they would
    double the memory.
    """
    if size == 1:
        return 0
    return math.ceil(reach) + (2 if size > 3 else 0)


def _places(times: torch.Tensor, n_axes: int) -> tuple[int, ...]:
    """Return the sizes of times along the axes of space: 1 where a shot is an instant."""
    return tuple(times.shape[1:]) if times.ndim > 1 else (1,) * n_axes


def _reach(measurement: Measurement, config: NSTMConfig, seconds: float) -> tuple[float, ...]:
    """Return the largest displacement along each axis, half the range, in voxels of the scene."""
    sizes = measurement.model.scene_shape
    if config.fastest_movement is None:
        return tuple(max(1.0, USUAL_RANGE * n / 2) if n > 1 else 0.0 for n in sizes)
    steps = measurement.voxel or (1.0,) * len(sizes)
    far = config.fastest_movement * seconds / 2
    return tuple(
        min(max(1.0, far / step), n / 2) if n > 1 else 0.0
        for n, step in zip(sizes, steps, strict=True)
    )


def _structure(measurement: Measurement, config: NSTMConfig) -> tuple[float, ...]:
    """Return the size of the smallest structure that moves on its own, in voxels of the scene."""
    sizes = measurement.model.scene_shape
    steps = measurement.voxel or (1.0,) * len(sizes)
    widest = max(n * step for n, step in zip(sizes, steps, strict=True))
    structure = config.smallest_structure or USUAL_STRUCTURE * widest
    return tuple(structure / step for step in steps)


def _motion_grid(
    sizes: tuple[int, ...], cells: list[float], times: torch.Tensor
) -> tuple[int, ...]:
    """Return the points per axis at which motion is decoded; all if they have own times."""
    return tuple(
        size if n_times > 1 else min(size, math.ceil(POINTS_PER_CELL * n) + 1)
        for size, n, n_times in zip(sizes, cells, times.shape[1:], strict=True)
    )


def held_frames(
    shape: tuple[int, ...], margin: tuple[int, ...], times: torch.Tensor
) -> NDArray[np.bool_]:
    """Return which pixels are held out where there are enough frames: some frames as a whole.

    They test the motion between the neighbouring frames. None are held out of few frames, or
    where each position has a time of its own.

    Parameters
    ----------
    shape
        Of the frames, (shots, [Z,] Y, X).
    margin
        Pixels along each spatial axis that do not count.
    times
        Of the shots, shape (shots, …).
    """
    held = np.zeros(shape, bool)
    if shape[0] < MANY or len(times) != shape[0] or times.numel() != len(times):
        return held
    inside = (slice(m, n - m) for m, n in zip(margin, shape[1:], strict=True))
    held[(slice(ONE_OF // 2, shape[0] - 1, ONE_OF), *inside)] = True
    return held


def held_blocks(
    shape: tuple[int, ...],
    margin: tuple[int, ...],
    part: float,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """Return which pixels are held out: blocks at random places, inside the margin.

    Parameters
    ----------
    shape
        Of the frames, (shots, [Z,] Y, X).
    margin
        Pixels along each spatial axis that do not count.
    part
        Fraction of the pixels to hold out.
    generator
        Random numbers.
    """
    coarse = (*shape[:-2], math.ceil(shape[-2] / BLOCK), math.ceil(shape[-1] / BLOCK))
    chosen = generator.random(coarse) < part
    held = chosen.repeat(BLOCK, -2).repeat(BLOCK, -1)[..., : shape[-2], : shape[-1]].copy()
    inside = np.zeros(shape, bool)
    inside[(slice(None), *(slice(m, n - m) for m, n in zip(margin, shape[1:], strict=True)))] = True
    held &= inside
    if not held.any():
        held[(0, *(n // 2 for n in shape[1:]))] = True
    return held
