"""Linear interpolation along one axis, in memory linear in the number of positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["LARGEST_MATRIX", "Hats"]

LARGEST_MATRIX = 2**21
"""Most elements of a dense matrix of weights, positions times nodes: 8 MB.

Below it, one product of matrices is faster than looking up the two nodes of every position.
"""


@dataclass(frozen=True)
class Hats:
    """Weights of the nodes at positions along one axis: at most two nodes at each position.

    Parameters
    ----------
    places
        Positions in units of nodes, 0 to nodes − 1, shape (n,), float32; any shape for `two`.
    nodes
        Number of nodes.
    """

    places: torch.Tensor
    nodes: int

    def dense(self) -> torch.Tensor:
        """Return the weight of every node at every position, shape (n, nodes)."""
        nodes = torch.arange(self.nodes, dtype=self.places.dtype, device=self.places.device)
        return (1 - (self.places[:, None] - nodes).abs()).clamp(min=0)

    def two(self) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
        """Return the indices of the nodes left and right of each position, and their weights.

        Returns
        -------
        tuple
            Indices (left, right), int64, and weights (left, right), float32, each in the shape
            of the positions.
        """
        left = self.places.floor().long()
        right = (left + 1).clamp(max=self.nodes - 1)
        part = self.places - left
        return (left, right), (1 - part, part)

    def along(self, values: torch.Tensor, axis: int) -> torch.Tensor:
        """Return values at the nodes interpolated to the positions.

        Parameters
        ----------
        values
            Any axes; as many elements as nodes along `axis`.
        axis
            The axis to interpolate; it has n elements in the result.
        """
        if len(self.places) * self.nodes <= LARGEST_MATRIX:
            product: torch.Tensor = torch.tensordot(values, self.dense(), dims=([axis], [1]))
            return product.movedim(-1, axis)
        shape = [1] * values.ndim
        shape[axis] = -1
        (left, right), (first, second) = self.two()
        low = values.index_select(axis, left) * first.view(shape)
        return low + values.index_select(axis, right) * second.view(shape)
