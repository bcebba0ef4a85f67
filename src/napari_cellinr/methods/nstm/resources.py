"""Device of a fit, and what it does where memory is short."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_cellinr.errors import FitError
from napari_cellinr.fitting.resources.devices import choose_device

if TYPE_CHECKING:
    import torch

__all__ = ["Resources"]


@dataclass(frozen=True)
class Resources:
    """Device of a fit, whether it computes moved scenes twice to save memory, and warnings.

    Attempts with other resources than the first have scopes of their own in the checkpoint, so that
    each finds its own state whatever memory is free when the job resumes.
    """

    device: torch.device
    recompute: bool = False
    name: str = ""
    warnings: tuple[str, ...] = ()

    def with_less_memory(self) -> Resources:
        """Return what needs less memory than this.

        Raises
        ------
        FitError
            If nothing does.
        """
        if not self.recompute:
            text = "Memory was short: moved scenes were computed twice, so each step took longer."
            return replace(self, recompute=True, name="recompute", warnings=(text,))
        if self.device.type != "cpu":
            text = "GPU memory was short: the fit continued on the CPU."
            return replace(self, device=choose_device("cpu"), name="cpu", warnings=(text,))
        raise FitError(
            "there is not enough memory; close other programs, or fit a crop or fewer frames."
        )
