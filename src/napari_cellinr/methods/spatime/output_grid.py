"""Where the samples of a super-resolved image lie, and whether it fits into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.sampling import MAX_FACTOR, Sampling, sampling, samplings
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.io.metadata.times import are_even, at_places, places_of
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = [
    "OutputGrid",
    "check_changes",
    "check_order",
    "check_several",
    "output_factors",
    "output_grid",
    "places_in_time",
    "spacing_warnings",
    "stamps_of",
    "with_true_times",
]


_WHOLE = 0.01
"""By how much an interval differs from a whole number of time steps, if frames are missing."""


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
    config = with_true_times(image, config)
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


def with_true_times(image: Image, config: SpatimeConfig) -> SpatimeConfig:
    """Return settings that say when the frames of an image were recorded, if some are missing.

    If intervals are whole numbers of time steps, a factor in time becomes equally spaced times, so
    that recorded frames keep their places between them. If they are not, or one is longer than any
    factor makes up for, each interval gets as many frames as the others.

    Parameters
    ----------
    image
        The source.
    config
        The settings; they stay as they are without such gaps, and with `stamps`.

    Raises
    ------
    AxesError, ConfigError
        As for `output_grid`.
    """
    known = np.asarray(places_of(image), np.float64)
    if len(known) == 0 or config.stamps:
        return config
    tick = image.steps["T"]
    if config.times:
        return config.replace(stamps=tuple((tick * known).tolist()))
    factor, intervals = output_factors(image, config).get("T", 1.0), np.diff(known)
    whole = np.allclose(intervals, np.rint(intervals), rtol=0, atol=_WHOLE)
    if factor == 1 or not whole or intervals.max() > MAX_FACTOR:
        return config
    known = np.rint(known - known[0])
    n_out = int(known[-1] * factor + 1e-9) + 1
    rest = {
        name: {axis: value for axis, value in given.items() if axis != "t"}
        for name, given in (("scale", config.scale), ("target_voxel", config.target_voxel))
    }
    times = tick / factor * np.arange(n_out)
    return config.replace(
        stamps=tuple((tick * known).tolist()), times=tuple(times.tolist()), **rest
    )


def places_in_time(image: Image, config: SpatimeConfig) -> tuple[float, ...]:
    """Return where the frames of an image are in time, in any unit; none if equally spaced.

    Parameters
    ----------
    image
        The source.
    config
        `stamps` wins over what is known of the image.
    """
    if config.stamps:
        return () if are_even(config.stamps) else config.stamps
    return places_of(image)


def check_changes(image: Image, config: SpatimeConfig, grid: OutputGrid) -> None:
    """Raise an error if the result would be a copy of the source.

    Parameters
    ----------
    image
        The source.
    config
        The settings.
    grid
        That of the result.

    Raises
    ------
    ConfigError
        If no factor, voxel size or time is given, or all factors are 1 and noise stays.
    """
    given = config.target_voxel, config.isotropic, config.times, config.stamps
    if any(given):
        return
    if not config.scale:
        raise ConfigError(
            "all factors are 1, as no factor was given, so that the result would be a copy; give "
            "one, such as scale=t=2,z=2.5, or isotropic, target_voxel or times."
        )
    same = grid.shape(image) == image.shape and config.noise != "remove"
    if same and (grid.times is None or np.array_equal(grid.times, np.arange(len(grid.times)))):
        factors = ",".join(f"{axis}={factor:g}" for axis, factor in config.scale.items())
        raise ConfigError(
            f"all factors are 1 (scale {factors} was given), so that the result would be a copy; "
            "give one above 1, such as scale=t=2,z=2.5."
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
