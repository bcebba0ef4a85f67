"""The network of CellINR as published (preset `paper`): brightness from encoded positions.

Zhao et al., "CellINR", eq. 1-3. The networks that only training needs are in `published`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from napari_cellinr.fields.encoding import FourierEncoding
from napari_cellinr.fields.grids.nodes import blocks
from napari_cellinr.fields.grids.positions import coordinates, crossings
from napari_cellinr.fields.mlp import SkipMLP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fields.grids.positions import Positions

__all__ = ["PublishedModel"]

BLOCK_VOXELS = 65_536
"""Positions that are evaluated at once."""


class PublishedModel(nn.Module):
    """One denoised frame of one channel as a function of position.

    Parameters
    ----------
    shape
        Voxels along each spatial axis, ZYX or YX.
    neurons
        Width of the hidden layers.
    dark_level
        Grey level at brightness 0, times −1 if `dark`.
    contrast
        Grey levels from brightness 0 to 1.
    background
        `keep` if the result has the grey levels of the image, `subtract` if dark is 0 in it.
    dark
        Whether structures are darker than what is around them; the network learns the image
        turned over.
    factor
        What all grey levels are multiplied by, to correct bleaching.
    generator
        Random numbers of the initial weights; needed only for a new fit.
    """

    kind: ClassVar = "published"

    def __init__(
        self,
        shape: Sequence[int],
        neurons: int,
        dark_level: float,
        contrast: float,
        background: str,
        *,
        dark: bool = False,
        factor: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.neurons = tuple(shape), neurons
        self.dark_level, self.contrast, self.factor = dark_level, contrast, factor
        self.keeps, self.sign = background == "keep", -1 if dark else 1
        self.encoding = FourierEncoding(self.shape)
        random = torch.Generator() if generator is None else generator
        self.network = SkipMLP(self.encoding.n_features, 1, random, width=neurons)

    def settings(self) -> dict[str, Any]:
        """Return what the model is built from, by name, and its kind; ready for JSON."""
        return {
            "kind": self.kind,
            "shape": list(self.shape),
            "neurons": self.neurons,
            "dark_level": self.dark_level,
            "contrast": self.contrast,
            "background": "keep" if self.keeps else "subtract",
            "dark": self.sign < 0,
            "factor": self.factor,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the weights by name, as copies on the CPU."""
        weights = self.network.state_dict()
        return {f"fine.{name}": value.detach().cpu().clone() for name, value in weights.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the weights that `tensors` returned.

        Raises
        ------
        RuntimeError
            If one is missing, or of another shape.
        """
        weights = {name[5:]: value for name, value in tensors.items() if name.startswith("fine.")}
        self.network.load_state_dict(weights)

    def brightness(self, positions: torch.Tensor) -> torch.Tensor:
        """Return the brightness at any positions, shape (…), 0 at the dark level, 1 at contrast.

        Parameters
        ----------
        positions
            Voxel coordinates, shape (…, axes), float32.
        """
        values: torch.Tensor = self.network(self.encoding(positions))[..., 0].float()
        return values

    @torch.no_grad()
    def forward(self, positions: Positions) -> tuple[NDArray[np.float32], ...]:
        """Return the result at all crossings of positions, grey levels, float32.

        Parameters
        ----------
        positions
            Slices of voxels, or voxel coordinates, along each axis.
        """
        axes = coordinates(positions, self.shape, self.encoding.steps.device)
        signal = np.empty([len(axis) for axis in axes], np.float32)
        for block in blocks(signal.shape, BLOCK_VOXELS):
            inside = [axis[piece] for axis, piece in zip(axes, block, strict=True)]
            signal[block] = self.brightness(crossings(inside)).cpu().numpy()
        signal *= self.contrast
        if self.keeps:
            result = self.sign * (signal + np.float32(self.dark_level))
        else:
            result = np.maximum(signal, 0)
        return (result * np.float32(self.factor),)
