"""Checks of the values of an image before any fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import DataError

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["check_values"]


def check_values(source: Image) -> None:
    """Raise `DataError` if the values cannot be worked on."""
    if min(source.shape) == 0:
        raise DataError(f"the image has shape {source.shape}; at least one voxel is needed.")
    spatial = {axis: source.sizes[axis] for axis in "YX"}
    if min(spatial.values()) < 2:
        raise DataError(
            f"the image has {spatial['Y']} rows and {spatial['X']} columns; at least 2 of each "
            "are needed to tell structure from noise."
        )
    values = source.array()
    if not np.isfinite(values).all():
        n_bad = int((~np.isfinite(values)).sum())
        raise DataError(
            f"{n_bad} of {values.size} values are not finite (NaN or infinite); replace them "
            "before the fit, for example by 0 or by the median of their neighbours."
        )
    if values.min() == values.max():
        raise DataError(f"every value of the image is {values.min()}; there is nothing to restore.")
