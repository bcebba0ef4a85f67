"""Adam, the rule by which all fits change their parameters (Kingma and Ba 2015, ICLR).

The same as `torch.optim.Adam`, whose first use loads the compiler of torch, which takes as long
as a short fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Adam"]


@dataclass(frozen=True)
class _Settings:
    """Settings of one group of parameters, by the names of `torch.optim.Adam`.

    Parameters
    ----------
    lr
        Learning rate, in the unit of the parameters.
    betas
        What remains of the mean gradient, and of the mean squared gradient, after a step.
    eps
        Added to the root of the mean squared gradient.
    weight_decay
        Part of the parameters that is added to their gradient.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0


class Adam:
    """The means of the gradients of some parameters, and the steps that follow from them.

    Parameters
    ----------
    groups
        Parameters and their settings as for `torch.optim.Adam`: `params`, `lr`, and `betas`, `eps`
        and `weight_decay` if they are not the usual ones. Parameters are changed in place; those
        without a gradient stay as they are.

    Attributes
    ----------
    parameters : list of torch.Tensor
        The parameters of all groups.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]]) -> None:
        self.parameters: list[torch.Tensor] = []
        self._settings: list[_Settings] = []
        self._moments: dict[int, tuple[int, torch.Tensor, torch.Tensor]] = {}
        for group in groups:
            settings = _Settings(**{k: v for k, v in group.items() if k != "params"})
            self.parameters += group["params"]
            self._settings += [settings] * (len(self.parameters) - len(self._settings))

    def forget_gradients(self) -> None:
        """Remove the gradients before new ones are computed."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Change all parameters by one step, with `factor` times their learning rates."""
        alike: dict[tuple[_Settings, int], list[int]] = {}
        for number, (parameter, own) in enumerate(
            zip(self.parameters, self._settings, strict=True)
        ):
            if parameter.grad is None:
                continue
            done, mean, square = self._moments.get(
                number, (0, torch.zeros_like(parameter), torch.zeros_like(parameter))
            )
            self._moments[number] = done + 1, mean, square
            alike.setdefault((own, done + 1), []).append(number)
        for (own, done), numbers in alike.items():
            self._change(numbers, own, done, factor)

    def _change(self, numbers: list[int], own: _Settings, done: int, factor: float) -> None:
        """Change parameters of the same settings and number of steps: few operations for all."""
        parameters: list[torch.Tensor] = [self.parameters[number] for number in numbers]
        means = [self._moments[number][1] for number in numbers]
        squares = [self._moments[number][2] for number in numbers]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if own.weight_decay:
            decayed = torch._foreach_add(gradients, parameters, alpha=own.weight_decay)
            gradients = list(decayed)
        first, second = own.betas
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - second)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, math.sqrt(1 - second**done))
        torch._foreach_add_(roots, own.eps)
        torch._foreach_addcdiv_(
            parameters, means, roots, value=-factor * own.lr / (1 - first**done)
        )

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
