"""Whether single precision, in which everything is fitted, can tell grey levels apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_precision"]

LEAST_LEVELS = 256
"""Steps of single precision that the range of grey levels has to span."""


def check_precision(values: NDArray[Any]) -> None:
    """Raise `DataError` if grey levels would become the same in float32.

    Integers and float64 may have an offset so large that nothing is left of what they differ by.

    Parameters
    ----------
    values
        Any shape, finite, at least one.
    """
    if values.dtype.itemsize < 4 or values.dtype == np.float32:
        return
    low, high = values.min(), values.max()
    largest = max(abs(float(low)), abs(float(high)))
    if largest > float(np.finfo(np.float32).max):
        raise DataError(
            f"the grey levels reach {largest:.3g}, more than single precision can hold, in which "
            "is fitted. Divide the image by a number, and multiply the result by it."
        )
    span = float(high - low) if values.dtype.kind == "f" else float(int(high) - int(low))
    if span < LEAST_LEVELS * float(np.spacing(np.float32(largest))):
        raise DataError(
            f"the grey levels lie between {low} and {high}: next to this offset, their range of "
            f"{span:.3g} is lost in single precision, in which is fitted. Subtract the offset, and "
            "add it to the result."
        )
