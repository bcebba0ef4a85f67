"""Seams between tiles: what neighbours found on both sides of an edge is blended.

Every tile keeps its result in a band around its inner edges, beside the notes of finished parts.
Before the coarser levels of a frame are made, the bands of all its tiles are averaged with weights
that fall from 1 to 0 across an edge. Only bands are averaged, never what was averaged before, so
that doing it again after a kill gives the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.runs.scale.plan import Part

__all__ = ["blended", "keep_bands", "n_kept"]

Box = tuple[tuple[int, int], ...]


def keep_bands(path: Path, part: Part, values: NDArray[np.float32], shape: Sequence[int]) -> None:
    """Write what a tile found around its inner edges.

    Parameters
    ----------
    path
        The file, with the extension `.npy`.
    part
        The tile.
    values
        Its result in all that it read, axes T, [Z,] Y, X.
    shape
        Voxels of a whole frame.

    Raises
    ------
    FileError
        If the disk is full or refuses.
    """
    corner = [one[0] for one in part.wide]
    bands = [values[(slice(None), *_slices(box, corner))] for box in _bands(part, shape)]
    flat = np.concatenate([band.reshape(len(values), -1) for band in bands], 1)
    with replacing(path, ".npy") as temporary:
        np.save(temporary, np.asarray(flat, np.float32))


def n_kept(part: Part, shape: Sequence[int]) -> int:
    """Return how many values of all its frames a part keeps for its neighbours.

    Parameters
    ----------
    part
        The part.
    shape
        Voxels of a whole frame.
    """
    voxels = sum(math.prod(end - first for first, end in box) for box in _bands(part, shape))
    return voxels * (part.frames[1] - part.frames[0])


def blended(
    values: NDArray[np.float32],
    part: Part,
    own: Path,
    others: Sequence[tuple[Part, Path]],
    frame: int,
    shape: Sequence[int],
) -> NDArray[np.float32]:
    """Return what belongs to a tile in one frame, blended with its neighbours.

    Parameters
    ----------
    values
        What the tile wrote, axes [Z,] Y, X; changed by an earlier blending or not.
    part, own
        The tile, and the file of its bands.
    others
        Other tiles of the frame, and their files.
    frame
        Number of the frame of the result.
    shape
        Voxels of a whole frame.

    Raises
    ------
    FileError
        If a file is missing or damaged.
    """
    total = np.zeros(values.shape, np.float64)
    for other, path in [(part, own), *others]:
        box = _intersection(part.own, _wider(other, shape))
        if box is None:
            continue
        here = _slices(box, [one[0] for one in part.own])
        found = np.array(values[here]) if other is part else np.zeros(_sizes(box), np.float32)
        for band, one in zip(_bands(other, shape), _kept(path, other, frame, shape), strict=True):
            shared = _intersection(box, band)
            if shared is not None:
                there = _slices(shared, [low for low, _ in band])
                found[_slices(shared, [low for low, _ in box])] = one[there]
        total[here] += _weights(other, box, shape) * found
    return total.astype(np.float32)


def _kept(path: Path, part: Part, frame: int, shape: Sequence[int]) -> list[NDArray[Any]]:
    """Return the bands of a tile in one frame; only they are read."""
    boxes = _bands(part, shape)
    counts = [math.prod(_sizes(box)) for box in boxes]
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        row = np.array(rows[frame - part.frames[0]])
        bands = np.split(row, np.cumsum(counts)[:-1])
        return [one.reshape(_sizes(box)) for one, box in zip(bands, boxes, strict=True)]
    except (OSError, ValueError, IndexError) as error:
        raise FileError(
            f"{path} cannot be read ({error}); it holds the edges of a finished part. Delete "
            f"{path.parent}, and begin again with --overwrite."
        ) from error


def _bands(part: Part, shape: Sequence[int]) -> list[Box]:
    """Return the bands around the edges of a tile that are no edges of the image."""
    wider, found = _wider(part, shape), []
    for axis, (own, size) in enumerate(zip(part.own, shape, strict=True)):
        for edge in own:
            if 0 < edge < size:
                band = list(wider)
                band[axis] = (max(0, edge - part.band), min(size, edge + part.band))
                found.append(tuple(band))
    return found


def _wider(part: Part, shape: Sequence[int]) -> Box:
    """Return where a tile counts: what belongs to it, and its bands."""
    return tuple(
        (max(0, first - part.band), min(size, end + part.band))
        for (first, end), size in zip(part.own, shape, strict=True)
    )


def _weights(part: Part, box: Box, shape: Sequence[int]) -> NDArray[np.float64]:
    """Return the weights of a tile in a box; those of all tiles add up to 1."""
    weights: NDArray[np.float64] = np.ones(())
    band = part.band
    for (first, end), own, size in zip(box, part.own, shape, strict=True):
        places = np.arange(first, end) + 0.5
        one = np.ones(len(places))
        if own[0] > 0:
            one = one * np.clip((places - own[0] + band) / (2 * band), 0, 1)
        if own[1] < size:
            one = one * np.clip((own[1] + band - places) / (2 * band), 0, 1)
        weights = weights[..., None] * one
    return weights


def _intersection(first: Box, second: Box) -> Box | None:
    """Return what two boxes have in common; None if that is nothing."""
    found = tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(first, second, strict=True))
    return found if all(low < high for low, high in found) else None


def _slices(box: Box, corner: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(a - low, b - low) for (a, b), low in zip(box, corner, strict=True))


def _sizes(box: Box) -> tuple[int, ...]:
    return tuple(end - first for first, end in box)
