"""Positions as waves that the voxels can carry: the input of networks that see only places."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FourierEncoding", "finest_octave"]


def finest_octave(size: int) -> int:
    """Return the largest k for which a wave of frequency 2^k is sampled twice per period.

    The coordinate runs from −π to π over `size` + 1 steps, so 2^k · 2π / (size + 1) ≤ π. Finer
    octaves are aliases of coarser ones and only help to learn the noise by heart.

    Parameters
    ----------
    size
        Number of voxels along an axis, from 1.
    """
    return math.floor(math.log2((size + 1) / 2))


class FourierEncoding(nn.Module):
    """Sine and cosine of a position at every octave that the voxels can carry.

    Zhao et al., "CellINR", eq. 2, with the number of octaves, which the paper leaves open,
    chosen for each axis by `finest_octave`. The coordinate along an axis of n voxels is
    −π + 2π (i + 1) / (n + 1), so that the cube around an outermost voxel still lies within
    the period.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    """

    axes: torch.Tensor
    octaves: torch.Tensor
    steps: torch.Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        pairs = [(a, k) for a, size in enumerate(shape) for k in range(finest_octave(size) + 1)]
        steps = torch.tensor([2 * math.pi / (size + 1) for size in shape])
        self.register_buffer("axes", torch.tensor([axis for axis, _ in pairs]), persistent=False)
        octaves = torch.tensor([2.0**octave for _, octave in pairs])
        self.register_buffer("octaves", octaves, persistent=False)
        self.register_buffer("steps", steps, persistent=False)
        self.n_features = 2 * len(pairs)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Return the waves at `positions`, shape (…, n_features), float32, between −1 and 1.

        Parameters
        ----------
        positions
            Voxel coordinates, shape (…, axes), float32; 0 is the centre of the first voxel,
            and places between voxels are allowed.
        """
        coordinates = (positions + 1) * self.steps - math.pi
        waves = coordinates[..., self.axes] * self.octaves
        return torch.cat([torch.sin(waves), torch.cos(waves)], dim=-1)
