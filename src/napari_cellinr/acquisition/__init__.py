"""From an image and the optics that recorded it to a forward model and its raw frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.acquisition.measurement import Measurement
from napari_cellinr.config.optics import KINDS
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image

__all__ = ["Measurement", "prepare"]


def prepare(image: Image, optics: Optics) -> Measurement:
    """Return the forward model of a microscope, and the image as its raw frames.

    Everything that is wrong with image, optics or both is refused here, before any fit.

    Parameters
    ----------
    image
        One channel. Axes T, Z, Y, X as the microscope has them: with `time-lapse` and `z-scan`
        T is time and Z depth, otherwise all axes but Y and X count the raw frames.
    optics
        What the microscope is, and when it recorded what.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image does not fit the optics, or either is not possible, or a file of the optics
        cannot be read.
    """
    return _builder(optics.kind)(image.canonical(), optics)


def _builder(kind: str) -> Callable[[Image, Any], Measurement]:
    """Return the function that builds a kind of microscope."""
    from napari_cellinr.acquisition import blurred, phase, shutter, structured

    builders: dict[str, Callable[[Image, Any], Measurement]] = {
        "time-lapse": blurred.time_lapse,
        "line-scan": blurred.line_scan,
        "point-scan": blurred.point_scan,
        "z-scan": blurred.z_scan,
        "dpc": phase.dpc,
        "sim2d": structured.sim2d,
        "sim3d": structured.sim3d,
        "rolling-shutter": shutter.rolling_shutter,
    }
    if kind not in builders:
        raise ConfigError(f"kind {kind!r} was given; allowed are {', '.join(KINDS)}.")
    return builders[kind]
