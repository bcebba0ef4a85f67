"""Denoising as docks and console see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.config import CellINRConfig
from napari_cellinr.ui.devices import device_list
from napari_cellinr.ui.tasks import Task

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["DENOISE"]


def _needs_own_contrast(config: CellINRConfig) -> bool:
    """Return whether the haze is gone, with which the limits of the source make no sense."""
    return config.background == "subtract"


def _advise(config: CellINRConfig, image: Image) -> str:
    """Return a warning if the fit would take very long without a GPU."""
    uses_gpu = config.device == "auto" and device_list().has_gpu
    return "" if uses_gpu else config.cost_warning(image.sizes)


DENOISE = Task(
    name="denoise",
    title="Denoise",
    noun="denoising",
    suffix="denoised",
    config_type=CellINRConfig,
    job="iter_denoise",
    empty_text="Drop a TIFF or NIfTI stack here or on the canvas, or try a simulated embryo.",
    sample="embryo-membranes",
    guide="denoise",
    run_tip="Restore the whole image.",
    own_contrast=_needs_own_contrast,
    advise=_advise,
)
