"""Chunks of a Zarr array that were never written, or were lost: they are read as 0."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import zarr

from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.zarr.parts import CHUNK
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["missing_chunks"]


def missing_chunks(path: str, level: int = 0) -> list[str]:
    """Return a sentence about the chunks that a recording lacks; nothing if it has all of them.

    Parameters
    ----------
    path
        The recording; files other than a Zarr folder are not looked at.
    level
        Level of its pyramid.
    """
    place = place_of(path)
    if not is_zarr(place):
        return []
    try:
        array = _array(zarr.open(place, mode="r"), level)
        there, total = _n_files(place / array.path), _n_stored(array)
    except Exception:  # what cannot be read is reported where it is read
        return []
    if there >= total:
        return []
    of_all = f"of {total} chunks of {path}"
    are = n_of(total - there, f"{of_all} is missing and counts", f"{of_all} are missing and count")
    return [
        f"{are} as 0: either nothing was recorded there, or it was lost in copying. Compare with "
        "the source."
    ]


def _n_stored(array: Any) -> int:
    """Return the number of files that hold the values of an array: chunks, or shards of them."""
    lengths = getattr(array, "shards", None) or array.chunks
    return math.prod(-(-size // length) for size, length in zip(array.shape, lengths, strict=True))


def _n_files(folder: Path) -> int:
    """Return the number of chunks in the folder of an array; that of zarr takes hours for many."""
    return sum(bool(CHUNK.fullmatch(name)) for _, _, names in os.walk(folder) for name in names)


def _array(node: Any, level: int) -> Any:
    """Return the array of a level of an image."""
    if isinstance(node, zarr.Array):
        return node
    facts = dict(node.attrs)
    facts = facts.get("ome", facts)
    return node[facts["multiscales"][0]["datasets"][level]["path"]]
