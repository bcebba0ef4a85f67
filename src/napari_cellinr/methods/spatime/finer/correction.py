"""What the fits of the networks that correct interpolation have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.fitting.problem import Schedule

if TYPE_CHECKING:
    import torch

__all__ = ["EVERY", "FINAL_RATE", "Correction"]

EVERY: Final = 40
"""Steps between two evaluations of the held-out error."""

FINAL_RATE: Final = 0.03
"""Learning rate at the end as a part of the first."""


class Correction:
    """Part of a `Problem`: a network that corrects interpolation, of which the best step counts.

    Parameters
    ----------
    steps, rate
        Number of steps and step size of Adam.
    seed
        Of the random patches.
    device
        Where to compute.
    """

    model: torch.nn.Module

    def __init__(self, *, steps: int, rate: float, seed: int, device: torch.device) -> None:
        self._steps, self._rate, self._device = steps, rate, device
        self._random = np.random.default_rng(seed)

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return self._device

    def schedule(self) -> Schedule:
        """Return a linear fall of the rate; the result is the best step."""
        return Schedule(
            FINAL_RATE, EVERY, linear=True, keeps_best=True, steps=self._steps, is_stored=False
        )

    def param_groups(self) -> list[dict[str, Any]]:
        """Return the weights of the network."""
        return [{"params": list(self.model.parameters()), "lr": self._rate}]
