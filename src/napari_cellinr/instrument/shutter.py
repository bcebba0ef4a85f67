"""Rolling shutter without lens: one picture to bands of rows, the picture of a point to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.instrument.measurement import (
    Measurement,
    exact,
    read_array,
    single_channel,
    to_unit,
    voxel_of,
)
from napari_cellinr.optics.shutter import RollingShutter, band_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config.optics import RollingShutter as Settings
    from napari_cellinr.image import Image

__all__ = ["rolling_shutter"]

_CORNER = 10  # pixels of a corner of the picture of a point that see no light of it


def rolling_shutter(image: Image, optics: Settings) -> Measurement:
    """Return the bands of rows of one picture, and the model of the camera."""
    values = np.squeeze(single_channel(image, optics.kind))
    if values.ndim != 2:
        raise AxesError(
            f"an image with axes {image.axes} was given; rolling-shutter needs one picture, YX."
        )
    size = (int(values.shape[0]), int(values.shape[1]))
    dual = optics.shutter == "dual"
    rows = band_rows(size[0], optics.rows_per_shot, dual=dual)
    if len(rows) < 2:
        raise ConfigError(
            f"rows_per_shot {optics.rows_per_shot} was given for {size[0]} rows; fewer are "
            "needed, so that the picture has several times."
        )
    psf = _psf(optics)
    scene = (max(2, round(size[0] * optics.field)), max(2, round(size[1] * optics.field)))
    model = RollingShutter(
        size,
        exact(psf),
        rows,
        optics.row_time,
        optics.exposure,
        scene,
        dual=dual,
        samples=optics.samples,
    )
    frames, unit = to_unit(values, optics.background)
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = voxel_of(image, pixel, "YX")
    return Measurement(model, frames[rows.numpy()], unit, voxel, True)


def _psf(optics: Settings) -> NDArray[Any]:
    """Return the picture of a point without background; faint noise below it is cut off."""
    psf = read_array(optics.psf, "psf").astype(np.float64)
    if psf.ndim != 2 or not np.isfinite(psf).all():
        return psf
    dark = optics.psf_background
    if dark is None:
        dark = float(psf[:_CORNER, :_CORNER].mean())
    return np.clip(psf - dark, 0, None)
