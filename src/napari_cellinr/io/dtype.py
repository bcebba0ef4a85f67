"""Images in another type of numbers, with what is lost said in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from napari_cellinr.image import Image

__all__ = ["DTYPES", "with_dtype"]

_logger = logging.getLogger(__name__)

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def with_dtype(image: Image, dtype: str) -> Image:
    """Return the image in another type; integers are rounded to the nearest and clipped.

    How many values were rounded and clipped is said in the log.

    Raises
    ------
    FileError
        If the type is not one of `DTYPES`, or integers are wanted of values that are not numbers.
    """
    if dtype not in DTYPES:
        raise FileError(f"type {dtype!r} was given; allowed are {', '.join(DTYPES)}.")
    target = np.dtype(dtype)
    if image.dtype == target:
        return image
    array = image.array()
    if target.kind == "f":
        return image.like(array.astype(target))
    n_bad = int(np.isnan(array).sum()) if array.dtype.kind == "f" else 0
    if n_bad:
        raise FileError(
            f"{n_bad} values of {image.name} are not numbers (NaN), for which {dtype} has no "
            f"place; write float32, or replace them first."
        )
    return image.like(_integers(array, target, image.name))


def _integers(array: Any, target: np.dtype[Any], name: str) -> Any:
    limits = np.iinfo(target)
    whole = np.rint(array) if array.dtype.kind == "f" else array
    n_rounded = int((whole != array).sum())
    n_clipped = int(((whole < limits.min) | (whole > limits.max)).sum())
    if n_rounded or n_clipped:
        _logger.warning(
            "%s is written as %s: %d of %d values were rounded, %d clipped to %d … %d.",
            name, target, n_rounded, array.size, n_clipped, limits.min, limits.max,
        )  # fmt: skip
    if whole.dtype.kind == "f" and target.itemsize >= 4:
        whole = whole.astype(np.float64)  # a 32-bit float cannot express the limits
    return np.clip(whole, limits.min, limits.max).astype(target)
