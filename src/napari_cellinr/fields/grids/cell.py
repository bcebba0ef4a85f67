"""Points sampled inside a voxel, and weighted means over them: the brightness of the voxel.

The cell is the box that a voxel covers, in any number of axes. Positions in it are offsets from
its centre in units of half its width, from −1 to 1 along every axis. Distances from the centre
are the largest offset along any axis, so that shells are cubes and no point leaves the cell.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

__all__ = ["points_per_axis", "resample", "sample_cells", "shell_weights", "weighted_mean"]

FLOOR = 1e-5
"""Smallest weight of each shell before normalisation, so that no shell is left out."""


def points_per_axis(n_points: int, n_axes: int) -> int:
    """Return the number of points per axis of a regular grid with about `n_points` points.

    Parameters
    ----------
    n_points
        Number of points in all.
    n_axes
        Number of axes of the cell.
    """
    side: float = n_points ** (1 / n_axes)
    return max(1, round(side))


def sample_cells(
    n_cells: int, n_axes: int, per_axis: int, generator: torch.Generator
) -> torch.Tensor:
    """Return stratified random points in cells, shape (cells, points, axes), −1 to 1, float32.

    Each cell is divided into `per_axis` parts along every axis, with one point in each:
    ((k + U) / m − 1/2) · 2 with U uniform. Their mean is the centre of the cell; those of the
    published code are off centre by a quarter of a voxel or more.

    Parameters
    ----------
    n_cells, n_axes
        Number of cells and of their axes.
    per_axis
        Parts along every axis.
    generator
        Random generator; the result is on its device.
    """
    device = generator.device
    steps = torch.arange(per_axis, dtype=torch.float32, device=device)
    corners = torch.cartesian_prod(*[steps] * n_axes).reshape(-1, n_axes)  # (points, axes)
    shape = (n_cells, len(corners), n_axes)
    jitter = torch.rand(shape, generator=generator, device=device)
    return 2 * (corners + jitter) / per_axis - 1


def shell_weights(offsets: torch.Tensor, density: torch.Tensor) -> torch.Tensor:
    """Return the rendering weight of each point of a cell, shape (cells, points), sum 1 per cell.

    A point is weighted by its density and by the area of its shell, as in Chen et al. 2023,
    "CuNeRF", to which SpatimeINR refers. The published weights do not sum to 1, which leaves
    brightness and density ambiguous; these are normalised.

    Parameters
    ----------
    offsets
        Points in the cells, shape (cells, points, axes), −1 to 1.
    density
        Density before the softplus that makes it positive, shape (cells, points).
    """
    distance = offsets.abs().amax(dim=-1)
    weights = softplus(density) * distance ** (offsets.shape[-1] - 1)
    return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-12)


def resample(
    offsets: torch.Tensor, weights: torch.Tensor, n_points: int, generator: torch.Generator
) -> torch.Tensor:
    """Return new points where the weights are high, shape (cells, n_points, axes), −1 to 1.

    Importance sampling: the distance from the centre is drawn from the distribution of the
    weights over the distances of the given points, the direction uniformly on a cube. No gradient
    flows through the points.

    Parameters
    ----------
    offsets, weights
        Points and their weights, shapes (cells, points, axes) and (cells, points).
    n_points
        Number of points to draw in each cell.
    generator
        Random generator on the device of `offsets`.
    """
    distance, order = offsets.detach().abs().amax(dim=-1).sort(dim=-1)
    chances = weights.detach().float().gather(-1, order) + FLOOR
    cumulated = torch.cumsum(chances / chances.sum(dim=-1, keepdim=True), dim=-1)
    n_cells, device = len(offsets), offsets.device
    jitter = torch.rand((n_cells, n_points), generator=generator, device=device)
    drawn = (torch.arange(n_points, device=device) + jitter) / n_points
    place = torch.searchsorted(cumulated.contiguous(), drawn.contiguous())
    place = place.clamp(max=distance.shape[-1] - 1)
    radius = _between(distance, cumulated, place, drawn)
    shape = (n_cells, n_points, offsets.shape[-1])
    direction = 2 * torch.rand(shape, generator=generator, device=device) - 1
    surface = direction / direction.abs().amax(dim=-1, keepdim=True).clamp(min=1e-6)
    return surface * radius[..., None]


def weighted_mean(values: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return the mean with the softmax of `logits` as weights, shape (cells,).

    Zhao et al., "CellINR", eq. 6 and 7.

    Parameters
    ----------
    values, logits
        Brightness and unnormalised log-weight of each point, shape (cells, points).
    """
    return (values * torch.softmax(logits, dim=-1)).sum(dim=-1)


def _between(
    distance: torch.Tensor, cumulated: torch.Tensor, place: torch.Tensor, drawn: torch.Tensor
) -> torch.Tensor:
    """Return distances by linear interpolation of the inverse cumulative distribution."""
    before = (place - 1).clamp(min=0)
    start = torch.where(place > 0, distance.gather(-1, before), 0.0)
    low = torch.where(place > 0, cumulated.gather(-1, before), 0.0)
    stop, high = distance.gather(-1, place), cumulated.gather(-1, place)
    part = ((drawn - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
    return start + part * (stop - start)
