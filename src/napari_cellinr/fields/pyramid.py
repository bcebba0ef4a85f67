"""Multiresolution grids on fixed lattices: the encoding of the space-time model.

The published method looks positions up in hash tables (Müller et al. 2022, "Instant neural
graphics primitives"). Here the positions never change, so that the encoding is a constant
linear map of small dense grids: there are no collisions, and it costs fifty times less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GridPyramid", "hat_weights", "level_cells", "window"]

FIRST_VALUES = 1e-4
"""Grids start with uniform random numbers of at most this size: almost flat."""


def level_cells(
    base: Sequence[float], finest: Sequence[float], levels: int
) -> tuple[tuple[int, ...], ...]:
    """Return the number of cells along each axis of each level, coarse to fine, each from 1.

    The numbers grow by the same factor from level to level, from `base` to `finest`.
    """
    return tuple(
        tuple(
            max(1, math.floor(first * (last / first) ** (level / max(levels - 1, 1)) + 1e-6))
            for first, last in zip(base, finest, strict=True)
        )
        for level in range(levels)
    )


def window(alpha: float, levels: int) -> tuple[float, ...]:
    """Return the weight of each level, 0 to 1, when a part `alpha` of the coarse-to-fine is done.

    Level l of L begins at alpha = l / L and counts fully from (l + 1) / L on (Park et al. 2021,
    "Nerfies", eq. 8).
    """
    parts = (min(max(alpha * levels - level, 0.0), 1.0) for level in range(levels))
    return tuple(0.5 * (1 - math.cos(math.pi * part)) for part in parts)


def hat_weights(positions: torch.Tensor, cells: int) -> torch.Tensor:
    """Return the weights of the vertices of a grid at `positions`, shape (…, cells + 1).

    Parameters
    ----------
    positions
        Places in the box, 0 at its low and 1 at its high end, any shape; what lies outside
        counts as being on the border.
    cells
        Number of cells, one less than there are vertices.
    """
    places = positions.clamp(0, 1)[..., None] * cells
    vertices = torch.arange(cells + 1, dtype=positions.dtype, device=positions.device)
    return (1 - (places - vertices).abs()).clamp(min=0)


class GridPyramid(nn.Module):
    """Grids of several resolutions over one box.

    Parameters
    ----------
    cells
        Number of cells along each axis of each level, coarse to fine.
    features
        Numbers at each vertex.
    generator
        Random numbers of the first values, on the CPU.
    """

    def __init__(
        self, cells: Sequence[Sequence[int]], features: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.cells = tuple(tuple(level) for level in cells)
        self.features = features
        self.grids = nn.ParameterList(
            nn.Parameter(
                FIRST_VALUES
                * (2 * torch.rand(features, *(n + 1 for n in level), generator=generator) - 1)
            )
            for level in self.cells
        )

    @property
    def n_features(self) -> int:
        """Number of values at every place: those of all levels."""
        return self.features * len(self.cells)

    def on_lattice(self, shape: Sequence[int], weights: Sequence[float]) -> torch.Tensor:
        """Return the values on a lattice that spans the box, shape (n_features, *shape).

        Parameters
        ----------
        shape
            Points along each of 2 or 3 axes; the outermost lie on the border of the box.
        weights
            Weight of each level; one of weight 0 costs nothing.
        """
        mode = {2: "bilinear", 3: "trilinear"}[len(shape)]
        layers = []
        for grid, weight in zip(self.grids, weights, strict=True):
            if weight == 0:
                layers.append(grid.new_zeros(self.features, *shape))
                continue
            fine = nn.functional.interpolate(
                grid[None], size=tuple(shape), mode=mode, align_corners=True
            )
            layers.append(fine[0] * weight)
        return torch.cat(layers)

    def on_product(
        self, axes: Sequence[torch.Tensor], times: torch.Tensor, weights: Sequence[float]
    ) -> torch.Tensor:
        """Return the values at places and times, shape (n_features, times, *places).

        The first axis of the grids is time.

        Parameters
        ----------
        axes
            Places along each axis of space, each of shape (n,), 0 to 1 within the box.
        times
            Times of each shot, 0 to 1, shape (times, …) with one element or as many as there
            are places along each axis of space: places may have times of their own.
        weights
            Weight of each level; one of weight 0 costs nothing.
        """
        shape = tuple(len(places) for places in axes)
        layers = []
        for grid, cells, weight in zip(self.grids, self.cells, weights, strict=True):
            if weight == 0:
                layers.append(grid.new_zeros(self.features, len(times), *shape))
                continue
            values = grid
            for axis, places in enumerate(axes, start=2):
                matrix = hat_weights(places, cells[axis - 1])
                values = torch.tensordot(values, matrix, dims=([2], [1]))
            layers.append(_at_times(values, hat_weights(times, cells[0])) * weight)
        return torch.cat(layers)


def _at_times(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return values of shape (features, times, *places) from those at the vertices of time.

    Parameters
    ----------
    values
        Shape (features, vertices, *places).
    weights
        Shape (times, …, vertices) with one element or all places in between.
    """
    if all(size == 1 for size in weights.shape[1:-1]):
        flat = weights.reshape(len(weights), -1)
        mixed: torch.Tensor = torch.tensordot(flat, values, dims=([1], [1])).movedim(0, 1)
        return mixed
    moved = weights.movedim(-1, 1)[None]  # (1, times, vertices, …)
    total: torch.Tensor = (moved * values[:, None]).sum(2)
    return total
