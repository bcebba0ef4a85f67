"""How an image is shown in a console and in a notebook."""

from __future__ import annotations

import base64
import html
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image.image import Image

__all__ = ["as_html", "as_text", "step_of"]

_SIZE: Final = 192
"""Pixels of a picture along its longer side, at most."""

_MOST_BYTES: Final = 64 * 2**20
"""Size of a lazy plane above which no picture is made, because it would have to be read."""

_SYMBOLS: Final = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "second": "s"}


def as_text(image: Image) -> str:
    """Return the image as one line: name, axes, shape, data type, steps."""
    steps = ", ".join(f"{axis.lower()} {step_of(image, axis)}" for axis in _known(image))
    names = f", channels {', '.join(image.channels)}" if image.channels else ""
    return (
        f"<Image {image.name!r} {image.axes} {image.shape} {image.dtype}, "
        f"{steps or 'step unknown'}{names}>"
    )


def step_of(image: Image, axis: str) -> str:
    """Return the step along an axis with its unit, such as `0.1 µm`.

    Parameters
    ----------
    image
        The image.
    axis
        Letter of one of its axes.
    """
    unit = image.units[image.axes.index(axis)]
    return f"{image.steps[axis]:.6g} {_SYMBOLS.get(unit, unit)}"


def _known(image: Image) -> list[str]:
    units = zip(image.axes, image.units, strict=True)
    return [axis for axis, unit in units if unit != "pixel" and axis != "C"]


def as_html(image: Image) -> str:
    """Return the image as HTML: a picture of its middle plane, and a table of its axes."""
    rows = "".join(
        f"<tr><td>{axis}</td><td>{size}</td>"
        f"<td>{html.escape(step_of(image, axis)) if axis in _known(image) else '–'}</td></tr>"
        for axis, size in image.sizes.items()
    )
    channels = f"<div>channels: {html.escape(', '.join(image.channels))}</div>"
    return (
        '<div style="display:flex;gap:12px;align-items:flex-start">'
        f"{_picture(image)}<div><b>{html.escape(image.name)}</b> ({image.dtype})"
        f"<table><tr><th>axis</th><th>size</th><th>step</th></tr>{rows}</table>"
        f"{channels if image.channels else ''}</div></div>"
    )


def _picture(image: Image) -> str:
    """Return the middle plane as an embedded PNG; nothing if it is too large to be read."""
    plane = _middle(image)
    if plane is None or plane.size == 0:
        return ""
    import imagecodecs

    low, high = np.nanpercentile(plane, [0.1, 99.9]) if np.isfinite(plane).any() else (0, 1)
    levels = np.nan_to_num((plane - low) / max(high - low, 1e-12)).clip(0, 1)
    encode: Any = imagecodecs.png_encode
    data = base64.b64encode(encode((levels * 255).astype(np.uint8))).decode()
    return f'<img src="data:image/png;base64,{data}" alt="middle plane">'


def _middle(image: Image) -> NDArray[np.float64] | None:
    """Return the middle plane (Y, X), at reduced size."""
    if not {"Y", "X"} <= set(image.axes) or image.unknown_axes:
        return None
    n_bytes = image.sizes["Y"] * image.sizes["X"] * image.dtype.itemsize
    if n_bytes > _MOST_BYTES and not isinstance(image.data, np.ndarray):
        return None
    for axis in "TCZ":
        if axis in image.axes:
            image = image.take(axis, 0 if axis == "C" else image.sizes[axis] // 2)
    ordered = image.canonical()
    step = math.ceil(max(ordered.shape) / _SIZE)
    plane: NDArray[np.float64] = np.asarray(ordered.data[::step, ::step], np.float64)
    return plane
