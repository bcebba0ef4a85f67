"""Parts of an image from which the network learns; so its cost does not grow with the image."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["choose_boxes", "learned_voxels"]

VOLUME, PLANE = (16, 64, 64), (1, 256, 256)
"""Voxels of a part along each axis, of a volume and of a plane."""

WHOLE = 1.25
"""Length of an image along each axis, in lengths of a part, up to which it is taken as a whole."""


def choose_boxes(
    estimate: NDArray[np.float32], lengths: Sequence[int] | None = None
) -> list[tuple[slice, ...]]:
    """Return the whole of a small image, of a larger one two parts: most and median contrast.

    Parts are chosen among those that cover the image and overlap as little as they can.

    Parameters
    ----------
    estimate
        Axes ZYX, float32; one plane is axes 1YX.
    lengths
        Voxels of a part along each axis; as a network learns from if not given.
    """
    lengths = lengths or _lengths(estimate.shape)
    axes = [
        [
            slice(int(start), int(start) + length)
            for start in np.linspace(0, size - length, math.ceil(size / length)).round()
        ]
        for size, length in zip(estimate.shape, lengths, strict=True)
    ]
    boxes = list(itertools.product(*axes))
    order = np.argsort([float(estimate[box].std()) for box in boxes], kind="stable")
    chosen = dict.fromkeys((int(order[-1]), int(order[len(order) // 2])))
    return [boxes[number] for number in chosen]


def learned_voxels(shape: Sequence[int]) -> int:
    """Return the voxels of all parts from which the network learns.

    Parameters
    ----------
    shape
        Voxels of the image along each axis, ZYX.
    """
    lengths = _lengths(shape)
    return math.prod(lengths) * (1 if lengths == list(shape) else 2)


def _lengths(shape: Sequence[int]) -> list[int]:
    """Return the voxels of a part along each axis, ZYX."""
    most = PLANE if shape[0] == 1 else VOLUME
    return [
        size if size <= WHOLE * length else length for size, length in zip(shape, most, strict=True)
    ]
