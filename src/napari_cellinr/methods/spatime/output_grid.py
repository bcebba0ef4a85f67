"""Where the samples of a super-resolved image lie, and whether it fits into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.sampling import MAX_FACTOR, Sampling, sampling, samplings
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.io.metadata.times import are_even, at_places
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = [
    "OutputGrid",
    "check_changes",
    "check_order",
    "check_several",
    "cpu_seconds",
    "memory_needed",
    "output_factors",
    "output_grid",
    "planes_at_once",
    "spacing_warnings",
    "stamps_of",
]


PROGRAM_BYTES = 3e8
"""Memory of the program with its libraries: measured 0.33 GB without a fit."""

PIXEL_BYTES = 3e7
"""More of it with a network of finer pixels: 0.33 and 0.37 GB in all for planes of 96² and 256²."""

MOTION_BYTES, MOST_PLACES = 1000.0, 2**18
"""Bytes for each voxel of a frame when motion is fitted, for at most so many voxels: measured
0.35 and 0.50 GB for 50 and 200 thousand."""

NETWORK_BYTES = 6e8
"""Memory with a network that makes finer planes."""

AT_ONCE = 4_000_000
"""Voxels that are rendered at once of a result that is written piece by piece."""


@dataclass(frozen=True)
class OutputGrid:
    """The grid of a result in space and time.

    Parameters
    ----------
    maps
        Sampling by spatial axis letter.
    times
        Position of each frame of the result in frames of the source, (frames,); none without T.
    start, step
        Time of the first frame of the result, and from frame to frame, in units of the axis.
    stamps
        Times of the frames of the source in units of the axis, if settings say them.
    """

    maps: Mapping[str, Sampling]
    times: NDArray[np.float64] | None
    start: float = 0.0
    step: float = 1.0
    stamps: NDArray[np.float64] | None = None

    def shape(self, image: Image) -> tuple[int, ...]:
        """Return the number of elements of the result along each axis of the source."""
        sizes = {axis: m.n_out for axis, m in self.maps.items()}
        if self.times is not None:
            sizes["T"] = len(self.times)
        return tuple(sizes.get(axis, image.sizes[axis]) for axis in image.axes)

    def placed(self, image: Image, data: NDArray[np.float32], name: str) -> Image:
        """Return the result in the place of its source, with its own steps.

        Parameters
        ----------
        image
            The source.
        data
            Values of the result, with the axes of the source.
        name
            Of the result.
        """
        scale, translate = [], []
        for axis, step, origin in zip(image.axes, image.scale, image.translate, strict=True):
            if axis == "T" and self.times is not None:
                scale.append(self.step)
                translate.append(origin + self.start)
            elif axis in self.maps:
                scale.append(step * self.maps[axis].step)
                translate.append(origin + step * self.maps[axis].start)
            else:
                scale.append(step)
                translate.append(origin)
        meta = image.meta if self.times is None else at_places(image, self.times, self.stamps)
        placed = image.like(data, scale=tuple(scale), translate=tuple(translate), name=name)
        return placed.like(data, meta=meta)


def output_grid(image: Image, config: SpatimeConfig) -> OutputGrid:
    """Return the grid of the result.

    Parameters
    ----------
    image
        The source.
    config
        `scale`, `target_voxel`, `isotropic`, `times` and `stamps` are used.

    Raises
    ------
    AxesError
        If the image lacks an axis that is named.
    ConfigError
        If a factor is out of bounds, times lie outside the series, the voxel size is missing
        where it is needed, or a single frame is to become more.
    """
    factors = output_factors(image, config)
    maps = samplings(image, factors)
    spatial = {axis: m for axis, m in maps.items() if axis != "T"}
    if "T" not in image.axes:
        if config.times:
            raise AxesError(f"times were given for an image with axes {image.axes!r}, without T.")
        return OutputGrid(spatial, None)
    n_frames, tick = image.sizes["T"], image.steps["T"]
    stamps = stamps_of(config, n_frames, tick)
    if config.times:
        times = np.asarray(config.times)
    elif config.stamps:
        n_out = sampling(n_frames, factors.get("T", 1.0), "T").n_out
        times = np.linspace(0, stamps[-1] - stamps[0], n_out) if n_out > 1 else np.zeros(1)
    else:
        one = maps["T"]
        return OutputGrid(spatial, one.positions, 0.0, one.step * tick)
    last = stamps[-1] - stamps[0]
    if times.min() < -1e-9 or times.max() > last * (1 + 1e-9):
        raise ConfigError(
            f"times from {times.min():g} to {times.max():g} were given; they must lie between 0 "
            f"and {last:g}, the times of the first and the last frame."
        )
    check_order(times)
    places = np.interp(times, stamps - stamps[0], np.arange(n_frames))
    step = float(np.diff(times).mean()) if len(times) > 1 else tick
    stated = stamps if config.stamps else None
    return OutputGrid(spatial, places, float(times[0]), step, stated)


def output_factors(image: Image, config: SpatimeConfig) -> dict[str, float]:
    """Return the upsampling factor by axis letter.

    Parameters
    ----------
    image, config
        As for `output_grid`.

    Raises
    ------
    AxesError, ConfigError
        As for `output_grid`.
    """
    factors = {axis.upper(): factor for axis, factor in config.scale.items()}
    steps = image.steps
    for axis, step in config.target_voxel.items():
        if axis.upper() not in image.axes:
            raise AxesError(
                f"a step was given for axis {axis!r}; this image has axes {image.axes!r}."
            )
        factors[axis.upper()] = steps[axis.upper()] / step
    if config.isotropic:
        if not image.is_calibrated:
            raise ConfigError(
                "an isotropic result was requested, but the voxel size is not known; give it "
                "first, for example as --voxel z=0.4,y=0.1,x=0.1."
            )
        spatial = {axis: step for axis, step in steps.items() if axis in "ZYX"}
        for axis, step in spatial.items():
            factors.setdefault(axis, step / min(spatial.values()))
    for axis, factor in factors.items():
        if factor > MAX_FACTOR * (1 + 1e-9):
            raise ConfigError(
                f"the result would be {factor:.3g} times finer along {axis}; at most "
                f"{MAX_FACTOR:g} times is allowed."
            )
    check_several(image, factors)
    return factors


def check_changes(config: SpatimeConfig) -> None:
    """Raise an error if the result would be a copy of the source.

    Raises
    ------
    ConfigError
        If no factor, voxel size or time is given.
    """
    given = config.scale, config.target_voxel, config.isotropic, config.times, config.stamps
    if not any(given):
        raise ConfigError(
            "no factor was given, so that the result would be a copy; give one, such as "
            "scale=t=2,z=2.5, or isotropic, target_voxel or times."
        )


def check_several(image: Image, factors: Mapping[str, float]) -> None:
    """Raise an error if a single frame, or a single plane, is to become more.

    Parameters
    ----------
    image
        The source.
    factors
        Upsampling factor by axis letter.

    Raises
    ------
    ConfigError
        If there is nothing between which more could be computed.
    """
    for axis, name, where in (("T", "frame", "in time"), ("Z", "plane", "along z")):
        if image.sizes.get(axis) == 1 and factors.get(axis, 1) > 1:
            raise ConfigError(
                f"a factor {where} was given, but the image has only one {name}; at least two "
                f"{name}s are needed. Leave {axis.lower()} out."
            )


def memory_needed(image: Image, grid: OutputGrid, *, lazily: bool = False) -> float:
    """Return about how many bytes a run takes: source, result and intermediate arrays.

    Parameters
    ----------
    image
        The source.
    grid
        That of the result.
    lazily
        Whether only a block of planes of the result is in memory at a time.
    """
    source = float(np.prod(image.shape))
    sizes = [m.n_out for m in grid.maps.values()]
    frame = float(np.prod(sizes))
    if lazily:
        if len(sizes) == 3:
            frame *= planes_at_once(sizes) / sizes[0]
        return 4 * (3 * source + 2 * frame + 14 * frame) + _fitting(grid)
    result = float(np.prod(grid.shape(image)))
    return 4 * (3 * source + result + 14 * frame) + _fitting(grid)


def _fitting(grid: OutputGrid) -> float:
    """Return about how many bytes the program and its fits take, whatever the result is."""
    if "Z" in grid.maps and grid.maps["Z"].step < 1:
        return NETWORK_BYTES
    pixels = PIXEL_BYTES if any(one.step < 1 for one in grid.maps.values()) else 0.0
    if grid.times is None or np.allclose(grid.times, np.rint(grid.times)):
        return PROGRAM_BYTES + pixels
    voxels = float(np.prod([one.n_in for one in grid.maps.values()]))
    return PROGRAM_BYTES + pixels + MOTION_BYTES * min(voxels, MOST_PLACES)


def planes_at_once(sizes: Sequence[int]) -> int:
    """Return how many planes of a frame (Z, Y, X) or (Y, X) are rendered at once."""
    if len(sizes) < 3:
        return 1
    return min(sizes[0], max(1, AT_ONCE // (sizes[1] * sizes[2])))


def cpu_seconds(image: Image, grid: OutputGrid, config: SpatimeConfig) -> float:
    """Return about how many seconds a run takes on one core.

    Measured with one thread, without what is loaded: 1.3, 7.0 and 11 s for 7 × 128 × 128,
    16 × 256 × 256 and 8 × 512 × 512 pixels with twice as many frames, 8.7 s for 8 × 16 × 96 × 96,
    247 s for 10 × 70 × 256 × 356; with `motion=never`, 0.5 s for 16 × 256 × 256, 4.9 s for
    16 × 1024 × 1024 pixels.

    Parameters
    ----------
    image
        The source.
    grid
        That of the result.
    config
        The settings.
    """
    n_channels, n_frames = image.sizes.get("C", 1), image.sizes.get("T", 1)
    voxels = float(np.prod([size for axis, size in image.sizes.items() if axis in "ZYX"]))
    finer = float(np.prod([m.n_out for m in grid.maps.values()]))
    seconds, new = 0.35e-6 * n_frames * voxels, 0  # looking for faults, and blending
    if grid.times is not None and config.motion != "never":
        inside = [t for t in grid.times if abs(t - round(t)) > 1e-6]
        new, intervals = len(inside), {int(t) for t in inside}
        held_out = 0
        if config.motion == "auto":
            beside = {i + k for i in intervals for k in (-1, 0, 1)} & set(range(n_frames - 1))
            held_out = len(
                {i + k for i in beside for k in (-1, 0, 1, 2)} & set(range(1, n_frames - 1))
            )
            intervals = beside
        steps, rendering = (0.165, 1.1e-6) if "Z" in image.axes else (0.07, 1.0e-6)
        seconds += (len(intervals) + held_out) * (steps * config.refinement + 0.85e-6 * voxels)
        seconds += held_out * 1.25e-6 * voxels + min(4, held_out) * 1.55e-6 * voxels
        seconds += new * rendering * voxels
    if "Z" in grid.maps and grid.maps["Z"].step < 1:
        seconds += 0.08 * config.steps + 4e-6 * finer * (n_frames + new)
    if min(grid.maps[axis].step for axis in "YX") < 1:
        seconds += 0.08 * config.steps + 3e-6 * finer * (n_frames + new)
    seconds = n_channels * seconds + 0.3
    return seconds if config.max_seconds is None else min(seconds, config.max_seconds)


def stamps_of(config: SpatimeConfig, n_frames: int, tick: float) -> NDArray[np.float64]:
    """Return the time of each frame of the source, in the unit of its time axis.

    Parameters
    ----------
    config
        `stamps` is used.
    n_frames
        Of the source.
    tick
        Its time step.

    Raises
    ------
    ConfigError
        If there is not one time for each frame.
    """
    if not config.stamps:
        return tick * np.arange(n_frames, dtype=np.float64)
    if len(config.stamps) != n_frames:
        raise ConfigError(
            f"{n_of(len(config.stamps), 'time stamp was', 'time stamps were')} given for "
            f"{n_of(n_frames, 'frame')}; one for each is needed."
        )
    return np.asarray(config.stamps, np.float64)


def spacing_warnings(config: SpatimeConfig, unit: str) -> list[str]:
    """Return a sentence about frames of the result that are not equally spaced in time.

    Parameters
    ----------
    config
        `times` is used.
    unit
        Of the time axis.
    """
    if are_even(config.times):
        return []
    step = float(np.diff(config.times).mean())
    return [
        "the frames of the result are not equally spaced in time, but viewers and most programs "
        f"show a constant step: {step:.4g} {unit}, the mean. Our files also hold the time of each "
        "frame, where the time axis has a unit."
    ]


def check_order(times: NDArray[np.float64]) -> None:
    """Raise `ConfigError` if times do not increase: frames are stored in the order of their times.

    Parameters
    ----------
    times
        Of the frames of a result.
    """
    later = np.diff(times) > 0
    if not later.all():
        first = int(np.argmin(later))
        raise ConfigError(
            f"times were given in which {times[first]:g} is followed by {times[first + 1]:g}; "
            "each must be later than the one before it. Sort them, and give each once."
        )
