"""Checks of an image before a fit starts: invalid values, size and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

from napari_cellinr.fitting.resources.available import available_memory
from napari_cellinr.runs.estimates import advice
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Method

__all__ = ["forget_faults", "image_fault", "memory_warning"]

_last: list[tuple[Any, str]] = []


def image_fault(image: Image) -> str:
    """Return why no method can fit an image, or an empty text.

    Only a part of the values is checked here; the job checks all of them.
    """
    small = [
        f"{n_of(image.sizes.get(axis, 0), 'pixel')} along {axis}"
        for axis in "YX"
        if image.sizes.get(axis, 0) < 2
    ]
    if small:
        return f"The image has {' and '.join(small)}; at least 2 are needed."
    if _last and _last[0][0]() is image.data:
        return _last[0][1]
    fault = _value_fault(image)
    try:
        _last[:] = [(ref(image.data), fault)]
    except TypeError:  # not every lazy array supports weak references
        _last.clear()
    return fault


def forget_faults() -> None:
    """Check values again the next time, since an array may have been changed in place."""
    _last.clear()


def memory_warning(method: Method, image: Image, config: Config) -> str:
    """Return a warning if a run needs more memory than is free; otherwise an empty text.

    Parameters
    ----------
    method
        The method.
    image
        The input; only its shape counts.
    config
        The settings.
    """
    text = advice(method, image, config, available_memory())
    return f"{text[:1].upper()}{text[1:]}"


def _value_fault(image: Image) -> str:
    """Return what is wrong with the values of a NumPy array; the job checks lazy arrays."""
    if not isinstance(image.data, np.ndarray) or isinstance(image.data, np.memmap):
        return ""
    step = max(1, round((np.prod(image.shape) / 1e6) ** (1 / len(image.shape))))
    some = image.data[(slice(None, None, step),) * len(image.shape)]
    if not np.isfinite(some).all():
        return "Some values are not finite (NaN or infinite); replace them first, for example by 0."
    if some.min() == some.max() and image.data.min() == image.data.max():
        return f"Every value is {some.min():g}; there is nothing to restore."
    return ""
