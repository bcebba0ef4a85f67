"""Multiresolution feature grids: the encoding of the space-time model.

The published method uses hash tables (Müller et al. 2022, "Instant neural graphics
primitives"). Here positions are on fixed grids, so that the encoding is a constant linear map of
small dense grids: there are no hash collisions, and it costs fifty times less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_cellinr.fields.hats import Hats

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GridPyramid", "level_cells", "window"]

FIRST_VALUES = 1e-4
"""Grids are initialised with uniform random numbers up to this size: almost flat."""


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
        """Return the features at positions and times, shape (n_features, times, *positions).

        The first axis of the grids is time.

        Parameters
        ----------
        axes
            Positions along each spatial axis, each of shape (n,), 0 to 1 within the box.
        times
            Times of each shot, 0 to 1, shape (times, …): along each spatial axis one element, or
            one per position if positions are recorded at different times.
        weights
            Weight of each level; levels of weight 0 are not evaluated.
        """
        shape = tuple(len(places) for places in axes)
        layers = []
        for grid, cells, weight in zip(self.grids, self.cells, weights, strict=True):
            if weight == 0:
                layers.append(grid.new_zeros(self.features, len(times), *shape))
                continue
            values = grid
            for axis, places in enumerate(axes, start=2):
                count = cells[axis - 1]
                values = Hats(places.clamp(0, 1) * count, count + 1).along(values, axis)
            layers.append(_at_times(values, times) * weight)
        return torch.cat(layers)


def _at_times(values: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """Return values interpolated in time, shape (features, times, *positions).

    Parameters
    ----------
    values
        Values at the vertices of time, shape (features, vertices, *positions).
    times
        0 to 1, shape (times, …); in between, one element or all positions per axis.
    """
    n_vertices = values.shape[1]
    places = times.clamp(0, 1) * (n_vertices - 1)
    if times[0].numel() == 1:
        return Hats(places.flatten(), n_vertices).along(values, 1)
    (left, right), (first, second) = Hats(places, n_vertices).two()
    shape = (len(values), len(times), *values.shape[2:])
    low = values.gather(1, left.expand(shape)) * first
    total: torch.Tensor = low + values.gather(1, right.expand(shape)) * second
    return total
