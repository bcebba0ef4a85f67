"""Checks of the values of an image before any fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import DataError
from napari_cellinr.image.rules import check_precision
from napari_cellinr.text import n_of, number_list

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["check_span", "check_values", "not_finite"]

SPAN = (1e-3, 1e18)
"""Smallest and largest range of grey levels in which float32 can represent the noise."""


def check_values(source: Image) -> None:
    """Raise `DataError` if the values cannot be fitted."""
    if min(source.shape) == 0:
        raise DataError(f"the image has shape {source.shape}; at least one voxel is needed.")
    spatial = {axis: source.sizes[axis] for axis in "YX"}
    if min(spatial.values()) < 2:
        raise DataError(
            f"the image has {n_of(spatial['Y'], 'row')} and {n_of(spatial['X'], 'column')}; at "
            "least 2 of each are needed to distinguish structure from noise."
        )
    values = source.array()
    if not np.isfinite(values).all():
        raise DataError(not_finite(source))
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


def not_finite(source: Image) -> str:
    """Return the error about values that are NaN or infinite, which says where they are.

    Parameters
    ----------
    source
        The image, any axes; some of its values are not finite.
    """
    bad = ~np.isfinite(source.array())
    are = n_of(int(bad.sum()), f"of {bad.size} values is", f"of {bad.size} values are")
    return (
        f"{are} not finite (NaN or infinite){_where(source, bad)}; "
        "replace them before the fit, for example by 0 or by the median of their neighbours. "
        "Whole frames and borders of 0 are left out of the fit, and named."
    )


def _where(source: Image, bad: NDArray[np.bool_]) -> str:
    """Return in which frames, channels and planes values are, counted from 1, if not in all."""
    parts = []
    for axis, name in (("T", "frame"), ("C", "channel"), ("Z", "plane")):
        if axis not in source.axes:
            continue
        place = source.axes.index(axis)
        others = tuple(i for i in range(bad.ndim) if i != place)
        numbers = (np.flatnonzero(bad.any(axis=others)) + 1).tolist()
        if len(numbers) < bad.shape[place]:
            shown = number_list(numbers)
            parts.append(f"{name} {shown}" if len(numbers) == 1 else f"{name}s {shown}")
    return f", in {', '.join(parts)}" if parts else ""
