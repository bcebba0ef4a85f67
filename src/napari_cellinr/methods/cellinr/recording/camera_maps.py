"""Given maps of the offset, gain and noise of each pixel of a camera, and what they correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.errors import ConfigError, FileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["calibrated", "read_map"]

NOISY = 4.0
"""Variance of a pixel without light, in the mean one, from which its neighbours tell more."""


def calibrated(source: Image, config: CellINRConfig) -> Image:
    """Return the source as a camera of equal pixels would have recorded it, in its grey levels.

    Each pixel gets the mean offset and gain (Huang et al. 2013, "Video-rate nanoscopy using
    sCMOS camera-specific single-molecule localization algorithms", Nature Methods 10); very noisy
    pixels get the mean of their neighbours.

    Parameters
    ----------
    source
        Axes in canonical order.
    config
        The settings, of which `camera_offset`, `camera_gain` and `camera_variance` are used.

    Raises
    ------
    FileError, ConfigError
        If a map cannot be read, or does not suit the image.
    """
    shape = source.shape[-2:]
    offset, gain, variance = (
        None if (path := getattr(config, name)) is None else read_map(path, name, shape)
        for name in ("camera_offset", "camera_gain", "camera_variance")
    )
    if offset is None and gain is None and variance is None:
        return source
    if gain is not None and not gain.min() > 0:
        raise ConfigError(
            f"camera_gain: the lowest gain of {config.camera_gain} is {gain.min():g}; all gains "
            "have to be above 0."
        )
    data = np.array(source.array(), np.float32)
    level = float(np.mean(offset)) if offset is not None else float(config.offset or 0)
    data -= level if offset is None else offset
    if gain is not None:
        data *= gain.mean() / gain
    data += level
    if variance is not None and (noisy := variance > NOISY * variance.mean()).any():
        good = (~noisy).astype(np.float32)
        around = (*(0,) * (data.ndim - 2), 1.0, 1.0)
        weight = np.maximum(gaussian_filter(good, 1.0), np.float32(1e-6))
        mean = gaussian_filter(data * good, around) / weight
        data[..., noisy] = mean[..., noisy]
    return source.like(data, name=source.name)


def read_map(path: str, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a map of the camera, axes YX, float32.

    Parameters
    ----------
    path
        An image file, or a MATLAB file (.mat, up to version 7) with one matrix.
    name
        The setting that names it, for messages.
    shape
        Rows and columns of the image.

    Raises
    ------
    FileError
        If the file cannot be read.
    ConfigError
        If the map has another size, or values that are not finite.
    """
    values = _matlab(path, name) if Path(path).suffix.lower() == ".mat" else _image(path, name)
    if values.shape != tuple(shape):
        raise ConfigError(
            f"{name}: {path} has the shape {values.shape}, the planes of the image {tuple(shape)}; "
            "crop the map to the part of the camera that was read out."
        )
    if not np.isfinite(values).all():
        raise ConfigError(f"{name}: {path} has values that are not finite; replace them.")
    return np.asarray(values, np.float32)


def _image(path: str, name: str) -> NDArray[np.generic]:
    """Return the only plane of an image file."""
    from napari_cellinr.acquisition.measurement import read_array

    return read_array(path, name)


def _matlab(path: str, name: str) -> NDArray[np.generic]:
    """Return the only matrix of a MATLAB file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    damaged = (MatReadError, OSError, ValueError, TypeError, NotImplementedError, LookupError)
    try:
        found = loadmat(path)
    except damaged as error:
        raise FileError(
            f"{name}: {path} cannot be read as a MATLAB file up to version 7 ({error}); save the "
            "map as TIFF."
        ) from None
    matrices = [
        value
        for key, value in found.items()
        if not key.startswith("__") and np.ndim(value) == 2 and value.dtype.kind in "iufb"
    ]
    if len(matrices) != 1:
        raise FileError(f"{name}: {path} holds {len(matrices)} matrices of numbers; one is needed.")
    return np.asarray(matrices[0])
