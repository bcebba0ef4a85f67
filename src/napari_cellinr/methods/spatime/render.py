"""Rendering of a saved fit of SpatimeINR: any scale, time, crop and channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.complete import complete
from napari_cellinr.methods.spatime.between.confidence import ConfidenceSeries
from napari_cellinr.methods.spatime.finer.regions import MARGIN
from napari_cellinr.methods.spatime.geometry import RenderPlan, plan_of, within
from napari_cellinr.methods.spatime.model import settings_of_tensors
from napari_cellinr.methods.spatime.published.problem import PublishedSeries
from napari_cellinr.methods.spatime.series import Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored
    from napari_cellinr.image import Image

__all__ = ["Renderable", "channel_of", "render_spatime", "rendered_part"]

Renderable: TypeAlias = Series | PublishedSeries | ConfidenceSeries
"""What is rendered at any time, on any grid."""

SUFFIX = "super-resolved"
"""What the name of a result ends with."""


def render_spatime(stored: Stored, query: Query, device: torch.device) -> tuple[Image, ...]:
    """Return the result of a saved fit for a query; what the query leaves out is as in the fit.

    Parameters
    ----------
    stored
        The fit.
    query
        Scale, times, crop and channel.
    device
        Where to compute.

    Returns
    -------
    tuple of Image
        The result, float32, grey levels; then its confidence, 0 to 1, if the fit has one.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot be rendered like this.
    """
    plan = plan_of(stored, query)
    axes = "".join(plan.maps)
    channels: list[Renderable] = [
        channel_of(stored, channel, axes, device) for channel in plan.channels
    ]
    made = [_rendered(channels, plan, plan.image.name)]
    if "confidence" in stored.header.get("roles", ()):
        doubts = [ConfidenceSeries(s) for s in channels if isinstance(s, Series)]
        made.append(_rendered(doubts, plan, plan.image.name.replace(SUFFIX, "confidence")))
    return tuple(made)


def _rendered(channels: Sequence[Renderable], plan: RenderPlan, name: str) -> Image:
    made = [
        np.stack([_frame(one, t, plan.maps, plan.ranges, plan.places) for t in plan.times])
        for one in channels
    ]
    return plan.image.like(np.stack(made, 1).reshape(plan.image.shape), name=name)


def channel_of(
    stored: Stored, channel: int, axes: str, device: torch.device
) -> Series | PublishedSeries:
    """Return a channel of a saved fit.

    Parameters
    ----------
    stored
        The fit.
    channel
        Number of the channel.
    axes
        Letters of the spatial axes.
    device
        Where to compute.

    Raises
    ------
    ConfigError
        If the fit does not have this channel.
    FileError
        If the file is damaged.
    """
    prefix = f"{channel}."
    tensors = {k.removeprefix(prefix): v for k, v in stored.tensors.items() if k.startswith(prefix)}
    if "frames" not in tensors:
        raise ConfigError(f"channel {channel} was requested; the fit does not have it.")
    channels = stored.model.get("channels")
    with complete():
        settings = channels[channel] if channels else settings_of_tensors(tensors)
        if "published" in settings:
            return PublishedSeries.restored(tensors, settings, device)
        return Series.restored(tensors, settings, axes, device)


def rendered_part(
    series: Renderable,
    time: float,
    maps: Mapping[str, Sampling],
    samples: Mapping[str, slice],
) -> NDArray[np.float32]:
    """Return a part of a frame on the output grid, without the rest of it.

    Parameters
    ----------
    series
        A fitted channel.
    time
        In frames of the source.
    maps
        Sampling by spatial axis letter.
    samples
        Samples of the output along each of these axes.

    Returns
    -------
    numpy.ndarray
        (*samples), float32, grey levels.
    """
    places = {axis: m.positions[samples[axis]] for axis, m in maps.items()}
    ranges = {
        axis: slice(int(np.floor(max(p[0], 0))), min(maps[axis].n_in, int(np.ceil(p[-1])) + 1))
        for axis, p in places.items()
    }
    return _frame(series, time, dict(maps), ranges, places)


def _frame(
    series: Renderable,
    time: float,
    maps: dict[str, Sampling],
    ranges: dict[str, slice],
    places: dict[str, NDArray[np.float64]],
) -> NDArray[np.float32]:
    """Return a part of a frame on its output grid, rendered with a margin that is cut off."""
    if isinstance(series, PublishedSeries):
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
