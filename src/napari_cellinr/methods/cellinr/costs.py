"""Memory and time of denoising, estimated from measured runs; does not load torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cellinr.fitting.resources.available import n_threads
from napari_cellinr.fitting.tiles import cut, halved
from napari_cellinr.methods.cellinr.field.boxes import learned_voxels
from napari_cellinr.methods.method import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = [
    "DENOISING_BYTES",
    "OVERLAP",
    "SMALLEST_TILE",
    "cost",
    "first_lengths",
    "is_together",
    "tiles",
]

SECONDS = (1.5, 2.2e-5)
"""CPU seconds per frame and per voxel: measured 6, 18 and 54 s for 0.2, 0.8 and 2.4 million."""

COARSE_SECONDS = (0.5, 6e-6)
"""The same if the initial estimate is faster than patch matching."""

ESTIMATE_SECONDS = {"volume": 7.1e-6, "plane": 1.7e-5}
"""CPU seconds per voxel of an initial estimate that a network corrects, also of synthetic noise."""

TOGETHER_SECONDS = {"volume": 5.2e-6, "plane": 4.4e-6}
"""CPU seconds per voxel of frames that are denoised together, which are filtered but once.

Measured: 4.9, 20 and 77 s for 16 planes of 256 × 256, 512 × 512 and 1024 × 1024 pixels; 1.7, 3.2
and 6.7 s for volumes of 5 × 12 × 64 × 64, 4 × 16 × 96 × 96 and 6 × 24 × 96 × 96 voxels, without
standard errors; with them 2.8, 4.5 and 8.7 s.
"""

TOGETHER_BASE = 1.2
"""CPU seconds of such a series besides, 0.5 to 0.9 of which are for its standard errors."""

STEP_SECONDS = {"volume": 0.018, "plane": 0.013}
"""CPU seconds of a step of the network; like all of these, with one thread."""

TURNED_SECONDS = 2.0e-6
"""CPU seconds per voxel of evaluating the network in eight orientations, with several rounds."""

SECOND_FILTER_SECONDS = 6e-6
"""CPU seconds per pixel of filtering a plane once more: measured 0.37 and 1.1 s for 256 × 256 and
512 × 512 pixels. Counted for each, though planes that the network improves enough do without."""

LEARNING_BYTES = 40.0
"""Additional memory in bytes per voxel of the synthetic images."""

IMAGE_BYTES = 24.0
"""Bytes per voxel of the whole input, for the input, two results and the fitted fields."""

ERROR_BYTES = 8.0
"""Bytes per voxel of a series for its standard errors, in the result and in the fit."""

DENOISING_BYTES = (4.2e8, 125.0)
"""Peak memory in bytes, the program itself included, and per voxel of a frame.

Measured with one thread: 0.45, 0.48, 0.51, 0.55 and 1.2 to 1.4 GB for a plane of 512 × 512 and
volumes of 24 × 96 × 96, 20 × 128 × 178, 48 × 96 × 96 and 70 × 256 × 356 voxels.
"""

THREAD_BYTES = 4.5e7
"""Peak memory of each further thread in bytes: measured 0.12 to 0.16 GB for three more."""

OVERLAP = 16
"""Voxels that neighbouring tiles share: more than the radius of any patch or kernel."""

SMALLEST_TILE = 32
"""Smallest length of a tile in voxels."""

LEAST_PART = 0.25
"""Smallest fraction of the free memory for voxels: Python may have its own share already."""


def first_lengths(shape: Sequence[int], free: float) -> tuple[int, ...]:
    """Return the largest tiles that fit into memory; one tile if the whole frame does.

    Parameters
    ----------
    shape
        Voxels of a frame along each axis.
    free
        Free memory in bytes.
    """
    base, each = DENOISING_BYTES
    most = max(free - base, LEAST_PART * free) / each
    lengths = tuple(shape)
    while math.prod(lengths) > most:
        smaller = halved(shape, lengths, OVERLAP)
        if max(smaller) < SMALLEST_TILE or smaller == lengths:
            break
        lengths = smaller
    return lengths


def tiles(image: Image, config: CellINRConfig, free: float) -> int:
    """Return the number of tiles of each frame.

    Parameters
    ----------
    image
        The input; only its shape counts.
    config
        The settings.
    free
        Free memory in bytes.
    """
    if config.fits_in_batches:
        return 1
    shape = [image.sizes[axis] for axis in "ZYX" if axis in image.axes]
    return len(cut(shape, first_lengths(shape, free), OVERLAP))


def cost(image: Image, config: CellINRConfig) -> Cost:
    """Return time and memory of denoising.

    Frames of a series are denoised together, or one after the other.

    Parameters
    ----------
    image
        The input; only its shape counts.
    config
        The settings.
    """
    n_frames = image.sizes.get("T", 1) * image.sizes.get("C", 1)
    n_voxels = math.prod(image.shape)
    frame = n_voxels / n_frames
    memory = _line(DENOISING_BYTES, frame) + IMAGE_BYTES * n_voxels
    memory += THREAD_BYTES * (n_threads() - 1)
    if config.is_published:
        return Cost(n_frames * config.cpu_seconds(), memory)
    if is_together(config, image.sizes.get("T", 1)):
        memory += ERROR_BYTES * n_voxels
        kind = "volume" if image.sizes.get("Z", 1) > 1 else "plane"
        return Cost(TOGETHER_BASE + TOGETHER_SECONDS[kind] * n_voxels, memory)
    if config.has_field:
        shape = [image.sizes.get(axis, 1) for axis in "ZYX"]
        seconds, more = _with_network(shape, config)
        return Cost(n_frames * seconds, memory + more)
    usual = config.estimate in {"auto", "groups"}
    return Cost(n_frames * _line(SECONDS if usual else COARSE_SECONDS, frame), memory)


def is_together(config: CellINRConfig, n_frames: int) -> bool:
    """Return whether the frames of a series are denoised together, if there is time for it.

    Parameters
    ----------
    config
        The settings.
    n_frames
        Of the series.
    """
    possible = config.preset == "fast" and config.coupling and n_frames > 1
    return possible and config.estimate in {"auto", "groups"}


def _with_network(shape: Sequence[int], config: CellINRConfig) -> tuple[float, float]:
    """Return seconds and additional memory of a frame whose estimate a network corrects."""
    kind = "plane" if shape[0] == 1 else "volume"
    each, step = ESTIMATE_SECONDS[kind], STEP_SECONDS[kind]
    frame, learned = math.prod(shape), config.repeats * learned_voxels(shape)
    seconds = config.rounds * (each * learned + config.steps * step)
    if config.rounds > 1:
        seconds += config.rounds * TURNED_SECONDS * (frame + learned)
    if kind == "plane" and config.rounds:
        seconds += SECOND_FILTER_SECONDS * frame
    return SECONDS[0] + each * frame + seconds, LEARNING_BYTES * learned


def _line(numbers: tuple[float, float], size: float) -> float:
    return numbers[0] + numbers[1] * size
