"""Times, sizes and voxel steps of what a space-time model renders; no torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.config.nstm import NSTMConfig
from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.saved.stored import blank
from napari_cellinr.image import Image
from napari_cellinr.io.metadata.units import convert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.fitting.saved.query import Query
    from napari_cellinr.fitting.saved.stored import Stored

__all__ = [
    "check_query",
    "check_scene",
    "first_time",
    "geometry_nstm",
    "inside",
    "model_settings",
    "names_of",
    "scene_image",
    "scenes_image",
    "starts_of",
    "times_of",
]


MOST_PER_VALUE: Final = 100
"""Voxels of a scene per value of the recording, with the largest zoom and padding."""

MOST_ADDED: Final = 100_000
"""Voxels that the padding of a small scene may add."""


def model_settings(fit: Fitted | Stored) -> Mapping[str, Any]:
    """Return shape and settings of the model of a fit; version 0.1 had them in the report.

    `shape` and `neurons` are those of `SpaceTimeModel`. `padding`, in voxels along each axis, is
    not part of the result; `zoom` is the number of voxels of the scene per pixel; `unit` and
    `noise` are grey levels per unit of the model, and the noise in that unit; `voxel` is in µm, or
    None; `first`, `last` and `frames` are times, in seconds if `timed`, else in frames; `moves`
    is False for a static scene; `transmitted` is the contrast of the frames relative to that
    of the scene; `channels` names the channels of the scene; `halves` is the number of motions that
    were fitted to a part of the pixels, 0 if it is missing, `seen` that part, and
    `error_factor` how much larger errors are than their differences, 1 if it is missing; `scenes`,
    if there, has the `units` of the scenes of all channels of the recording, and which one is that
    of the `motion`.
    """
    found: Mapping[str, Any] = fit.model or fit.report["field"]
    return found


def geometry_nstm(stored: Stored, query: Query) -> Image:
    """Return the geometry of the scene that `render_nstm` returns, zeros that take no memory.

    Parameters
    ----------
    stored
        A saved fit of the method `nstm`; its tensors are not needed.
    query
        What would be rendered.

    Raises
    ------
    ConfigError, AxesError
        If the fit cannot be rendered like this.
    """
    check_query(query)
    settings = model_settings(stored)
    check_scene(settings, stored.source)
    chosen = NSTMConfig(**stored.config).chosen_times() if query.times is None else query.times
    times = times_of(settings, chosen)
    sizes = [
        part.stop - part.start for part in inside(settings["padding"], settings["shape"]["scene"])
    ]
    several = settings.get("scenes")
    n_channels = len(several["units"]) if several else int(settings["shape"]["channels"])
    shape = (len(times), *([n_channels] if n_channels > 1 else []), *sizes)
    source = blank(stored.source)
    data = np.broadcast_to(np.float32(0), shape)
    made = scenes_image if several else scene_image
    image = made(settings, source, data, times, f"{source.name} reconstructed")
    return image.crop(**dict(query.crop))


def check_scene(settings: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Refuse a model that is far larger than the recording, before memory is requested for it.

    Parameters
    ----------
    settings
        Settings of the model, as a saved fit holds them.
    source
        Facts of the recording; `shape` is used.

    Raises
    ------
    FileError
        If the model is too large.
    """
    shape, recorded = settings["shape"], math.prod(source["shape"])
    grids = [shape[name] for name in ("scene", "canonical", "motion_lattice")]
    grids += [cells for name in ("scene_cells", "motion_cells") for cells in shape[name]]
    largest = max(map(math.prod, grids)) * shape["channels"] * shape.get("layers", 1)
    if largest > MOST_ADDED + MOST_PER_VALUE * recorded:
        raise FileError(
            f"the fit has a grid of {largest:.3g} points for a recording of {recorded:.3g} values; "
            "it is damaged. Fit again."
        )


def check_query(query: Query) -> None:
    """Raise `ConfigError` if a query has a scale or a channel."""
    if query.scale or query.voxel or query.channel is not None:
        raise ConfigError(
            "a scale or a channel was given; a reconstruction can be rendered at other times and "
            "as a crop only. Other scales need superresolve."
        )


def times_of(
    settings: Mapping[str, Any], chosen: int | Sequence[float] | None = None
) -> list[float]:
    """Return the times to render: equally spaced ones, given ones, or those of the frames.

    Parameters
    ----------
    settings
        As `model_settings` gives them.
    chosen
        A number of times, or times counted from the first of the recording.

    Raises
    ------
    ConfigError
        If a time is outside the recording: motion is not extrapolated.
    """
    first, last = settings["first"], settings["last"]
    if chosen is None:
        return [float(time) for time in settings["frames"]]
    if isinstance(chosen, int):
        return [float(time) for time in np.linspace(first, last, chosen)]
    if min(chosen) < 0 or max(chosen) > (last - first) * (1 + 1e-6):
        raise ConfigError(
            f"times {min(chosen):g} to {max(chosen):g} were given; the recording lasts from 0 to "
            f"{last - first:g}. Motion is not extrapolated."
        )
    return [min(first + float(time), last) for time in chosen]


