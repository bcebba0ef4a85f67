"""Geometry of renderings of CellINR: frames, and positions along each axis; no torch."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.sampling import placed, samplings
from napari_cellinr.fitting.saved.query import factors_of, frames_of
from napari_cellinr.fitting.saved.stored import blank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Selection", "geometry_cellinr", "selected"]


def geometry_cellinr(stored: Stored, query: Query) -> Image:
    """Return the first image that `render_cellinr` returns, with zeros that take no memory.

    Parameters
    ----------
    stored
        A saved fit of the method; its tensors are not needed.
    query
        What would be rendered.

    Raises
    ------
    ConfigError, AxesError
        As for `render_cellinr`.
    """
    return selected(stored, query).image


@dataclass(frozen=True)
class Selection:
    """Frames and positions to render.

    Parameters
    ----------
    whole
        Geometry of the image that was fitted.
    image
        Geometry of the rendered image, with zeros that take no memory.
    numbers
        Index of each frame of each channel in the saved fit, time first.
    places
        For each spatial axis: positions in voxels of the source, and how many consecutive
        positions are averaged into one output voxel.
    """

    whole: Image
    image: Image
    numbers: list[int]
    places: list[tuple[NDArray[np.float64], int]]


def selected(stored: Stored, query: Query) -> Selection:
    """Return the frames and positions that a query selects.

    Parameters
    ----------
    stored
        A saved fit of the method; its tensors are not needed.
    query
        What would be rendered.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot be rendered like this.
    """
    whole = blank(stored.source)
    frames, part = frames_of(whole, query)
    channels = _indices(whole, part, "C")
    if query.channel is not None:
        part = part.take("C", query.channel)
        channels = range(whole.sizes["C"])[query.channel :][:1]
    maps = samplings(part, factors_of(part, query))
    spatial = [axis for axis in part.axes if axis in "ZYX"]
    places = [_positions(maps[axis], float(_indices(whole, part, axis)[0])) for axis in spatial]
    sizes = {**part.sizes, **{axis: maps[axis].n_out for axis in spatial}}
    zeros = np.broadcast_to(np.float32(0), tuple(sizes[axis] for axis in part.axes))
    named = part.like(zeros, name=f"{whole.name} denoised")
    image = placed(named, zeros, {axis: maps[axis] for axis in spatial})
    return Selection(whole, image, _numbers(whole, frames, channels), places)


def _positions(sampling: Sampling, start: float) -> tuple[NDArray[np.float64], int]:
    """Return where to evaluate along one axis, and how many values make one voxel."""
    count = max(1, math.ceil(sampling.step - 1e-9))
    inside = ((np.arange(count) + 0.5) / count - 0.5) * sampling.step
    return (start + sampling.positions[:, None] + inside).ravel(), count


def _numbers(whole: Image, frames: Sequence[int], channels: Sequence[int]) -> list[int]:
    """Return the index of each frame of each channel in the saved fit."""
    n_channels = whole.sizes.get("C", 1)
    return [frame * n_channels + place for frame, place in itertools.product(frames, channels)]


def _indices(whole: Image, part: Image, axis: str) -> range:
    """Return the indices along an axis of the whole that the part covers; 0 without the axis."""
    if axis not in part.axes:
        return range(1)
    place, inside = whole.axes.index(axis), part.axes.index(axis)
    moved = part.translate[inside] - whole.translate[place]
    start = round(moved / whole.scale[place])
    return range(start, start + part.shape[inside])
