"""Rolling shutter without lens: a picture to bands of rows, the picture of a point to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition.measurement import (
    Measurement,
    exact,
    read_array,
    single_channel,
    to_unit,
    voxel_of,
)
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.optics.shutter import RollingShutter, band_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config.optics import RollingShutter as Settings
    from napari_cellinr.image import Image

__all__ = ["rolling_shutter"]

_CORNER = 10  # pixels of a corner of the picture of a point that see no light of it


def rolling_shutter(image: Image, optics: Settings) -> Measurement:
    """Return the bands of rows of one picture, and the model of the camera."""
    values = _picture(image, optics.kind)
    size = (int(values.shape[1]), int(values.shape[2]))
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
        colours=_names(image, len(values)),
    )
    frames, unit = to_unit(values, optics.background)
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = voxel_of(image, pixel, "YX")
    bands = np.moveaxis(frames[:, rows.numpy()], 0, 1)  # bands, colours, rows, X
    return Measurement(model, bands.reshape(model.data_shape), unit, voxel, True)


def _picture(image: Image, kind: str) -> NDArray[Any]:
    """Return one picture with its colours, (C, Y, X)."""
    if any(image.sizes[axis] > 1 for axis in image.axes if axis not in "CYX"):
        raise AxesError(
            f"an image with axes {image.axes} was given; rolling-shutter needs one picture, YX, "
            "or CYX with a channel for each colour."
        )
    count = image.sizes.get("C", 1)
    colours = [image.take("C", i) for i in range(count)] if "C" in image.axes else [image]
    return np.stack([np.squeeze(single_channel(colour, kind)) for colour in colours])


def _names(image: Image, count: int) -> tuple[str, ...]:
    """Return a name for every colour; one alone is the intensity."""
    if count == 1:
        return ("intensity",)
    return image.channels or tuple(f"colour {index + 1}" for index in range(count))


def _psf(optics: Settings) -> NDArray[Any]:
    """Return the picture of a point without background; faint noise below it is cut off."""
    psf = read_array(optics.psf, "psf").astype(np.float64)
    if psf.ndim not in {2, 3} or not np.isfinite(psf).all():
        return psf
    dark: Any = optics.psf_background
    if dark is None:
        dark = psf[..., :_CORNER, :_CORNER].mean((-2, -1), keepdims=True)
    bright: NDArray[Any] = np.clip(psf - dark, 0, None)
    return bright
