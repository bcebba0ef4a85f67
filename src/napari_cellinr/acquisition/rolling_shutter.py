"""Lensless camera with a rolling shutter: a picture to bands of rows, a point source to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition.grey_levels import to_unit
from napari_cellinr.acquisition.measurement import (
    Measurement,
    exact,
    read_array,
    single_channel,
    stated,
    voxel_of,
)
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.optics.rolling_shutter import RollingShutterModel, band_rows
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config.optics.rolling_shutter import RollingShutter
    from napari_cellinr.image import Image

__all__ = ["rolling_shutter"]

_ONE_PICTURE = (
    "One picture cannot tell motion from errors of psf, row_time, exposure or shutter: each row is "
    "recorded once. Do not measure displacements before a picture of a specimen at rest, with the "
    "same settings, shows none."
)

_CORNER = 10
"""Side in pixels of the corner of the image of a point source that is taken as background."""


def rolling_shutter(image: Image, optics: RollingShutter) -> Measurement:
    """Return the bands of rows of one picture, and the model of the camera.

    Parameters
    ----------
    image
        Grey levels, YX or CYX with a channel for each colour.
    optics
        Settings of the camera.

    Returns
    -------
    Measurement
        Frames (bands * colours, rows of a band, X); band and colour as in `RollingShutterModel`.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image has other axes, the rows are too few, or the point source does not fit.
    """
    values = _picture(image, optics.kind)
    size = (int(values.shape[1]), int(values.shape[2]))
    dual = optics.shutter == "dual"
    rows = band_rows(size[0], optics.rows_per_shot, dual=dual)
    if len(rows) < 2:
        raise ConfigError(
            f"rows_per_shot {optics.rows_per_shot} was given for a picture of "
            f"{n_of(size[0], 'row')}; give fewer, so that the picture holds at least two times."
        )
    psf = _psf(optics)
    scene = (max(2, round(size[0] * optics.field)), max(2, round(size[1] * optics.field)))
    model = RollingShutterModel(
        size,
        exact(psf),
        rows,
        stated(optics.row_time),
        stated(optics.exposure),
        scene,
        dual=dual,
        samples=optics.samples,
        colours=_names(image, len(values)),
    )
    frames, unit = to_unit(values, optics.background)
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = voxel_of(image, pixel, "YX")
    bands = np.moveaxis(frames[:, rows.numpy()], 0, 1)  # bands, colours, rows, X
    return Measurement(model, bands.reshape(model.data_shape), unit, voxel, True, (_ONE_PICTURE,))


def _picture(image: Image, kind: str) -> NDArray[Any]:
    """Return the picture with all its colours, (C, Y, X)."""
    if any(image.sizes[axis] > 1 for axis in image.axes if axis not in "CYX"):
        raise AxesError(
            f"an image with axes {image.axes} was given; rolling-shutter needs one picture, YX, "
            "or CYX with a channel for each colour."
        )
    count = image.sizes.get("C", 1)
    colours = [image.take("C", i) for i in range(count)] if "C" in image.axes else [image]
    return np.stack([np.squeeze(single_channel(colour, kind)) for colour in colours])


def _names(image: Image, count: int) -> tuple[str, ...]:
    """Return the name of every colour; a single one is called intensity."""
    if count == 1:
        return ("intensity",)
    return image.channels or tuple(f"colour {index + 1}" for index in range(count))


def _psf(optics: RollingShutter) -> NDArray[Any]:
    """Return the image of the point source above its background, ([C,] Y, X) float64."""
    psf = read_array(stated(optics.psf), "psf").astype(np.float64)
    if psf.ndim not in {2, 3} or not np.isfinite(psf).all():
        return psf
    dark: Any = optics.psf_background
    if dark is None:
        dark = psf[..., :_CORNER, :_CORNER].mean((-2, -1), keepdims=True)
    bright: NDArray[Any] = np.clip(psf - dark, 0, None)
    return bright
