"""Downstream use: cells found by a seeded watershed on the walls between them."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.segmentation import watershed

from napari_cellinr.metrics import dice

_SEED_RADIUS = 2.0  # voxels


def cell_dice(walls: np.ndarray, labels: np.ndarray, sigma: float) -> float:
    """Return the mean Dice coefficient of all cells with the simulated truth, 0 to 1.

    As in section 4.4 of the paper, seeds come from elsewhere (there from nuclei, here from
    the truth: the point of each cell that is farthest from its walls), and the image decides
    where the borders are.

    Parameters
    ----------
    walls
        The image in which the membranes are bright, axes ZYX.
    labels
        Cell of each voxel, 0 outside.
    sigma
        Standard deviation in voxels of a smoothing before the watershed.
    """
    heights = gaussian_filter(walls, sigma) if sigma > 0 else walls
    found = watershed(heights, _seeds(labels.tobytes(), labels.shape))
    numbers = [number for number in np.unique(labels) if number > 0]
    return float(np.mean([dice(found == number, labels == number) for number in numbers]))


@cache
def _seeds(stored: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return a small ball in each cell, numbered as it, and one number more far outside."""
    labels = np.frombuffer(stored, np.int32).reshape(shape)
    seeds = np.zeros(labels.shape, np.int32)
    positions = np.stack(np.indices(labels.shape), axis=-1)
    for number in np.unique(labels):
        depth = distance_transform_edt(labels == number)
        if number == 0:
            seeds[depth > 0.6 * depth.max()] = labels.max() + 1
            continue
        deepest = np.unravel_index(np.argmax(depth), depth.shape)
        ball = np.linalg.norm(positions - deepest, axis=-1) <= _SEED_RADIUS
        seeds[ball & (labels == number)] = number
    return seeds
