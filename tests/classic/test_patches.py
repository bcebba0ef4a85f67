"""Patches: their distances are those of the definition, on any grid of corners."""

import itertools
import math

import numpy as np
import pytest
import torch

from napari_cellinr.classic.patches import distances

CORNERS = [[0, 4, 8], [0, 4, 5], [0], [0, 3]]


@pytest.mark.parametrize("n_axes", [1, 2, 3, 4])
def test_distances_are_sums_of_squared_differences(n_axes):
    patch, reach, corners = (3, 5, 2, 4)[:n_axes], (2, 1, 0, 3)[:n_axes], CORNERS[:n_axes]
    shape = [
        corner[-1] + wide + 2 * far for corner, wide, far in zip(corners, patch, reach, strict=True)
    ]
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    shifts = list(itertools.product(*(range(-far, far + 1) for far in reach)))
    found = torch.cat(list(distances(torch.from_numpy(image), reach, shifts, corners, patch)))
    assert found.shape == (len(shifts), math.prod(map(len, corners)))

    def patch_at(place):
        return image[
            tuple(
                slice(far + at, far + at + wide)
                for far, at, wide in zip(reach, place, patch, strict=True)
            )
        ]

    for shift, row in zip(shifts, found, strict=True):
        expected = [
            np.sum((patch_at(place) - patch_at(np.add(place, shift))) ** 2)
            for place in itertools.product(*corners)
        ]
        np.testing.assert_allclose(row.numpy(), expected, rtol=1e-5)
