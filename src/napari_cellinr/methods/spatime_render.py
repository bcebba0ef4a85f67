"""Rendering of a kept SpatimeINR: any scale, time, crop and channel, without another fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.sampling import Sampling, sampling
from napari_cellinr.errors import ConfigError
from napari_cellinr.image import Image
from napari_cellinr.methods.spatime import series_of
from napari_cellinr.methods.spatime_model import MARGIN, Series
from napari_cellinr.methods.spatime_paper import PaperSeries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.kept import Query, Stored

__all__ = ["render_spatime", "rendered_part"]


def render_spatime(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return the result of a kept fit for a query; what it leaves out is as in the fit.

    Raises
    ------
    ConfigError
        If the fit cannot answer the query.
    """
    source = _source(stored)
    axes = "".join(axis for axis in source.axes if axis in "ZYX")
    factors = _factors(stored, query, source)
    n_channels = source.sizes.get("C", 1)
    channels = range(n_channels) if query.channel is None else [query.channel]
    times, start, tick = _times(source, query, factors)
    crop = {a.upper(): part for a, part in query.crop.items()}
    ranges = {a: slice(*crop.get(a, slice(None)).indices(source.sizes[a])[:2]) for a in axes}
    maps = {a: sampling(source.sizes[a], factors.get(a, 1.0), a) for a in axes}
    places = {a: _within(maps[a], ranges[a]) for a in axes}
    made = []
    for channel in channels:
        series = series_of(stored.tensors, channel, axes, device)
        made.append(np.stack([_frame(series, t, maps, ranges, places) for t in times]))
    data = np.stack(made, 1)
    if "C" not in source.axes or query.channel is not None:
        data = data[:, 0]
    if "T" not in source.axes:
        data = data[0]
    kept = "".join(a for a in source.axes if a != "C" or query.channel is None)
    scale, translate, units = [], [], []
    for axis, step, origin, unit in zip(
        source.axes, source.scale, source.translate, source.units, strict=True
    ):
        if axis not in kept:
            continue
        units.append(unit)
        if axis == "T":
            scale.append(tick)
            translate.append(origin + start)
        elif axis in axes:
            scale.append(step * maps[axis].step)
            translate.append(origin + step * float(places[axis][0]))
        else:
            scale.append(step)
            translate.append(origin)
    name = f"{source.name} super-resolved"
    image = Image(data, kept, tuple(scale), tuple(units), name, tuple(translate))
    return (image,)


def rendered_part(
    series: Series | PaperSeries,
    time: float,
    maps: Mapping[str, Sampling],
    wanted: Mapping[str, slice],
) -> NDArray[np.float32]:
    """Return a part of a frame on its output lattice, grey levels, without the rest of it.

    Parameters
    ----------
    series
        A fitted channel.
    time
        In frames of the source.
    maps
        Map by spatial axis letter.
    wanted
        Samples of the output along each of these axes.
    """
    places = {axis: one.positions[wanted[axis]] for axis, one in maps.items()}
    ranges = {
        axis: slice(int(np.floor(max(p[0], 0))), min(maps[axis].n_in, int(np.ceil(p[-1])) + 1))
        for axis, p in places.items()
    }
    return _frame(series, time, dict(maps), ranges, places)


def _source(stored: Stored) -> Image:
    """Return the geometry of the source; its values are with the tensors."""
    facts = stored.source
    data = np.broadcast_to(np.float32(0), tuple(int(n) for n in facts["shape"]))
    return Image(
        data, facts["axes"], tuple(facts["scale"]), tuple(facts["units"]), facts["name"],
        tuple(facts["translate"]),
    )  # fmt: skip


def _factors(stored: Stored, query: Query, source: Image) -> dict[str, float]:
    """Return the factor by axis letter: those of the query, else those of the fit."""
    if query.scale and query.voxel:
        raise ConfigError("scale and voxel were given; give one of them.")
    if query.voxel:
        return {a.upper(): source.steps[a.upper()] / step for a, step in query.voxel.items()}
    if query.scale:
        return {a.upper(): float(f) for a, f in query.scale.items()}
    config = stored.config
    factors = {a.upper(): float(f) for a, f in dict(config.get("scale") or {}).items()}
    for axis, step in dict(config.get("target_voxel") or {}).items():
        factors[axis.upper()] = source.steps[axis.upper()] / float(step)
    if config.get("isotropic"):
        spatial = {a: s for a, s in source.steps.items() if a in "ZYX"}
        for axis, step in spatial.items():
            factors.setdefault(axis, step / min(spatial.values()))
    return factors


def _times(
    source: Image, query: Query, factors: dict[str, float]
) -> tuple[NDArray[np.float64], float, float]:
    """Return positions in frames, the time of the first one, and the step of time."""
    if "T" not in source.axes:
        return np.zeros(1), 0.0, 1.0
    n_frames, tick = source.sizes["T"], source.steps["T"]
    if query.times is not None:
        places = np.asarray(query.times, np.float64) / tick
        if len(places) == 0 or places.min() < -1e-6 or places.max() > n_frames - 1 + 1e-6:
            raise ConfigError(
                f"times {query.times} were given; they must lie between 0 and "
                f"{(n_frames - 1) * tick:g}, the times of the first and the last frame."
            )
        step = tick * float(np.diff(places).mean()) if len(places) > 1 else tick
        return np.clip(places, 0, n_frames - 1), float(places[0]) * tick, step or tick
    one = sampling(n_frames, factors.get("T", 1.0), "T")
    part = slice(*query.crop.get("T", query.crop.get("t", slice(None))).indices(n_frames)[:2])
    inside = one.positions[(one.positions >= part.start) & (one.positions <= part.stop - 1)]
    return inside, float(inside[0]) * tick, one.step * tick


def _within(one: Sampling, part: slice) -> NDArray[np.float64]:
    """Return the positions of the output samples that lie in a range of input voxels."""
    places = one.positions
    inside: NDArray[np.float64] = places[
        (places >= part.start - 0.5 - 1e-9) & (places < part.stop - 0.5 - 1e-9)
    ]
    if len(inside) == 0:
        raise ConfigError(f"the crop {part.start}:{part.stop} leaves nothing to render.")
    return inside


def _frame(
    series: Series | PaperSeries,
    time: float,
    maps: dict[str, Sampling],
    ranges: dict[str, slice],
    places: dict[str, NDArray[np.float64]],
) -> NDArray[np.float32]:
    """Return a part of a frame on its output lattice, made with a margin that is cut again."""
    if isinstance(series, PaperSeries):
        return series.at(time, list(places.values()), [maps[a].step for a in places])
    wider = {
        a: slice(max(0, r.start - MARGIN), min(maps[a].n_in, r.stop + MARGIN))
        for a, r in ranges.items()
    }
    volume = series.frame(time, list(wider.values()))
    made = series.finer(volume, maps, {a: w.start for a, w in wider.items()})
    cut = []
    for axis in series.axes:
        every = _within(maps[axis], wider[axis])
        first = int(np.searchsorted(every, places[axis][0] - 1e-9))
        cut.append(slice(first, first + len(places[axis])))
    return made[tuple(cut)]
