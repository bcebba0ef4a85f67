"""OME-Zarr that several processes write, each its own regions, and that is completed at the end."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_cellinr.errors import FileError
from napari_cellinr.io.metadata.record import note
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.io.zarr.store import FlushedStore
from napari_cellinr.io.zarr.writer import (
    CHUNK,
    create_level,
    halved,
    level_count,
    multiscales,
    omero,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = [
    "UNFINISHED",
    "begin",
    "coarsen",
    "complete",
    "read_region",
    "unfinished",
    "write_region",
]

UNFINISHED: Final = "napari_cellinr_unfinished"
"""Attribute of an image of which parts are missing: the digest of the plan that it belongs to."""

_VERSION: Final = "0.5"
_WIDE: Final = 1024
"""Rows and columns of a level that are made coarser at a time."""


def begin(path: Path, image: Image, plan: str) -> None:
    """Create an OME-Zarr whose values are all 0 and take no room; one that exists is replaced.

    Parameters
    ----------
    path
        The folder.
    image
        Axes in canonical order; its values are not read.
    plan
        Digest of the plan whose parts will be written.
    """
    n_levels = level_count(image)
    with replacing(path, ".zarr") as temporary:
        group = zarr.create_group(LocalStore(temporary), zarr_format=3)
        for level in range(n_levels):
            create_level(group, image, level, 3)
        facts: dict[str, Any] = {
            "version": _VERSION,
            "multiscales": [multiscales(image, n_levels, _VERSION)],
        }
        attributes: dict[str, Any] = {"ome": facts, **json.loads(note(image)), UNFINISHED: plan}
        group.attrs.update(attributes)


def unfinished(path: Path) -> str:
    """Return the digest of the plan of which parts are missing; empty if the image is complete.

    Raises
    ------
    FileError
        If there is no such image.
    """
    try:
        return str(_group(path, "r").attrs.get(UNFINISHED, ""))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} is no OME-Zarr that can be read; begin again with --overwrite."
        ) from error


def write_region(path: Path, where: Sequence[slice], values: NDArray[np.float32]) -> None:
    """Write the values of a region at full resolution; each chunk appears complete or not at all.

    They are on the disk when this returns, so that a part counts as finished only then.

    Parameters
    ----------
    path
        The folder.
    where
        The region, which consists of whole chunks: one slice for each axis.
    values
        Its values.

    Raises
    ------
    FileError
        If the disk is full or refuses.
    """
    try:
        _group(path, "r+")["0"][tuple(where)] = values
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Make room there, and resume."
        ) from error


def read_region(path: Path, where: Sequence[slice]) -> NDArray[np.float32]:
    """Return the values of a region at full resolution.

    Parameters
    ----------
    path
        The folder.
    where
        The region: one slice for each axis.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    try:
        return np.asarray(_group(path, "r")["0"][tuple(where)], np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise FileError(
            f"{path} cannot be read: {error}. Delete it, and begin again with --overwrite."
        ) from error


def coarsen(path: Path, axes: str, leading: Sequence[int]) -> tuple[float, float]:
    """Make the coarser levels of one frame; return the lowest and highest value of the coarsest.

    Parameters
    ----------
    path
        The folder.
    axes
        Those of the image, in canonical order.
    leading
        Index of the frame along the axes T and C that the image has.

    Raises
    ------
    FileError
        As for `write_region`.
    """
    try:
        return _coarsen(_group(path, "r+"), axes, tuple(leading))
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Make room there, and resume."
        ) from error


def complete(path: Path, image: Image, windows: Sequence[tuple[float, float]]) -> None:
    """Write the metadata of a complete image.

    Parameters
    ----------
    path
        The folder.
    image
        As for `begin`.
    windows
        Lowest and highest value of each channel.
    """
    group = _group(path, "r+")
    n_levels = level_count(image)
    facts: dict[str, Any] = {
        "version": _VERSION,
        "multiscales": [multiscales(image, n_levels, _VERSION)],
    }
    if "C" in image.axes:
        facts["omero"] = omero(image, windows)
    group.attrs.put({"ome": facts, **json.loads(note(image))})


def _group(path: Path, mode: Any) -> Any:
    """Return the group in a folder; what is written into it is on the disk at once."""
    store = LocalStore(path, read_only=True) if mode == "r" else FlushedStore(path)
    return zarr.open_group(store, mode=mode)


def _coarsen(group: Any, axes: str, leading: tuple[int, ...]) -> tuple[float, float]:
    levels = [group[str(number)] for number in range(len(list(group.array_keys())))]
    for finer, coarser in itertools.pairwise(levels):
        for there, here in _blocks(axes, finer.shape, coarser.shape):
            block = np.asarray(finer[leading + there])
            coarser[leading + here] = halved(block, axes[len(leading) :])
    low, high = np.inf, -np.inf
    for _, here in _blocks(axes, levels[-1].shape, levels[-1].shape):
        values = np.asarray(levels[-1][leading + here])
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _blocks(
    axes: str, finer: Sequence[int], coarser: Sequence[int]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Yield where a block of whole chunks lies in two levels, along the spatial axes."""
    ranges = []
    for axis, size, small in zip(axes, finer, coarser, strict=True):
        if axis in "TC":
            continue
        step, factor = (CHUNK["Z"], 1) if axis == "Z" else (_WIDE // 2, 1 if small == size else 2)
        ranges.append(
            [
                (
                    slice(first * factor, min(size, (first + step) * factor)),
                    slice(first, min(small, first + step)),
                )
                for first in range(0, small, step)
            ]
        )
    for block in itertools.product(*ranges):
        yield tuple(part[0] for part in block), tuple(part[1] for part in block)
