"""How many frames a layer has now: data that are replaced, appended to, or written by others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import CellINRError

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

__all__ = ["grown_to"]


def grown_to(layer: ImageLayer, axis: int, known: int) -> int:
    """Return the number of frames of a layer, after an update if its data have grown.

    Data may grow in three ways: an acquisition replaces them, appends to the Zarr array that the
    layer shows, or appends to the Zarr file that the layer was opened from.

    Parameters
    ----------
    layer
        The layer.
    axis
        Its dimension of time.
    known
        Number of frames so far.
    """
    data: Any = layer.data
    if data.shape[axis] > known:
        layer.data = data  # napari learns the new size of an array that has grown in place
        return int(data.shape[axis])
    path = layer.source.path
    if path is None or Path(str(path)).suffix != ".zarr":
        return known
    grown = _read_again(Path(str(path)), tuple(data.shape), axis)
    if grown is None:
        return known
    layer.data = grown
    return int(grown.shape[axis])


def _read_again(path: Path, shape: tuple[int, ...], axis: int) -> Any:
    """Return the data of a Zarr file if they have more frames and the same size otherwise."""
    from napari_cellinr.io import read

    try:
        data: Any = read(path).data
    except CellINRError:  # it is being written at the moment
        return None
    others = [size for place, size in enumerate(data.shape) if place != axis]
    same = others == [size for place, size in enumerate(shape) if place != axis]
    return data if same and data.shape[axis] > shape[axis] else None
