"""Interpolation between voxels and nodes: partition of unity, exact planes, adjoint of means."""

import numpy as np
import pytest
import torch

from napari_cellinr.fields.grids.nodes import (
    block_lengths,
    block_means,
    blocks,
    cubic_blocks,
    interpolate,
    n_nodes,
    node_weights,
)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (7, 3), (16, 8), (9, 8), (2, 2)])
def test_weights_of_the_nodes_sum_to_one(size, stride):
    weights = node_weights(torch.arange(size), size, stride).dense()
    assert weights.shape == (size, n_nodes(size, stride))
    torch.testing.assert_close(weights.sum(1), torch.ones(size))


def test_a_linear_field_is_reproduced_between_the_outermost_nodes():
    size, stride = 32, 8
    nodes = (torch.arange(n_nodes(size, stride)) + 0.5) * stride - 0.5
    inside = torch.arange(4, 28)
    values = interpolate((3 * nodes + 1)[None], [node_weights(inside, size, stride)])
    torch.testing.assert_close(values[0], 3.0 * inside + 1)


def test_interpolation_is_separable():
    grid = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    weights = [node_weights(torch.arange(5), 5, 4), node_weights(torch.arange(11), 11, 4)]
    expected = torch.einsum("cab,ya,xb->cyx", grid, *(one.dense() for one in weights))
    torch.testing.assert_close(interpolate(grid, weights), expected)


def test_block_means_of_a_ragged_axis():
    values = torch.arange(7.0)[None]
    torch.testing.assert_close(block_means(values, (3,))[0], torch.tensor([1.0, 4.0, 6.0]))


def test_block_means_keep_a_constant():
    values = torch.full((2, 5, 6, 7), 3.0)
    means = block_means(values, (2, 4, 7))
    assert means.shape == (2, 3, 2, 1)
    assert (means == 3).all()


@pytest.mark.parametrize("shape", [(5, 4, 3), (7, 9), (1, 2, 2)])
@pytest.mark.parametrize("divided", [blocks, cubic_blocks])
def test_blocks_cover_every_voxel_once(shape, divided):
    count = np.zeros(shape, int)
    for block in divided(shape, 24):
        count[block] += 1
    assert (count == 1).all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((70, 256, 356), (8, 8, 8)),
        ((512, 512), (23, 22)),
        ((2, 100, 100), (2, 16, 16)),
        ((3, 4), (3, 4)),
    ],
)
def test_block_lengths_are_near_a_cube(shape, expected):
    assert block_lengths(shape, 512) == expected
