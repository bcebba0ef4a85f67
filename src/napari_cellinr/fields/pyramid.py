"""Multiresolution feature grids: the encoding of the space-time model.

The published method uses hash tables (Müller et al. 2022, "Instant neural graphics
primitives"). Here positions are on fixed grids, so that the encoding is a constant linear map of
small dense grids: there are no hash collisions, and it costs fifty times less.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_cellinr.fields.grids.hats import LARGEST_MATRIX, Hats

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GridPyramid", "Lattice", "level_cells", "window"]

FIRST_VALUES = 1e-4
"""Grids are initialised with uniform random numbers up to this size: almost flat."""

MANY_POINTS = 256
"""Points along an axis up to which a product of matrices is faster than interpolation."""


def level_cells(
    base: Sequence[float], finest: Sequence[float], levels: int
) -> tuple[tuple[int, ...], ...]:
    """Return the number of cells, at least 1, along each axis of each level, coarse to fine.

    The numbers grow by the same factor from level to level, as in Müller et al. 2022, eq. 2.

    Parameters
    ----------
    base, finest
        Number of cells along each axis of the coarsest and of the finest level.
    levels
        Number of levels.
    """
    return tuple(
        tuple(
            max(1, math.floor(first * (last / first) ** (level / max(levels - 1, 1)) + 1e-6))
            for first, last in zip(base, finest, strict=True)
        )
        for level in range(levels)
    )


def window(alpha: float, levels: int) -> tuple[float, ...]:
    """Return the weight of each level, 0 to 1, in a coarse-to-fine optimisation.

    Level l of L starts at alpha = l / L and has weight 1 from (l + 1) / L on (Park et al. 2021,
    "Nerfies", eq. 8).

    Parameters
    ----------
    alpha
        Progress of the coarse-to-fine schedule; at 1 and above all weights are 1.
    levels
        Number of levels.
    """
    parts = (min(max(alpha * levels - level, 0.0), 1.0) for level in range(levels))
    return tuple(0.5 * (1 - math.cos(math.pi * part)) for part in parts)


class GridPyramid(nn.Module):
    """Feature grids of several resolutions over one box.

    Parameters
    ----------
    cells
        Number of cells along each axis of each level, coarse to fine.
    features
        Number of features at each vertex.
    generator
        Random generator of the initial values, on the CPU.
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
        """Number of features at every position, those of all levels together."""
        return self.features * len(self.cells)

    def on_grid(self, shape: Sequence[int], weights: Sequence[float]) -> torch.Tensor:
        """Return the features on a regular grid that spans the box, shape (n_features, *shape).

        Parameters
        ----------
        shape
            Points along each of 2 or 3 axes; the outermost lie on the border of the box.
        weights
            Weight of each level; levels of weight 0 are not evaluated.
        """
        layers = []
        for grid, weight in zip(self.grids, weights, strict=True):
            if weight == 0:
                layers.append(grid.new_zeros(self.features, *shape))
            else:
                layers.append(_spread(grid * weight, shape))
        return torch.cat(layers)

    def on_lattice(self, lattice: Lattice, weights: Sequence[float]) -> torch.Tensor:
        """Return the features on a lattice in space and time, (n_features, times, *positions).

        The first axis of the grids is time.

        Parameters
        ----------
        lattice
            Of these levels; made once, it serves all steps of a fit.
        weights
            Weight of each level; levels of weight 0 are not evaluated.
        """
        layers = []
        for level, (grid, weight) in enumerate(zip(self.grids, weights, strict=True)):
            if weight == 0:
                layers.append(grid.new_zeros(self.features, *lattice.shape))
            else:
                layers.append(lattice.values(level, grid * weight))
        return torch.cat(layers)


