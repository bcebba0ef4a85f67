"""The field of SpatimeINR as published: hypercube rendering of voxels in space and time.

An encoder with the frames as channels gives a latent code for every voxel; a decoder maps a
position, a time and the code there to brightness and density.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import grid_sample

from napari_cellinr.fields.encoding import FourierEncoding
from napari_cellinr.fields.grids.cell import sample_cells, shell_weights
from napari_cellinr.fields.mlp import SkipMLP
from napari_cellinr.fields.rcan import Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PaperField", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """The sizes of the networks; the defaults are those of SpatimeINR, appendix F.

    Parameters
    ----------
    latent
        Length of a latent code; 0 for no encoder.
    neurons
        Neurons in each of the 8 hidden layers of the decoder.
    width, groups, blocks
        Features, residual groups, and blocks per group of the encoder.
    """

    latent: int = 128
    neurons: int = 256
    width: int = 32
    groups: int = 3
    blocks: int = 4


class PaperField(torch.nn.Module):
    """Brightness, 0 to 1, of voxels at any position, time and size within a series.

    Parameters
    ----------
    shape
        Number of frames, and of voxels along each spatial axis.
    sizes
        Sizes of the networks.
    rendering
        Whether a voxel is a weighted mean over points in it, or the value at its centre.
    """

    def __init__(self, shape: Sequence[int], sizes: Sizes, *, rendering: bool = True) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.sizes = sizes
        self.rendering = rendering
        self.encoding = FourierEncoding(self.shape)
        generator = torch.Generator().manual_seed(0)
        n_inputs = self.encoding.n_features + sizes.latent
        self.decoder = SkipMLP(n_inputs, 2, generator, width=sizes.neurons)
        self.encoder = self._encoder() if sizes.latent else None

    def _encoder(self) -> Encoder:
        sizes = self.sizes
        n_axes = len(self.shape) - 1
        return Encoder(self.shape[0], sizes.latent, n_axes, sizes.width, sizes.groups, sizes.blocks)

    def codes(self, frames: torch.Tensor) -> torch.Tensor | None:
        """Return the latent codes of all voxels, (1, latent, *space), of frames (T, *space)."""
        if self.encoder is None:
            return None
        found: torch.Tensor = self.encoder(frames[None])
        return found

    def forward(
        self,
        centres: torch.Tensor,
        cell: torch.Tensor,
        codes: torch.Tensor | None,
        corner: torch.Tensor,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Return the brightness of voxels (cells), shape (cells,).

        Parameters
        ----------
        centres
            Frame and voxel coordinates of the centres, shape (cells, 1 + axes), float32.
        cell
            Width of the cells along time and space, in frames and voxels, shape (1 + axes,).
        codes
            Latent codes of a part of the series, as from the method `codes`.
        corner
            First voxel of that part along each spatial axis, and voxels per code, shape (2, axes).
        generator
            Random generator for the points in the cell, in training; without it, points are on a
            regular grid.
        """
        offsets = self._offsets(len(centres), centres, generator)
        points = centres[:, None] + offsets * cell / 2  # (cells, points, 1 + axes)
        brightness, density = self._decoded(points, codes, corner)
        if offsets.shape[1] == 1:
            return brightness[:, 0]
        return (shell_weights(offsets, density) * brightness).sum(-1)

    def _offsets(
        self, n_cells: int, like: torch.Tensor, generator: torch.Generator | None
    ) -> torch.Tensor:
        """Return points in cells, −1 to 1, shape (cells, points, axes); 2 along every axis."""
        n_axes = len(self.shape)
        if not self.rendering:
            return like.new_zeros(n_cells, 1, n_axes)
        if generator is not None:
            return sample_cells(n_cells, n_axes, 2, generator)
        halves = [torch.tensor([-0.5, 0.5], device=like.device)] * n_axes
        return torch.cartesian_prod(*halves).expand(n_cells, -1, -1)

    def _decoded(
        self, points: torch.Tensor, codes: torch.Tensor | None, corner: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.encoding(points)
        if codes is not None:
            features = torch.cat([features, _codes_at(codes, points[..., 1:], corner)], -1)
        brightness, density = self.decoder(features).float().unbind(-1)
        return torch.sigmoid(brightness), density


def _codes_at(codes: torch.Tensor, places: torch.Tensor, corner: torch.Tensor) -> torch.Tensor:
    """Return codes at places, shape (cells, points, latent), linearly interpolated."""
    n_axes = places.shape[-1]
    size = torch.tensor(codes.shape[2:], dtype=torch.float32, device=places.device)
    inside = (places - corner[0] + 0.5) / corner[1]  # 0 is the outer edge of the first code
    grid = (2 * inside / size - 1).flip(-1)
    grid = grid.reshape(1, *(1,) * (n_axes - 2), *places.shape[:2], n_axes)
    found = grid_sample(
        codes, grid, mode="bilinear", padding_mode="border", align_corners=False
    )  # (1, latent, 1…, cells, points)
    return found.reshape(codes.shape[1], *places.shape[:2]).permute(1, 2, 0)
