"""Rendering of a kept SpatimeINR: any scale, time, crop and channel, without another fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.methods.spatime.fit import series_of
from napari_cellinr.methods.spatime.geometry import plan_of, within
from napari_cellinr.methods.spatime.model import MARGIN, Series
from napari_cellinr.methods.spatime.published import PaperSeries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.fitting.stored import Query, Stored
    from napari_cellinr.image import Image

__all__ = ["render_spatime", "rendered_part"]


def render_spatime(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return the result of a kept fit for a query; what it leaves out is as in the fit.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot answer the query.
    """
    plan = plan_of(stored, query)
    made = []
    for channel in plan.channels:
        series = series_of(stored.tensors, channel, "".join(plan.maps), device)
        frames = [_frame(series, t, plan.maps, plan.ranges, plan.places) for t in plan.times]
        made.append(np.stack(frames))
    return (plan.image.like(np.stack(made, 1).reshape(plan.image.shape)),)


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
        every = within(maps[axis], wider[axis])
        first = int(np.searchsorted(every, places[axis][0] - 1e-9))
        cut.append(slice(first, first + len(places[axis])))
    return made[tuple(cut)]
