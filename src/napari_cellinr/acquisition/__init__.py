"""From an image and the settings of its microscope to a forward model and raw frames."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_cellinr.acquisition.measurement import Measurement
from napari_cellinr.errors import ConfigError
from napari_cellinr.io.units import calibrated

if TYPE_CHECKING:
    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image

__all__ = ["Measurement", "prepare"]


def prepare(image: Image, optics: Optics) -> Measurement:
    """Return the forward model of a microscope, and the image as its raw frames.

    Everything that is wrong with the image, the settings or both is refused here, before a fit.

    Parameters
    ----------
    image
        One channel (or the colours of a rolling shutter) with the axes that the settings allow.
    optics
        Settings of the microscope. Those of `config.optics.FILE` with the kind `some-kind` are
        taken by the function `some_kind` of `acquisition.FILE`.

    Returns
    -------
    Measurement
        The forward model, and raw frames (shots, [Z,] Y, X), float32.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If a constant of the microscope is not known, the image does not fit the settings, or
        either cannot be right, or a file that the settings name cannot be read.
    """
    missing = optics.explain_missing(calibrated(image))
    if missing:
        raise ConfigError(missing)
    file = type(optics).__module__.rpartition(".")[2]
    module = import_module(f"{__name__}.{file}")
    measured: Measurement = getattr(module, optics.kind.replace("-", "_"))(
        image.canonical(), optics
    )
    return measured
