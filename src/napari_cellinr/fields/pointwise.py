"""A small network applied to every point of a grid."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

__all__ = ["PointwiseNet"]


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
        values = features
        last = len(self.weights) - 1
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.addmm(bias, weight, values)
            if index < last:
                values = nn.functional.silu(values)
        return values


def _glorot(n_out: int, n_in: int, generator: torch.Generator) -> torch.Tensor:
    bound = math.sqrt(6 / (n_in + n_out))
    return bound * (2 * torch.rand(n_out, n_in, generator=generator) - 1)
