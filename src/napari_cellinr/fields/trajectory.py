"""Smooth motion between frames: a path for every place, and images looked up along it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["at_time", "control_size", "displacement", "positions", "spline_values", "values_at"]


def control_size(shape: Sequence[int], spacing: float) -> tuple[int, ...]:
    """Return the number of control points along each axis, `spacing` voxels apart at most."""
    return tuple(max(2, int(-(-(n - 1) // spacing)) + 1) if n > 1 else 1 for n in shape)


def positions(shape: Sequence[int], device: torch.device | None = None) -> torch.Tensor:
    """Return the voxel coordinates of a lattice, (voxels, axes), float32."""
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape))


def displacement(
    control: torch.Tensor, places: torch.Tensor, time: torch.Tensor, shape: Sequence[int]
) -> torch.Tensor:
    """Return how far each place has moved at each time: Σ c_k(x) t^k, k from 1.

    Parameters
    ----------
    control
        Coefficients at the control points, (terms, axes, *points), in voxels per frame^k.
    places
        Where the paths are at time 0, (places, axes), voxels.
    time
        Frames from the reference time, (times,).
    shape
        Voxels of a frame.

    Returns
    -------
    torch.Tensor
        (times, places, axes), voxels.
    """
    n_terms, n_axes = control.shape[:2]
    flat = control.reshape(1, n_terms * n_axes, *control.shape[2:])
    found = _linear(flat, places, shape)[0].reshape(n_terms, n_axes, -1)
    powers = time[:, None] ** torch.arange(1, n_terms + 1, device=time.device)
    return torch.einsum("jk,kan->jna", powers.to(found.dtype), found)


def at_time(
    control: torch.Tensor, places: torch.Tensor, time: float, shape: Sequence[int]
) -> torch.Tensor:
    """Return where the paths that are at `places` at some time were at time 0, (places, axes)."""
    when = torch.tensor([time], device=places.device)
    origins = places
    for _ in range(3):
        origins = places - displacement(control, origins, when, shape)[0]
    return origins


def values_at(images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return each image at places of its own, by straight lines; the nearest value outside.

    Parameters
    ----------
    images
        (images, *shape), float32, two or three axes.
    places
        (images, places, axes), voxels.
    """
    return _linear(images[:, None], places, images.shape[1:])[:, 0]


def spline_values(coefficients: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return an image at any places from its cubic B-spline coefficients, (places,), float32.

    Parameters
    ----------
    coefficients
        As `scipy.ndimage.spline_filter` gives them in its mode `mirror`, two or three axes.
    places
        (places, axes), voxels; outside the image, the value at its border.
    """
    shape = coefficients.shape
    flat = coefficients.reshape(-1)
    indices, weights = [], []
    stride = flat.numel()
    for axis, size in enumerate(shape):
        stride //= size
        place = places[:, axis].clamp(0, size - 1)
        left = place.floor()
        weights.append(_basis(place - left))
        columns = left.long()[None] + torch.arange(-1, 3, device=places.device)[:, None]
        indices.append(_mirrored(columns, size) * stride)
    total = torch.zeros(len(places), device=places.device)
    last = len(shape) - 1
    for one in range(4):
        for two in range(4):
            base, weight = indices[0][one] + indices[1][two], weights[0][one] * weights[1][two]
            if last == 1:
                total += weight * flat[base]
                continue
            inner = sum(weights[2][k] * flat[base + indices[2][k]] for k in range(4))
            total += weight * inner
    return total


def _basis(t: torch.Tensor) -> list[torch.Tensor]:
    """Return the weights of four coefficients of a cubic B-spline."""
    rest = 1 - t
    return [
        rest**3 / 6,
        2 / 3 - t * t * (1 - t / 2),
        2 / 3 - rest * rest * (1 - rest / 2),
        t**3 / 6,
    ]


def _mirrored(columns: torch.Tensor, size: int) -> torch.Tensor:
    if size == 1:
        return torch.zeros_like(columns)
    turn = 2 * (size - 1)
    folded = columns.abs() % turn
    return torch.where(folded >= size, turn - folded, folded)


def _linear(images: torch.Tensor, places: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return (images, channels, places): images are stretched over the voxels of `shape`."""
    n_axes = len(shape)
    last = torch.tensor([max(n - 1, 1) for n in shape], dtype=torch.float32, device=places.device)
    scaled = (2 * places / last - 1).flip(-1)
    grid = scaled.reshape(images.shape[0], *(1,) * (n_axes - 1), -1, n_axes)
    found = functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.reshape(*images.shape[:2], -1)