class Lattice:
    """Positions in space and time, with the weights of the vertices of each level for them.

    Parameters
    ----------
    cells
        Number of cells along time and each spatial axis, for each level.
    axes
        Positions along each spatial axis, each of shape (n,), 0 to 1 within the box.
    times
        Times of each shot, 0 to 1, shape (times, …): along each spatial axis one element, or
        one per position if positions are recorded at different times.
    """

    def __init__(
        self,
        cells: Sequence[Sequence[int]],
        axes: Sequence[torch.Tensor],
        times: torch.Tensor,
    ) -> None:
        self.times = times
        self.shape = (len(times), *(len(places) for places in axes))
        self._space = [
            [_Along(places, n) for places, n in zip(axes, level[1:], strict=True)]
            for level in cells
        ]
        is_instant = times[0].numel() == 1
        self._instants = [_Along(times.flatten(), n[0]) for n in cells] if is_instant else []
        self._nodes = [n[0] + 1 for n in cells]

    def values(self, level: int, grid: torch.Tensor) -> torch.Tensor:
        """Return the values of the grid of a level, (features, times, *positions).

        Parameters
        ----------
        level
            Number of the level.
        grid
            Its nodes, (features, times, *nodes).
        """
        for axis, along in reversed(list(enumerate(self._space[level], start=2))):
            grid = along(grid, axis)
        if self._instants:
            return self._instants[level](grid, 1)
        return _at_times(grid, self.times, self._nodes[level])


class _Along:
    """Interpolation along one axis, with weights that are computed once.

    Parameters
    ----------
    places
        Positions, 0 to 1, shape (n,).
    cells
        Number of cells.
    """

    def __init__(self, places: torch.Tensor, cells: int) -> None:
        self._hats = Hats(places.clamp(0, 1) * cells, cells + 1)
        is_small = len(places) * (cells + 1) <= LARGEST_MATRIX
        self._weights = self._hats.dense() if is_small else None

    def __call__(self, values: torch.Tensor, axis: int) -> torch.Tensor:
        """Return values at the vertices interpolated to the positions, along an axis."""
        if self._weights is None:
            return self._hats.along(values, axis)
        return _times_matrix(values, self._weights, axis)


def _times_matrix(values: torch.Tensor, weights: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the product with a matrix (n, vertices) along an axis, which then has n elements."""
    if axis == values.ndim - 1:
        return values @ weights.T
    behind = values.shape[axis + 1 :]
    product: torch.Tensor = weights @ values.flatten(axis + 1)
    return product.reshape(*product.shape[:-1], *behind)


def _spread(grid: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return a grid on a finer one with the same outermost points, (features, *shape)."""
    if max(shape) > MANY_POINTS:
        mode = {2: "bilinear", 3: "trilinear"}[len(shape)]
        return nn.functional.interpolate(grid[None], tuple(shape), mode=mode, align_corners=True)[0]
    for axis in range(len(shape), 0, -1):
        matrix = _between(shape[axis - 1], grid.shape[axis], grid.device)
        grid = _times_matrix(grid, matrix, axis)
    return grid


@lru_cache(maxsize=256)
def _between(count: int, vertices: int, device: torch.device) -> torch.Tensor:
    """Return the weight of each vertex at equally spaced points, (points, vertices)."""
    places = torch.linspace(0, vertices - 1, count, device=device)
    return Hats(places.clamp(max=vertices - 1), vertices).dense()


def _at_times(values: torch.Tensor, times: torch.Tensor, n_vertices: int) -> torch.Tensor:
    """Return values interpolated in time, shape (features, times, *positions).

    Parameters
    ----------
    values
        Values at the vertices of time, shape (features, vertices, *positions).
    times
        0 to 1, shape (times, …); in between, one element or all positions per axis.
    n_vertices
        Number of vertices of time.
    """
    places = times.clamp(0, 1) * (n_vertices - 1)
    (left, right), (first, second) = Hats(places, n_vertices).two()
    shape = (len(values), len(times), *values.shape[2:])
    low = values.gather(1, left.expand(shape)) * first
    total: torch.Tensor = low + values.gather(1, right.expand(shape)) * second
    return total