def inside(padding: Sequence[int], scene: Sequence[int]) -> tuple[slice, ...]:
    """Return the part of a scene that is not padding.

    Parameters
    ----------
    padding
        Voxels at either end of each axis.
    scene
        Voxels along each axis.
    """
    return tuple(slice(pad, size - pad) for pad, size in zip(padding, scene, strict=True))


def starts_of(source: Image, steps: Sequence[float]) -> list[float]:
    """Return where the first pixel of the raw frames lies along each axis of space.

    Parameters
    ----------
    source
        The raw frames; their steps may be in other units, or others than the optics say.
    steps
        Of the raw frames, along the last axes of ZYX, in the unit of the result.
    """
    before = {
        axis: start / step
        for axis, start, step in zip(source.axes, source.translate, source.scale, strict=True)
    }
    space = "ZYX"[-len(steps) :]
    return [before.get(axis, 0.0) * step for axis, step in zip(space, steps, strict=True)]


def first_time(source: Image, *, timed: bool) -> float:
    """Return the time of the first raw frame, in seconds if `timed`, else in frames.

    Parameters
    ----------
    source
        The raw frames.
    timed
        Whether times are known in seconds; 0 is returned if those of the source are not.
    """
    if "T" not in source.axes:
        return 0.0
    place = source.axes.index("T")
    start, unit = source.translate[place], source.units[place]
    if timed:
        return convert(start, unit, "second") or 0.0
    return start / source.scale[place]


def scene_image(
    settings: Mapping[str, Any],
    source: Image,
    data: NDArray[np.float32],
    times: Sequence[float],
    name: str,
    *,
    components: bool = False,
) -> Image:
    """Return an image on the grid of the scene, with the calibration of its source.

    Parameters
    ----------
    settings
        As `model_settings` gives them.
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
    space = "ZYX"[-len(settings["padding"]) :]
    axes = ("TC" if data.ndim == len(space) + 2 else "T") + space
    size = settings["voxel"]
    unit = "micrometer" if size else "pixel"
    scale = [float(s) for s in size] if size else [1 / float(z) for z in settings["zoom"]]
    starts = starts_of(source, [s * z for s, z in zip(scale, settings["zoom"], strict=True)])
    interval = float(np.diff(times).mean()) if len(times) > 1 else 1.0
    channels: tuple[str, ...] = ()
    if "C" in axes:
        named = [*space.lower()] if components else settings["channels"]
        channels, scale, units = tuple(named), [1.0, *scale], ["pixel", *[unit] * len(space)]
    else:
        units = [unit] * len(space)
    lead = [0.0] * (len(axes) - len(space) - 1)
    begin = first_time(source, timed=settings["timed"])
    meta = {**source.meta, "times": [float(t) for t in times]}
    if components:
        meta["displacement_unit"] = unit
    return Image(
        data,
        axes=axes,
        scale=(max(interval, 1e-9), *scale),
        units=("second" if settings["timed"] else "pixel", *units),
        name=name,
        translate=(begin + times[0] - settings["first"], *lead, *starts),
        channels=channels,
        meta=meta,
    )


def scenes_image(
    settings: Mapping[str, Any],
    source: Image,
    data: NDArray[np.float32],
    times: Sequence[float],
    name: str,
) -> Image:
    """Return the scenes of all channels of a recording, each at the place of its channel.

    Parameters
    ----------
    settings
        As `model_settings` gives them.
    source
        The recording, with an axis C.
    data
        Axes T C [Z] Y X.
    times
        Those of the first axis.
    name
        Name of the image.
    """
    named = {**settings, "channels": names_of(source)}
    image = scene_image(named, source, data, times, name)
    own = source.axes.index("C")

    def with_own(values: Sequence[Any], of_channel: Any) -> tuple[Any, ...]:
        return (values[0], of_channel, *values[2:])

    return image.like(
        image.data,
        scale=with_own(image.scale, source.scale[own]),
        units=with_own(image.units, source.units[own]),
        translate=with_own(image.translate, source.translate[own]),
    )


def names_of(source: Image) -> tuple[str, ...]:
    """Return the names of the channels of a recording: its own, or `channel 0` and so on."""
    return tuple(source.channels) or tuple(f"channel {n}" for n in range(source.sizes["C"]))
