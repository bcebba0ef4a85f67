"""Adam, the rule by which all fits change their parameters (Kingma and Ba 2015, ICLR).

The same as `torch.optim.Adam` with its usual constants, whose first use loads the compiler of
torch, which takes as long as a short fit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Adam"]

FIRST, SECOND = 0.9, 0.999
"""What remains of the mean gradient, and of the mean squared gradient, after a step."""

LEAST = 1e-8
"""Added to the root of the mean squared gradient."""


class Adam:
    """The means of the gradients of some parameters, and the steps that follow from them.

    Parameters
    ----------
    parameters
        Changed in place; those without a gradient stay as they are.

    Attributes
    ----------
    parameters : list of torch.Tensor
        The parameters.
    """

    def __init__(self, parameters: Iterable[torch.Tensor]) -> None:
        self.parameters = list(parameters)
        self._moments: dict[int, tuple[int, torch.Tensor, torch.Tensor]] = {}

    def forget_gradients(self) -> None:
        """Remove the gradients before new ones are computed."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rates: Sequence[float]) -> None:
        """Change all parameters by one step.

        Parameters
        ----------
        rates
            Learning rate of each parameter, in its unit.
        """
        for number, (parameter, rate) in enumerate(zip(self.parameters, rates, strict=True)):
            gradient = parameter.grad
            if gradient is None:
                continue
            done, mean, square = self._moments.get(
                number, (0, torch.zeros_like(parameter), torch.zeros_like(parameter))
            )
            done += 1
            mean.lerp_(gradient, 1 - FIRST)
            square.mul_(SECOND).addcmul_(gradient, gradient, value=1 - SECOND)
            root = square.sqrt().div_(math.sqrt(1 - SECOND**done)).add_(LEAST)
            parameter.addcdiv_(mean, root, value=-rate / (1 - FIRST**done))
            self._moments[number] = done, mean, square

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the number of steps and the moments of each parameter by name."""
        found: dict[str, torch.Tensor] = {}
        for number, (done, mean, square) in self._moments.items():
            found[f"{number}.step"] = torch.tensor(float(done))
            found |= {f"{number}.exp_avg": mean, f"{number}.exp_avg_sq": square}
        return found

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take what `tensors` returned, from any device.

        Raises
        ------
        KeyError, RuntimeError
            If it belongs to other parameters.
        """
        self._moments = {}
        for number, parameter in enumerate(self.parameters):
            if f"{number}.step" not in tensors:
                continue
            mean, square = (
                torch.empty_like(parameter).copy_(tensors[f"{number}.{name}"])
                for name in ("exp_avg", "exp_avg_sq")
            )
            self._moments[number] = int(tensors[f"{number}.step"]), mean, square
