"""Raw frames with their forward model, and the checks that every kind of microscope shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.errors import AxesError, ConfigError, DataError
from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.io.units import LENGTHS, TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "Measurement",
    "check_repeats",
    "exact",
    "frame_starts",
    "read_array",
    "single_channel",
    "to_unit",
    "voxel_of",
]

_BRIGHT = 99.9  # percentile that becomes 1: a few hot pixels do not matter


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a fit needs: the physics, the raw frames, and what their numbers mean.

    Parameters
    ----------
    model
        The forward model, on the CPU.
    frames
        The raw frames (shots, [Z,] Y, X), float32, in `unit`s above `offset`.
    unit
        What 1 of the frames is, in units of the image; a scene is to be multiplied by it.
    voxel
        Step of the scene along each spatial axis in micrometres; none if not known.
    timed
        Whether times are seconds; otherwise they count frames.
    warnings
        Sentences that the user should read.
    """

    model: ForwardModel
    frames: NDArray[np.float32]
    unit: float = 1.0
    voxel: tuple[float, ...] | None = None
    timed: bool = True
    warnings: tuple[str, ...] = ()


def single_channel(image: Image, kind: str) -> NDArray[Any]:
    """Return the values (frames…, [Z,] Y, X) of an image with one channel, all finite.

    Raises
    ------
    AxesError, DataError
        If there are several channels, or values are missing or all the same.
    """
    if image.sizes.get("C", 1) > 1:
        raise AxesError(
            f"an image with {image.sizes['C']} channels was given; {kind} needs one: choose a "
            "channel, or say with axes what the dimension is."
        )
    values = image.take("C", 0).array() if "C" in image.axes else image.array()
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise DataError(
            f"{bad} of {values.size} values are not finite (NaN or infinite); replace them "
            "before the fit, or leave their frames out."
        )
    if values.size == 0 or values.min() == values.max():
        raise DataError("every value of the image is the same; there is nothing to reconstruct.")
    return values


def to_unit(values: NDArray[Any], background: float) -> tuple[NDArray[np.float32], float]:
    """Return the values above the background, their bright parts at about 1, and the unit."""
    bright = float(np.percentile(values, _BRIGHT)) - background
    if bright <= 0:
        raise ConfigError(
            f"background {background:g} was given; the brightest parts of the image are at "
            f"{bright + background:g}: give the grey level of the camera without light."
        )
    return ((values - background) / bright).astype(np.float32), bright


def voxel_of(
    image: Image, given: Sequence[float] | None, axes: str, *, needed_for: str = ""
) -> tuple[float, ...] | None:
    """Return the step along each of `axes` in micrometres: as given, or of the image, or none.

    Raises
    ------
    ConfigError
        If there is none but it is needed, or another number of axes was given.
    """
    if given is not None:
        if len(given) != len(axes):
            raise ConfigError(
                f"voxel_size with {len(given)} values was given for an image with the spatial "
                f"axes {axes}; {len(axes)} are needed."
            )
        return tuple(given)
    known = dict(zip(image.axes, zip(image.scale, image.units, strict=True), strict=True))
    steps = [known.get(axis, (1.0, UNCALIBRATED)) for axis in axes]
    if all(unit in LENGTHS for _, unit in steps):
        return tuple(step * LENGTHS[unit] / LENGTHS["micrometer"] for step, unit in steps)
    if needed_for:
        raise ConfigError(
            f"the pixel size is not known, and {needed_for} needs it: give it in the optics, in "
            "micrometres, or calibrate the image."
        )
    return None


def frame_starts(
    n_frames: int,
    image: Image,
    frame_time: float | None,
    frame_times: Sequence[float] | None = None,
    *,
    lasting: float = 0.0,
    name: str = "frame_time",
) -> tuple[torch.Tensor, bool]:
    """Return the seconds at which each frame begins, (frames,) float64, and if they are known.

    Without any time, frames are counted; a scan, which is `lasting` for some seconds, needs one.

    Raises
    ------
    ConfigError
        If the number of times is not that of the frames, or scans would overlap.
    """
    if frame_times is not None:
        if len(frame_times) != n_frames:
            raise ConfigError(
                f"frame_times with {len(frame_times)} times was given for {n_frames} frames; one "
                "for every frame is needed."
            )
        shortest = min(np.diff(frame_times), default=math.inf)
        if shortest < lasting * (1 - 1e-6):
            raise ConfigError(
                f"frame_times {shortest:g} s apart were given, but recording one repeat takes "
                f"{lasting:g} s; repeats cannot overlap: correct one of the times."
            )
        return torch.tensor(frame_times, dtype=torch.float64), True
    step = frame_time if frame_time is not None else _interval(image)
    if step is None and lasting:
        raise ConfigError(
            f"{name} was not given and the image does not say it; a scan needs the time from one "
            "repeat to the next, in seconds."
        )
    if step is not None and step < lasting * (1 - 1e-6):
        raise ConfigError(
            f"{name} {step:g} s was given, but recording one repeat takes {lasting:g} s; repeats "
            "cannot overlap: correct one of the times."
        )
    starts = (1.0 if step is None else step) * torch.arange(n_frames, dtype=torch.float64)
    return starts, step is not None


def _interval(image: Image) -> float | None:
    """Return the seconds from one time point of the image to the next; none if not known."""
    if "T" not in image.axes:
        return None
    place = image.axes.index("T")
    unit = image.units[place]
    return image.scale[place] * TIMES[unit] / TIMES["second"] if unit in TIMES else None


def check_repeats(n_repeats: int, kind: str) -> tuple[str, ...]:
    """Return what is to be said about few repeats of a scan; one alone is refused.

    Raises
    ------
    ConfigError
        If there is one repeat: each point is then seen once.
    """
    if n_repeats < 2:
        raise ConfigError(
            f"{kind} with one repeat was given; each point is then seen at one time only, so that "
            "its shape and its motion cannot be told apart: give at least 2 repeats, better 4."
        )
    if n_repeats == 2:
        return (
            "two repeats of a scan tell only steady motion; with 3 or more the result is safer.",
        )
    return ()


def read_array(path: str, what: str) -> NDArray[Any]:
    """Return the array of a file that the optics name, or of a sample.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    from napari_cellinr.errors import FileError
    from napari_cellinr.io import read
    from napari_cellinr.simulate.shapes import SAMPLE_POINT, sample_point

    if path == SAMPLE_POINT:
        return sample_point()
    try:
        return np.squeeze(read(path).array())
    except FileError as error:
        raise FileError(f"{what}: {error}") from None


def exact(values: NDArray[Any]) -> torch.Tensor:
    """Return a tensor of float64 with the values of an array."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
