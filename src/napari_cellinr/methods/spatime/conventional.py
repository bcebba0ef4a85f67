"""More frames and finer voxels without a neural field, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.interpolate import resample
from napari_cellinr.methods.spatime.output_grid import output_grid

if TYPE_CHECKING:
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["conventional"]


def conventional(image: Image, config: SpatimeConfig) -> Image:
    """Return the image on the voxel grid of the result, by cubic interpolation.

    Parameters
    ----------
    image
        The raw image, axes in the order T, C, Z, Y, X.
    config
        The settings, which say where the samples of the result lie.

    Returns
    -------
    Image
        float32, axes as those of the raw image.

    Raises
    ------
    AxesError, ConfigError
        If the image lacks an axis that the settings name, or a factor is out of bounds.
    """
    grid = output_grid(image, config)
    places = {axis: one.positions for axis, one in grid.maps.items()}
    if grid.times is not None:
        places["T"] = grid.times
    data = np.asarray(image.array(), np.float32)
    for number, axis in enumerate(image.axes):
        if axis in places:
            data = resample(data, places[axis], number, "cubic")
    return grid.placed(image, data, f"{image.name} cubic")
