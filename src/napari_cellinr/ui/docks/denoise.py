"""The dock that removes noise and background, and its `Task`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.ui.docks.fit import FitDock
from napari_cellinr.ui.following.panel import NewFramesPanel
from napari_cellinr.ui.layers.contrast import contrast_of
from napari_cellinr.ui.layers.spec import Shown
from napari_cellinr.ui.session.checks import image_fault
from napari_cellinr.ui.session.job.devices import device_list
from napari_cellinr.ui.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.image import Image

__all__ = ["TASK", "DenoiseDock"]


def _layers(fitted: Fitted) -> Sequence[Shown]:
    """Return the layers of a fit: the result, and background and other images on request."""
    return [
        Shown(
            image,
            on_request=role != "result",
            limits=contrast_of(image) if role in {"signal", "error"} else None,
        )
        for image, role in zip(fitted.images, fitted.roles, strict=False)
    ]


def _advise(config: CellINRConfig, image: Image) -> str:
    """Return a warning if the fit would take very long without a GPU."""
    uses_gpu = config.device == "auto" and device_list().has_gpu
    return "" if uses_gpu else config.cost_warning(image.sizes)


def _check(config: CellINRConfig, image: Image) -> dict[str, str]:
    """Return errors of image and settings, by field."""
    faults = {}
    if fault := image_fault(image):
        faults["image"] = fault
    width, largest = config.background_width, max(image.sizes["Y"], image.sizes["X"])
    if width is not None and width >= largest:
        faults["background_width"] = (
            f"{width:g} voxels was given; less than the image size ({largest} voxels) is allowed."
        )
    return faults


TASK = Task(
    name="denoise",
    title="Denoise",
    noun="denoising",
    suffix="denoised",
    empty_text="Drop a TIFF or NIfTI stack here or on the canvas, or try a simulated embryo.",
    sample="embryo-membranes",
    guide="denoise",
    run_tip="Denoise the whole image.",
    layers=_layers,
    own_contrast=lambda config: (
        config.background == "subtract"
    ),  # the limits of the source do not fit
    check=_check,
    advise=_advise,
    panel=NewFramesPanel,
)


class DenoiseDock(FitDock):
    """The dock that removes noise and background."""

    task = TASK
