"""Geometry of renderings of SpatimeINR: times, and positions along each axis; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.sampling import Sampling, sampling, samplings
from napari_cellinr.config import SpatimeConfig
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.query import factors_of
from napari_cellinr.fitting.saved.stored import blank
from napari_cellinr.io.metadata.times import at_places
from napari_cellinr.methods.spatime.output_grid import (
    check_order,
    check_several,
    output_factors,
    stamps_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["RenderPlan", "geometry_spatime", "plan_of", "within"]


def geometry_spatime(stored: Stored, query: Query) -> Image:
    """Return the image that `render_spatime` returns, with zeros that take no memory.

    Parameters
    ----------
    stored
        A saved fit of the method; its tensors are not needed.
    query
        What would be rendered.

    Raises
    ------
    ConfigError, AxesError
        As for `render_spatime`.
    """
    return plan_of(stored, query).image


@dataclass(frozen=True)
class RenderPlan:
    """Times and positions to render.

    Parameters
    ----------
    image
        Geometry of the rendered image, with zeros that take no memory.
    channels
        Indices of the channels.
    times
        Times in frames of the source, (T,).
    maps
        Sampling of the whole source by spatial axis.
    ranges
        The part of the source by spatial axis, in voxels.
    places
        Positions in voxels of the source by spatial axis.
    """

    image: Image
    channels: list[int]
    times: NDArray[np.float64]
    maps: dict[str, Sampling]
    ranges: dict[str, slice]
    places: dict[str, NDArray[np.float64]]


def plan_of(stored: Stored, query: Query) -> RenderPlan:
    """Return the times and positions that a query selects.

    Parameters
    ----------
    stored, query
        As for `geometry_spatime`.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot be rendered like this.
    """
    source = blank(stored.source)
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    factors = _factors(stored, query, source)
    samplings(source, factors)  # raises an error that names the fault
    check_several(source, factors)
    channels = list(range(source.sizes.get("C", 1)))
    crop = {a.upper(): ends for a, ends in query.crop.items()}
    source.crop(**crop)  # raises an error that names the fault
    if query.channel is not None:
        part = source.take("C", query.channel)
        channels = [channels[query.channel]]
    elif "C" in crop:
        channels = channels[crop["C"]]
        part = source.crop(C=crop["C"])
    else:
        part = source
    times, start, tick = _times(stored, source, query, factors)
    ranges = {a: slice(*crop.get(a, slice(None)).indices(source.sizes[a])[:2]) for a in axes}
    maps = {a: sampling(source.sizes[a], factors.get(a, 1.0), a) for a in axes}
    places = {a: within(maps[a], ranges[a]) for a in axes}
    sizes, steps = part.sizes, part.steps
    starts = dict(zip(part.axes, part.translate, strict=True))
    for axis, inside in places.items():
        sizes[axis] = len(inside)
        starts[axis] += steps[axis] * float(inside[0])
        steps[axis] *= maps[axis].step
    if "T" in part.axes:
        sizes["T"], steps["T"], starts["T"] = len(times), tick, starts["T"] + start
    meta = part.meta
    if "T" in part.axes:
        config, n_frames = SpatimeConfig(**stored.config), source.sizes["T"]
        stamps = stamps_of(config, n_frames, source.steps["T"]) if config.stamps else None
        meta = at_places(source.like(source.data, meta=meta), times, stamps)
    image = part.like(
        np.broadcast_to(np.float32(0), tuple(sizes.values())),
        scale=tuple(steps.values()),
        translate=tuple(starts.values()),
        name=f"{source.name} super-resolved",
        meta=meta,
    )
    return RenderPlan(image, channels, times, maps, ranges, places)


def _factors(stored: Stored, query: Query, source: Image) -> dict[str, float]:
    """Return the factor by axis letter: those of the query, else those of the fit."""
    if query.scale or query.voxel:
        return factors_of(source, query)
    return output_factors(source, SpatimeConfig(**stored.config))


def _times(
    stored: Stored, source: Image, query: Query, factors: dict[str, float]
) -> tuple[NDArray[np.float64], float, float]:
    """Return positions in frames, the time of the first one, and the step of time."""
    if "T" not in source.axes:
        if query.times is not None:
            raise ConfigError("times were given, but this fit has no time axis; leave them out.")
        return np.zeros(1), 0.0, 1.0
    n_frames, tick = source.sizes["T"], source.steps["T"]
    config = SpatimeConfig(**stored.config)
    stamps = stamps_of(config, n_frames, tick)
    since = stamps - stamps[0]
    times = query.times
    axes = {axis.upper() for axis in (*query.scale, *query.voxel, *query.crop)}
    if times is None and "T" not in axes:
        times = config.times or None  # those of the fit
    if times is not None:
        when = np.asarray(times, np.float64)
        last = float(since[-1])
        if len(when) == 0 or when.min() < -1e-6 * tick or when.max() > last + 1e-6 * tick:
            raise ConfigError(
                f"times {tuple(times)} were given; they must lie between 0 and "
                f"{last:g}, the times of the first and the last frame."
            )
        check_order(when)
        places = np.interp(when, since, np.arange(n_frames)) if config.stamps else when / tick
        step = float(np.diff(when).mean()) if len(when) > 1 else tick
        return np.clip(places, 0, n_frames - 1), float(when[0]), step or tick
    one = sampling(n_frames, factors.get("T", 1.0), "T")
    part = slice(*query.crop.get("T", query.crop.get("t", slice(None))).indices(n_frames)[:2])
    if config.stamps:
        even = np.linspace(0, float(since[-1]), one.n_out)
        there = even[(even >= since[part.start]) & (even <= since[part.stop - 1])]
        if len(there) == 0:
            raise ConfigError(
                f"the crop {part.start}:{part.stop} along T holds none of the equally spaced "
                "times of the result; give times instead."
            )
        step = float(even[1] - even[0]) if len(even) > 1 else tick
        return np.interp(there, since, np.arange(n_frames)), float(there[0]), step
    inside = one.positions[(one.positions >= part.start) & (one.positions <= part.stop - 1)]
    return inside, float(inside[0]) * tick, one.step * tick


def within(one: Sampling, part: slice) -> NDArray[np.float64]:
    """Return the positions of the output samples that lie in a range of input voxels.

    Parameters
    ----------
    one
        Sampling of the whole axis.
    part
        Range of input voxels.

    Returns
    -------
    NDArray
        Positions in input voxels, (samples,).

    Raises
    ------
    ConfigError
        If no sample lies in the range.
    """
    places = one.positions
    inside: NDArray[np.float64] = places[
        (places >= part.start - 0.5 - 1e-9) & (places < part.stop - 0.5 - 1e-9)
    ]
    if len(inside) == 0:
        raise ConfigError(f"the crop {part.start}:{part.stop} leaves nothing to render.")
    return inside
