"""Residual channel attention network: latent codes of voxels from a few images."""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["Encoder"]


class Encoder(nn.Module):
    """Encoder of images, as channels, to latent codes of every voxel, (N, latent, *shape).

    A smaller RCAN4D of SpatimeINR (appendix F): a head, groups of residual blocks with channel
    attention (Zhang et al. 2018, "RCAN"), and a tail; codes lie between −π and π. Borders are
    padded by repetition.

    Parameters
    ----------
    n_images
        Number of input images, such as neighbouring frames.
    latent
        Length of a latent code.
    n_axes
        Number of spatial axes, 2 or 3.
    width
        Features of the convolutions.
    groups, blocks
        Number of groups, and of blocks in each.
    """

    def __init__(
        self,
        n_images: int,
        latent: int,
        n_axes: int,
        width: int = 16,
        groups: int = 1,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        self.head = _convolution(n_images, width, n_axes)
        self.groups = nn.ModuleList(_Group(width, n_axes, blocks) for _ in range(groups))
        self.last = _convolution(width, width, n_axes)
        self.tail = _convolution(width, latent, n_axes, size=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the codes of images (N, images, *shape), about 0 to 1."""
        features = first = self.head(images)
        for group in self.groups:
            features = group(features)
        return math.pi * torch.tanh(self.tail(first + self.last(features)))


class _Group(nn.Module):
    def __init__(self, width: int, n_axes: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(width, n_axes) for _ in range(blocks)))
        self.last = _convolution(width, width, n_axes)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = features + self.last(self.blocks(features))
        return result


class _Block(nn.Module):
    """Two convolutions with channel attention and a skip connection."""

    def __init__(self, width: int, n_axes: int) -> None:
        super().__init__()
        self.first = _convolution(width, width, n_axes)
        self.second = _convolution(width, width, n_axes)
        inner = max(4, width // 4)
        self.attention = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width), nn.Sigmoid()
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        found = self.second(torch.relu(self.first(features)))
        weights = self.attention(found.flatten(2).mean(-1))
        result: torch.Tensor = features + found * weights.reshape(
            *weights.shape, *(1,) * (found.ndim - 2)
        )
        return result


def _convolution(n_in: int, n_out: int, n_axes: int, size: int = 3) -> nn.Module:
    kind = {2: nn.Conv2d, 3: nn.Conv3d}[n_axes]
    made: nn.Module = kind(n_in, n_out, size, padding=size // 2, padding_mode="replicate")
    return made
