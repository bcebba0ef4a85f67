"""Images from a saved fit of CellINR: any scale, crop, frame and channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.cellinr.geometry import selected
from napari_cellinr.methods.cellinr.saved import frame_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image
    from napari_cellinr.methods.cellinr.tiled import Evaluate

__all__ = ["render_cellinr"]

BLOCK_VOXELS = 2_000_000
"""Voxels that are evaluated at once."""


def render_cellinr(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return result, background and the other image at the places of a query, float32.

    At the scale of the fit, the result is that of the fit. Between its voxels the model is
    evaluated where it is needed; coarser voxels are means over finer ones. The other image is
    the signal alone if `background` is `keep`, else signal and background together. A fit of the
    preset `paper` has no model of the background, and gives the result only.

    Parameters
    ----------
    stored
        A saved fit of the method `cellinr`.
    query
        What to render; `times` must be those of frames.
    device
        Where to compute.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot be rendered like this.
    FileError
        If arrays are missing, or do not fit together.
    """
    selection = selected(stored, query)
    whole = selection.whole
    shape = tuple(n for axis, n in whole.sizes.items() if axis in "ZYX")
    count = whole.sizes.get("T", 1) * whole.sizes.get("C", 1)
    frames = [
        _evaluate(frame_model(stored, shape, number, count, device), selection.places)
        for number in selection.numbers
    ]
    images = []
    other = "signal" if stored.config["background"] == "keep" else "with background"
    roles = ("denoised", "background", other, "standard error")
    for values, role in zip(zip(*frames, strict=True), roles, strict=False):
        data = np.stack(values).reshape(selection.image.shape)
        images.append(selection.image.like(data, name=f"{whole.name} {role}"))
    return tuple(images)


def _evaluate(
    frame: Evaluate, places: Sequence[tuple[NDArray[np.float64], int]]
) -> tuple[NDArray[np.float32], ...]:
    """Return the images of a frame, block by block along the first axis."""
    (first, count), *rest = places
    plane = math.prod(len(positions) for positions, _ in rest)
    rows = count * max(1, BLOCK_VOXELS // max(plane * count, 1))
    blocks = []
    for start in range(0, len(first), rows):
        values = frame([first[start : start + rows], *(positions for positions, _ in rest)])
        blocks.append([_means(one, [count, *(n for _, n in rest)]) for one in values])
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _means(values: NDArray[np.float32], counts: Sequence[int]) -> NDArray[np.float32]:
    """Return the means of so many values along each axis."""
    shape = [
        n for size, count in zip(values.shape, counts, strict=True) for n in (size // count, count)
    ]
    if max(counts) == 1:
        return values
    means: NDArray[np.float32] = values.reshape(shape).mean(tuple(range(1, len(shape), 2)))
    return means
