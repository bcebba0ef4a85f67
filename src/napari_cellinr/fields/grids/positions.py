"""Voxel coordinates along each axis, and at their crossings."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Positions", "coordinates", "crossings"]

Positions: TypeAlias = "Sequence[slice | NDArray[np.float64]]"
"""Along each axis, a slice of voxels, or rising coordinates: 0 is the centre of the first voxel."""


def coordinates(
    positions: Positions, shape: Sequence[int], device: torch.device
) -> list[torch.Tensor]:
    """Return voxel coordinates along each axis, shape (n,) each, float32.

    Parameters
    ----------
    positions
        Slices of voxels, or coordinates.
    shape
        Voxels along each axis.
    device
        Where they are needed.
    """
    return [
        torch.arange(*some.indices(size), dtype=torch.float32, device=device)
        if isinstance(some, slice)
        else torch.from_numpy(some).to(device, torch.float32)
        for some, size in zip(positions, shape, strict=True)
    ]


def crossings(axes: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the coordinates at all crossings of those along each axis, shape (…, axes)."""
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
