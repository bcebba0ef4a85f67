"""Denoising without a neural field, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.background import wbns
from napari_cellinr.classic.estimate import gaussian

if TYPE_CHECKING:
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["conventional"]


def conventional(image: Image, config: CellINRConfig) -> Image:
    """Return wavelet-based background subtraction (WBNS), or a slight Gaussian smoothing.

    Parameters
    ----------
    image
        The raw image, axes in the order T, C, Z, Y, X.
    config
        The settings; WBNS is used if `background` is `subtract`.

    Returns
    -------
    Image
        float32, with the axes and in the units of the raw image.
    """
    if config.background == "subtract":
        return image.like(wbns(image.array()), name=f"{image.name} WBNS")
    frames = image.array().reshape(-1, *image.shape[-2:])
    smooth = np.stack([gaussian(frame, 1.0) for frame in frames]).reshape(image.shape)
    return image.like(smooth, name=f"{image.name} Gaussian")
