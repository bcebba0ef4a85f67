"""Contrast limits of images, found in a sample of their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["contrast_of", "visible_contrast_of", "widen_range"]

FLAT: Final = 1e-5
"""Smallest relative range of values of an image that is not flat; float32 resolves 1e-7."""


def contrast_of(image: Image) -> tuple[float, float]:
    """Return contrast limits: the percentiles 1 and 99.9; black for a flat image."""
    low, high = _percentiles(image)
    return (low, low + 1) if _is_flat(low, high) else (low, high)


def visible_contrast_of(image: Image) -> tuple[float, float] | None:
    """Return the same contrast limits, or None for a flat image."""
    low, high = _percentiles(image)
    return None if _is_flat(low, high) else (low, high)


def _is_flat(low: float, high: float) -> bool:
    """Return whether the values of an image between such limits differ by rounding only."""
    return high - low <= FLAT * max(abs(low), abs(high))


def _percentiles(image: Image) -> tuple[float, float]:
    values = _sample(image)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = np.percentile(values, (1, 99.9))
    return float(low), float(high)


def widen_range(layer: ImageLayer, image: Image) -> None:
    """Extend the range of the contrast slider to all values, which napari does not.

    Parameters
    ----------
    layer
        The layer.
    image
        The image that it shows.
    """
    values = _sample(image)
    low, high = layer.contrast_limits
    if values.size:
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    layer.contrast_limits_range = (low, high)


def _sample(image: Image) -> NDArray[Any]:
    """Return about half a million finite values on a regular grid."""
    data: Any = image.data
    step = max(1, round((np.prod(image.shape) / 500_000) ** (1 / len(image.shape))))
    values = np.asarray(data[(slice(None, None, step),) * len(image.shape)], dtype=np.float32)
    return values[np.isfinite(values)]
