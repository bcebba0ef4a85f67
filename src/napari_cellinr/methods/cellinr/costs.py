"""Memory of a denoising fit, from runs that were measured; no torch, so that docks can ask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_cellinr.fitting.tiles import cut, halved

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DENOISING_BYTES", "OVERLAP", "SMALLEST_TILE", "first_lengths", "tiles_needed"]

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


def tiles_needed(shape: Sequence[int], free: float) -> int:
    """Return in how many tiles a frame will be fitted."""
    return len(cut(shape, first_lengths(shape, free), OVERLAP))
