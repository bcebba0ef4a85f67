"""Parts of an image from which the network learns; so its cost does not grow with the image."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["choose_boxes"]

VOLUME, PLANE = (16, 64, 64), (1, 256, 256)
"""Voxels of a part along each axis, of a volume and of a plane."""

WHOLE = 1.5
"""Length of an image along each axis, in lengths of a part, up to which it is taken as a whole."""


def choose_boxes(estimate: NDArray[np.float32]) -> list[tuple[slice, ...]]:
    """Return the whole of a small image, of a larger one two parts: most and median contrast.

    Parameters
    ----------
    estimate
        Axes ZYX, float32; one plane is axes 1YX.
    """
    most = PLANE if estimate.shape[0] == 1 else VOLUME
    if all(size <= WHOLE * length for size, length in zip(estimate.shape, most, strict=True)):
        return [tuple(slice(0, size) for size in estimate.shape)]
    axes = []
    for size, length in zip(estimate.shape, most, strict=True):
        if size <= WHOLE * length:
            axes.append([slice(0, size)])
            continue
        starts = np.linspace(0, size - length, size // length).round().astype(int)
        axes.append([slice(int(start), int(start) + length) for start in starts])
    boxes = list(itertools.product(*axes))
    order = np.argsort([float(estimate[box].std()) for box in boxes], kind="stable")
    chosen = dict.fromkeys((int(order[-1]), int(order[len(order) // 2])))
    return [boxes[number] for number in chosen]
