"""Memory and time of denoising, from runs that were measured; no torch, so that docks can ask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cellinr.fitting.tiles import cut, halved
from napari_cellinr.methods.method import Cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["DENOISING_BYTES", "OVERLAP", "SMALLEST_TILE", "cost", "first_lengths", "tiles"]

SECONDS = (1.5, 2.2e-5)
"""CPU seconds for a frame and for each of its voxels: 6, 18 and 54 s for 0.2, 0.8, 2.4 million."""

COARSE_SECONDS = (0.5, 6e-6)
"""The same where the initial estimate is a cheaper one than groups of patches."""

KEPT_BYTES = 24.0
"""For each voxel of the whole input: it, two results, and the fields that are kept."""

DENOISING_BYTES = (8.5e8, 200.0)
"""Largest memory for a frame and for each of its voxels, rather too much than too little.

Measured were 0.83, 1.07 and 0.97 GB for 0.2, 0.8 and 2.4 million voxels.
"""

OVERLAP = 16
"""Voxels that tiles share: farther than any patch or kernel reaches."""

SMALLEST_TILE = 32
"""Voxels along an axis below which tiles are not cut any more."""

LEAST_PART = 0.25
"""Part of the free memory that voxels may take in any case: Python may have its share already."""


def first_lengths(shape: Sequence[int], free: float) -> tuple[int, ...]:
    """Return the largest size of tiles that fit into memory; the whole image if that does.

    Parameters
    ----------
    shape
        Voxels of a frame along each axis.
    free
        Memory in bytes.
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
    """Return in how many tiles each frame is fitted.

    Parameters
    ----------
    image
        The input; its values are not looked at.
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
    """Return time and memory of denoising when frames are fitted one after the other.

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
    memory = _line(DENOISING_BYTES, frame) + KEPT_BYTES * n_voxels
    if config.is_published:
        return Cost(n_frames * config.cpu_seconds(), memory)
    usual = config.estimate in {"auto", "groups"}
    return Cost(n_frames * _line(SECONDS if usual else COARSE_SECONDS, frame), memory)


def _line(numbers: tuple[float, float], size: float) -> float:
    return numbers[0] + numbers[1] * size
