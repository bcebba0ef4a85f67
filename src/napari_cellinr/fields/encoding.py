"""Fourier encoding of positions, the input of coordinate networks, limited by the voxel size."""

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
    octaves alias with coarser ones and only help to fit the noise.

    Parameters
    ----------
    size
        Number of voxels along an axis, from 1.
    """
    return math.floor(math.log2((size + 1) / 2))


class FourierEncoding(nn.Module):
    """Sine and cosine of a position at every octave up to the sampling limit of the voxels.

    Zhao et al., "CellINR", eq. 2; the number of octaves, which the paper leaves open, is chosen
    for each axis by `finest_octave`. The coordinate along an axis of n voxels is
    −π + 2π (i + 1) / (n + 1), so that the outermost voxels lie within the period as a whole.

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
        """Return the sines and cosines at `positions`, shape (…, n_features), float32.

        Parameters
        ----------
        positions
            Voxel coordinates, shape (…, axes), float32; 0 is the centre of the first voxel,
            and positions between voxels are allowed.
        """
        coordinates = (positions + 1) * self.steps - math.pi
        waves = coordinates[..., self.axes] * self.octaves
        return torch.cat([torch.sin(waves), torch.cos(waves)], dim=-1)
