"""A fully connected network with a skip connection from its input."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import skip_init

__all__ = ["SkipMLP"]


class SkipMLP(nn.Module):
    """Hidden layers of one width with ReLU and a linear output.

    One hidden layer gets a second input besides the output of the layer before: the input of
    the whole network again, as in NeRF (Mildenhall et al. 2020), or another one.

    Parameters
    ----------
    n_inputs, n_outputs
        Number of input and output values.
    generator
        Random generator of the initial weights, on the CPU; they are uniform with variance
        2 / inputs of the layer (He et al. 2015).
    width, depth
        Size and number of the hidden layers.
    joined_at
        Number of hidden layers before the second input.
    n_joined
        Size of the second input; that of the first one if not given.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        generator: torch.Generator,
        *,
        width: int = 256,
        depth: int = 8,
        joined_at: int = 4,
        n_joined: int | None = None,
    ) -> None:
        super().__init__()
        self.joined_at = joined_at
        sizes = [n_inputs] + [width] * (depth - 1)
        sizes[joined_at] += n_inputs if n_joined is None else n_joined
        self.hidden = nn.ModuleList(_linear(size, width, 6.0, generator) for size in sizes)
        self.last = _linear(width, n_outputs, 1.0, generator)

    def forward(self, inputs: torch.Tensor, joined: torch.Tensor | None = None) -> torch.Tensor:
        """Return the outputs, shape (…, n_outputs).

        Parameters
        ----------
        inputs
            Shape (…, n_inputs).
        joined
            The second input, shape (…, n_joined); `inputs` if not given.
        """
        values = inputs
        for index, layer in enumerate(self.hidden):
            if index == self.joined_at:
                values = torch.cat([values, inputs if joined is None else joined], dim=-1)
            values = torch.relu(layer(values))
        outputs: torch.Tensor = self.last(values)
        return outputs


def _linear(n_inputs: int, n_outputs: int, gain: float, generator: torch.Generator) -> nn.Linear:
    """Return a layer with zero bias, without use of the global random generator."""
    layer: nn.Linear = skip_init(nn.Linear, n_inputs, n_outputs)  # type: ignore[no-untyped-call]
    bound = math.sqrt(gain / n_inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer
