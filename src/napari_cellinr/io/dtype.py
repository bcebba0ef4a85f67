"""Conversion of images to another data type; losses give warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError, FileWarning, warn
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["DTYPES", "with_dtype"]

_TOLERATED = 1e-4
"""Largest error of a value, relative to the range of all values, of which no warning is given."""

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def with_dtype(image: Image, dtype: str, *, rescale: bool = False) -> Image:
    """Return the image in another data type; for integers, values are rounded and clipped.

    A `FileWarning` says how many values were rounded and clipped, or how they were rescaled.

    Parameters
    ----------
    image
        Any axes, real; read into memory.
    dtype
        One of `DTYPES`.
    rescale
        Whether the range of the values is stretched to that of an integer type first; a warning
        says by which factor and offset, with which the values are found again.

    Raises
    ------
    FileError
        If the type is not one of `DTYPES`, or NaN would have to become an integer.
    """
    if dtype not in DTYPES:
        raise FileError(f"data type {dtype!r} was given; allowed are {', '.join(DTYPES)}.")
    target = np.dtype(dtype)
    if image.dtype == target:
        return image
    array = image.array()
    if target.kind == "f":
        return image.like(_floats(array, target, image.name))
    n_bad = int(np.isnan(array).sum()) if array.dtype.kind == "f" else 0
    if n_bad:
        of_image = f"of {image.name}"
        are = n_of(n_bad, f"value {of_image} is not a number", f"values {of_image} are not numbers")
        raise FileError(
            f"{are} (NaN), which {dtype} cannot store; write float32, or replace NaN first."
        )
    if rescale:
        array = _stretched(array, target, image.name)
    return image.like(_integers(array, target, image.name, rounding=not rescale))


def _stretched(array: NDArray[Any], target: np.dtype[Any], name: str) -> NDArray[np.float64]:
    """Return values whose smallest and largest are those of an integer type."""
    limits = np.iinfo(target)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise FileError(f"{name} holds infinite values, which cannot be rescaled; replace them.")
    factor = (float(limits.max) - float(limits.min)) / (high - low) if high > low else 1.0
    warn(
        f"{name} is rescaled to {target}: grey level {low:.6g} became {limits.min}, {high:.6g} "
        f"became {limits.max} (original = {low:.10g} + (stored - {limits.min}) / {factor:.10g}).",
        FileWarning,
    )
    stretched: NDArray[np.float64] = (array.astype(np.float64) - low) * factor + limits.min
    return stretched


def _floats(array: NDArray[Any], target: np.dtype[Any], name: str) -> NDArray[Any]:
    """Return floating-point values, with a warning if grey levels become the same or infinite."""
    with np.errstate(over="ignore"):
        values: NDArray[Any] = array.astype(target)
    if array.dtype.itemsize < target.itemsize or array.size == 0:
        return values
    finite = np.isfinite(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    known, stored = array[finite].astype(np.float64), values[finite].astype(np.float64)
    span = float(np.ptp(known)) if known.size else 0.0
    error = float(np.abs(known - stored).max()) if known.size else 0.0
    if error > _TOLERATED * span:
        warn(
            f"{name} is written as {target}, which changes values by up to {error:.3g}, and their "
            f"range is only {span:.3g}: their offset is too large for this type. Subtract it, or "
            "write float64.",
            FileWarning,
        )
    return values


def _integers(array: Any, target: np.dtype[Any], name: str, *, rounding: bool) -> Any:
    """Return the nearest integers within the limits of a type.

    Parameters
    ----------
    array
        Values, none of them NaN.
    target
        The type.
    name
        Name of the image, for the warning.
    rounding
        Whether a warning counts the rounded values, too.
    """
    limits = np.iinfo(target)
    whole = np.rint(array) if array.dtype.kind == "f" else array
    n_rounded = int((whole != array).sum()) if rounding else 0
    n_clipped = int(((whole < limits.min) | (whole > limits.max)).sum())
    if n_rounded or n_clipped:
        of_all = f"of {array.size} values"
        rounded = n_of(n_rounded, f"{of_all} was", f"{of_all} were")
        warn(
            f"{name} is written as {target}: {rounded} rounded, "
            f"{n_clipped} clipped to {limits.min} … {limits.max}.",
            FileWarning,
        )
    if whole.dtype.kind == "f" and target.itemsize >= 4:
        whole = whole.astype(np.float64)  # float32 cannot represent the limits of 32-bit integers
    return np.clip(whole, limits.min, limits.max).astype(target)
