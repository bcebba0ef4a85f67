"""Time-lapse of finite exposure: exposure times from the settings, and the model of the camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_cellinr.acquisition.grey_levels import to_unit
from napari_cellinr.acquisition.measurement import (
    Measurement,
    check_repeats,
    frame_starts,
    gaussian_blur,
    repeats,
    stated,
    voxel_of,
)
from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.exposure import ExposureModel

if TYPE_CHECKING:
    from napari_cellinr.config.optics.exposure import Exposure
    from napari_cellinr.image import Image

__all__ = ["exposure"]


def exposure(image: Image, optics: Exposure) -> Measurement:
    """Return frames or stacks, each the mean of the scene over its exposure.

    Parameters
    ----------
    image
        Grey levels, TYX or TZYX.
    optics
        Settings of the camera.

    Returns
    -------
    Measurement
        Frames (T, [Z,] Y, X); the scene is rendered at the middle of each exposure.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the image has other axes, exposures are longer than the frame interval, or the blur is
        larger than the image or its voxel size is unknown.
    """
    values = repeats(image, optics)
    starts, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    lasting = _lasting(optics, float(torch.diff(starts).min()), timed=timed)
    axes = "ZYX"[-(values.ndim - 1) :]
    needed = "" if optics.blur_sigma is None else "blur_sigma"
    voxel = voxel_of(image, optics.voxel_size, axes, needed_for=needed)
    psf = gaussian_blur(needed, optics.blur_sigma, voxel, values.shape[1:])
    model = ExposureModel(values.shape, starts, lasting, optics.samples, psf)
    frames, unit = to_unit(values, optics.background)
    return Measurement(model, frames, unit, voxel, timed, check_repeats(len(values), optics.kind))


def _lasting(optics: Exposure, interval: float, *, timed: bool) -> float:
    """Return the exposure time in the unit of the frame times."""
    if optics.exposure_time is None:
        return stated(optics.exposure_fraction) * interval
    if not timed:
        raise ConfigError(
            f"exposure_time {optics.exposure_time:g} s was given, but the frame interval is not "
            "known; give frame_time in seconds, or exposure_fraction instead of exposure_time."
        )
    if optics.exposure_time > interval * (1 + 1e-6):
        raise ConfigError(
            f"exposure_time {optics.exposure_time:g} s was given, but frames follow each other "
            f"after {interval:g} s; exposures cannot overlap: correct one of the times."
        )
    return optics.exposure_time
