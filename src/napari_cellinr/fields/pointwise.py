"""A small network applied to every point of a grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

__all__ = ["MANY_POINTS", "PointwiseNet"]

MANY_POINTS = 450_000
"""Points above which the hidden values are computed again for the gradients, instead of kept.

Kept values take about 500 bytes per point; computing them again takes a third more time. Frames of
512 × 512 pixels have fewer, with their margins.
"""

AT_ONCE = 2**17
"""Points that are computed at once if there are many."""


class PointwiseNet(nn.Module):
    """Two hidden layers with SiLU and a linear output, for every point.

    Parameters
    ----------
    n_inputs, n_outputs, width
        Sizes of input, output and hidden layers.
    generator
        Random numbers of the initial weights (Glorot and Bengio 2010), on the CPU; biases
        are zero.
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        sizes = [n_inputs, width, width, n_outputs]
        self.weights = nn.ParameterList(
            nn.Parameter(_glorot(n_out, n_in, generator))
            for n_in, n_out in itertools.pairwise(sizes)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(size, 1)) for size in sizes[1:])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the outputs, shape (n_outputs, points).

        Parameters
        ----------
        features
            Shape (n_inputs, points).
        """
        if features.shape[1] <= MANY_POINTS:
            return self._outputs(features)
        parts = torch.split(features, AT_ONCE, dim=1)
        return torch.cat(
            [checkpoint(self._outputs, part, use_reentrant=False) for part in parts], 1
        )

    def _outputs(self, values: torch.Tensor) -> torch.Tensor:
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.addmm(bias, weight, values)
            if index < last:
                values = nn.functional.silu(values)
        return values


def _glorot(n_out: int, n_in: int, generator: torch.Generator) -> torch.Tensor:
    bound = math.sqrt(6 / (n_in + n_out))
    return bound * (2 * torch.rand(n_out, n_in, generator=generator) - 1)
