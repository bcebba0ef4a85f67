"""Checks of the values of an image before any fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import DataError
from napari_cellinr.precision import check_precision

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["check_span", "check_values"]

SPAN = (1e-3, 1e18)
"""Smallest and largest range of grey levels in which float32 can represent the noise."""


def check_values(source: Image) -> None:
    """Raise `DataError` if the values cannot be fitted."""
    if min(source.shape) == 0:
        raise DataError(f"the image has shape {source.shape}; at least one voxel is needed.")
    spatial = {axis: source.sizes[axis] for axis in "YX"}
    if min(spatial.values()) < 2:
        raise DataError(
            f"the image has {spatial['Y']} rows and {spatial['X']} columns; at least 2 of each "
            "are needed to distinguish structure from noise."
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
    check_precision(values)


def check_span(source: Image) -> None:
    """Raise `DataError` if the range of grey levels is too small or too large to denoise."""
    values = source.array()
    span = float(values.max()) - float(values.min())
    if not SPAN[0] <= span <= SPAN[1]:
        raise DataError(
            f"the grey levels of the image span {span:.2g}; a span of {SPAN[0]:g} to {SPAN[1]:g} "
            "can be denoised. Multiply the image by a number, and divide the result by it."
        )
