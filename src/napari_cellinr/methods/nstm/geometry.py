"""Where and when a fitted space-time field is rendered: times, sizes, steps; no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.config.nstm import NSTMConfig
from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.stored import blank
from napari_cellinr.image import Image
from napari_cellinr.io.units import convert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.stored import Query, Stored

__all__ = [
    "check_query",
    "first_time",
    "inside",
    "lattice_nstm",
    "scene_image",
    "starts_of",
    "times_of",
]


def lattice_nstm(stored: Stored, query: Query) -> Image:
    """Return the geometry of the scene that `render_nstm` returns, zeros that take no memory.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot answer the query.
    """
    check_query(query)
    facts = stored.report["field"]
    chosen = NSTMConfig(**stored.config).chosen_times() if query.times is None else query.times
    times = times_of(facts, chosen)
    sizes = [part.stop - part.start for part in inside(facts["padding"], facts["shape"]["scene"])]
    n_channels = int(facts["shape"]["channels"])
    shape = (len(times), *([n_channels] if n_channels > 1 else []), *sizes)
    source = blank(stored.source)
    data = np.broadcast_to(np.float32(0), shape)
    image = scene_image(facts, source, data, times, f"{source.name} reconstructed")
    return image.crop(**dict(query.crop))


def check_query(query: Query) -> None:
    """Refuse what no motion-aware fit can answer.

    Raises
    ------
    ConfigError
        If another scale or a channel is asked for.
    """
    if query.scale or query.voxel or query.channel is not None:
        raise ConfigError(
            "a scale or a channel was asked of a motion-aware fit; times and a crop can be "
            "rendered again, other scales need superresolve."
        )


def times_of(facts: Mapping[str, Any], chosen: int | Sequence[float] | None = None) -> list[float]:
    """Return the times to render: equally spaced ones, given ones, or those of the frames.

    Parameters
    ----------
    facts
        As `nstm_render.field_facts` gives them.
    chosen
        A number of times, or times from the first of the recording on.

    Raises
    ------
    ConfigError
        If a time is outside the recording: motion is not extrapolated.
    """
    first, last = facts["first"], facts["last"]
    if chosen is None:
        return [float(time) for time in facts["frames"]]
    if isinstance(chosen, int):
        return [float(time) for time in np.linspace(first, last, chosen)]
    if min(chosen) < 0 or max(chosen) > (last - first) * (1 + 1e-6):
        raise ConfigError(
            f"times {min(chosen):g} to {max(chosen):g} were asked for; the recording lasts "
            f"from 0 to {last - first:g}."
        )
    return [min(first + float(time), last) for time in chosen]


def inside(padding: Sequence[int], scene: Sequence[int]) -> tuple[slice, ...]:
    """Return the part of a scene that is not padding."""
    return tuple(slice(pad, size - pad) for pad, size in zip(padding, scene, strict=True))


def starts_of(source: Image, steps: Sequence[float]) -> list[float]:
    """Return where the first pixel of the raw frames lies along each axis of space.

    Parameters
    ----------
    source
        The raw frames; their steps may be in other units, or others than the optics say.
    steps
        Of the raw frames, along the last axes of ZYX, in the unit that is wanted.
    """
    before = {
        axis: start / step
        for axis, start, step in zip(source.axes, source.translate, source.scale, strict=True)
    }
    space = "ZYX"[-len(steps) :]
    return [before.get(axis, 0.0) * step for axis, step in zip(space, steps, strict=True)]


def first_time(source: Image, *, timed: bool) -> float:
    """Return when the raw frames begin on the axis of time, in seconds if `timed`, else in frames.

    0 where the source does not say it in that unit.
    """
    if "T" not in source.axes:
        return 0.0
    place = source.axes.index("T")
    start, unit = source.translate[place], source.units[place]
    if timed:
        return convert(start, unit, "second") or 0.0
    return start / source.scale[place]


def scene_image(
    facts: Mapping[str, Any],
    source: Image,
    data: NDArray[np.float32],
    times: Sequence[float],
    name: str,
    *,
    components: bool = False,
) -> Image:
    """Return an image on the lattice of the scene, with the calibration of its source.

    Parameters
    ----------
    facts
        As `nstm_render.field_facts` gives them.
    source
        The raw frames.
    data
        Axes T, [C,] [Z,] Y, X.
    times
        Those of the first axis.
    name
        Name of the image.
    components
        Whether the channels are those of a displacement.
    """
    space = "ZYX"[-len(facts["padding"]) :]
    axes = ("TC" if data.ndim == len(space) + 2 else "T") + space
    size = facts["voxel"]
    unit = "micrometer" if size else "pixel"
    scale = [float(s) for s in size] if size else [1 / float(z) for z in facts["zoom"]]
    starts = starts_of(source, [s * z for s, z in zip(scale, facts["zoom"], strict=True)])
    interval = float(np.diff(times).mean()) if len(times) > 1 else 1.0
    channels: tuple[str, ...] = ()
    if "C" in axes:
        named = [*space.lower()] if components else facts["channels"]
        channels, scale, units = tuple(named), [1.0, *scale], ["pixel", *[unit] * len(space)]
    else:
        units = [unit] * len(space)
    lead = [0.0] * (len(axes) - len(space) - 1)
    begin = first_time(source, timed=facts["timed"])
    meta = {**source.meta, "times": [float(t) for t in times]}
    if components:
        meta["displacement_unit"] = unit
    return Image(
        data,
        axes=axes,
        scale=(max(interval, 1e-9), *scale),
        units=("second" if facts["timed"] else "pixel", *units),
        name=name,
        translate=(begin + times[0] - facts["first"], *lead, *starts),
        channels=channels,
        meta=meta,
    )
