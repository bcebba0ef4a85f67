"""A smooth field on grids of nodes, and least squares around each node."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_cellinr.fields.grids.nodes import interpolate, n_nodes, node_weights, two_nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GridField", "solve_kernels"]


class GridField(nn.Module):
    """A smooth vector-valued field: the sum of linearly interpolated grids of several strides.

    Parameters
    ----------
    shape
        Number of voxels along each spatial axis.
    strides
        For each grid, the voxels per node along each axis.
    channels
        Number of values at each position.
    """

    def __init__(
        self, shape: Sequence[int], strides: Sequence[Sequence[int]], channels: int
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.strides = tuple(tuple(stride) for stride in strides)
        self.grids = nn.ParameterList(
            torch.zeros(channels, *map(n_nodes, self.shape, stride)) for stride in self.strides
        )

    def forward(self, positions: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the values on the grid of `positions`.

        Parameters
        ----------
        positions
            Voxel coordinates along each axis, shape (n,) each.

        Returns
        -------
        torch.Tensor
            Shape (channels, n along axis 1, …), float32.
        """
        parts = []
        for grid, stride in zip(self.grids, self.strides, strict=True):
            weights = [
                node_weights(place, size, step)
                for place, size, step in zip(positions, self.shape, stride, strict=True)
            ]
            parts.append(interpolate(grid, weights))
        return torch.stack(parts).sum(0)

    def at_points(self, points: torch.Tensor) -> torch.Tensor:
        """Return the values at scattered points, the same as `forward` gives there.

        Parameters
        ----------
        points
            Voxel coordinates, shape (n, spatial axes).

        Returns
        -------
        torch.Tensor
            Shape (channels, n), float32.
        """
        total = torch.zeros(self.grids[0].shape[0], len(points), device=points.device)
        for grid, stride in zip(self.grids, self.strides, strict=True):
            corners = [
                two_nodes(points[:, axis], size, step)
                for axis, (size, step) in enumerate(zip(self.shape, stride, strict=True))
            ]
            for corner in itertools.product((0, 1), repeat=len(corners)):
                index = tuple(nodes[side] for (nodes, _), side in zip(corners, corner, strict=True))
                weight = [part[side] for (_, part), side in zip(corners, corner, strict=True)]
                total = total + grid[(slice(None), *index)] * torch.stack(weight).prod(0)
        return total


def solve_kernels(moments: torch.Tensor, targets: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return the ridge-regression coefficients at every node.

    Solves (M + ridge · 1) a = b at each node, where M and b are `moments` and `targets`, averaged
    over the neighbourhood of the node.

    Parameters
    ----------
    moments
        Mean products of the features, shape (features, features, nodes…).
    targets
        Mean products of each feature with the target, shape (features, nodes…).
    ridge
        Added to the diagonal; the features should have a mean square of 1.

    Returns
    -------
    torch.Tensor
        Shape (features, nodes…), float32.
    """
    n_features = len(targets)
    spatial = targets.shape[1:]
    matrix = moments.reshape(n_features, n_features, -1).permute(2, 0, 1).double()
    right = targets.reshape(n_features, -1).T.double()
    matrix = matrix + ridge * torch.eye(n_features, dtype=torch.float64, device=matrix.device)
    solution: torch.Tensor = torch.linalg.solve(matrix, right)
    return solution.T.reshape(n_features, *spatial).float()
