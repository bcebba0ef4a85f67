"""Raw frames with their forward model, and what every kind of microscope takes from an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from napari_cellinr.errors import AxesError, ConfigError, DataError
from napari_cellinr.image import UNCALIBRATED
from napari_cellinr.image.rules import check_precision
from napari_cellinr.io.metadata.times import places_of
from napari_cellinr.io.metadata.units import LENGTHS, TIMES
from napari_cellinr.optics.fourier import gaussian_psf
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.config.optics import Optics
    from napari_cellinr.image import Image
    from napari_cellinr.optics.base import ForwardModel

__all__ = [
    "Measurement",
    "check_repeats",
    "exact",
    "frame_starts",
    "gaussian_blur",
    "read_array",
    "repeats",
    "single_channel",
    "stated",
    "voxel_of",
]

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Measurement:
    """What a fit needs: the physics, the raw frames, and what their numbers mean.

    Parameters
    ----------
    model
        The forward model, on the CPU.
    frames
        The raw frames (shots, [Z,] Y, X), float32: grey levels above the background, divided by
        `unit`.
    unit
        Grey levels that are 1 in the frames; the scene of a fit is multiplied by it.
    voxel
        Voxel size of the scene along each spatial axis in micrometres; None if unknown.
    timed
        Whether times are seconds; otherwise they count frames.
    warnings
        Sentences for the user.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Measurement
    >>> frames = np.ones((3, 8, 8), np.float32)
    >>> Measurement(model=None, frames=frames, unit=100.0).unit  # with a ForwardModel in practice
    100.0
    """

    model: ForwardModel
    frames: NDArray[np.float32]
    unit: float = 1.0
    voxel: tuple[float, ...] | None = None
    timed: bool = True
    warnings: tuple[str, ...] = ()


def stated(value: Value | None) -> Value:
    """Return a constant of the microscope; `prepare` has checked that it is known."""
    assert value is not None
    return value


def single_channel(image: Image, kind: str) -> NDArray[Any]:
    """Return the grey levels (frames …, [Z,] Y, X) of an image with one channel, all finite.

    Parameters
    ----------
    image
        Any axes; C may be there with one channel.
    kind
        Kind of microscope, for the message.

    Raises
    ------
    AxesError
        If there are several channels.
    DataError
        If values are NaN or infinite, all the same, or too close to each other for float32, or if
        a frame is a single pixel.
    """
    if image.sizes.get("C", 1) > 1:
        raise AxesError(
            f"an image with {image.sizes['C']} channels was given; {kind} needs one: choose a "
            "channel (motion_channel of a reconstruction), or say with axes what the dimension is."
        )
    values = image.take("C", 0).array() if "C" in image.axes else image.array()
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise DataError(
            f"{n_of(bad, f'of {values.size} values is', f'of {values.size} values are')} not "
            "finite (NaN or infinite); replace them before the fit, or remove their frames."
        )
    if values.size == 0 or values.min() == values.max():
        raise DataError("every value of the image is the same; there is nothing to reconstruct.")
    if max(image.sizes.get(axis, 1) for axis in "ZYX") < 2:
        raise DataError(
            "each frame of the image is a single pixel; at least 2 pixels along one axis are "
            "needed to see motion. If the dimensions are others, say so with axes."
        )
    check_precision(values)
    return values


def repeats(image: Image, optics: Optics) -> NDArray[Any]:
    """Return the grey levels (T, [Z,] Y, X) of a recording that repeats the same frames or stacks.

    Parameters
    ----------
    image
        One channel, with the axes `optics.AXES`.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError
        If axes are others, there is one time point only, or values are missing.
    """
    values = single_channel(image, optics.kind)
    check_repeats(image.sizes.get("T", 1), optics.kind)
    if values.ndim not in {len(axes) for axes in optics.AXES}:
        raise AxesError(
            f"an image with axes {image.axes} was given; {optics.kind} needs "
            f"{' or '.join(optics.AXES)}."
        )
    return values


def voxel_of(
    image: Image, given: Sequence[float] | None, axes: str, *, needed_for: str = ""
) -> tuple[float, ...] | None:
    """Return the voxel size along `axes` in micrometres, or None if it is not known.

    Parameters
    ----------
    image
        Its scale is used where nothing is given.
    given
        Voxel size from the settings, in micrometres, or None.
    axes
        Spatial axes, such as "ZYX".
    needed_for
        What needs the voxel size, for the message; empty if nothing does.

    Raises
    ------
    ConfigError
        If the size is needed but not known, or given for another number of axes.
    """
    if given is not None:
        if len(given) != len(axes):
            raise ConfigError(
                f"voxel_size with {n_of(len(given), 'value')} was given for an image with the "
                f"spatial axes {axes}; {len(axes)} are needed."
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


def gaussian_blur(
    name: str,
    widths: Sequence[float] | None,
    voxel: Sequence[float] | None,
    size: Sequence[int],
    *,
    sigma_per_width: float = 1.0,
) -> torch.Tensor | None:
    """Return a Gaussian point spread function ([Z,] Y, X), float64 of sum 1; None for no blur.

    Parameters
    ----------
    name
        Setting that gives the widths, for messages.
    widths
        Width along each spatial axis in micrometres, or None.
    voxel
        Voxel size along each spatial axis in micrometres.
    size
        Size ([Z,] Y, X) of a frame in voxels.
    sigma_per_width
        Standard deviations per width: 1 if widths are standard deviations, 0.425 if they are full
        widths at half maximum.

    Raises
    ------
    ConfigError
        If the number of widths is not that of the axes, or one is larger than the image.
    """
    if widths is None or voxel is None:
        return None
    if len(widths) != len(size):
        raise ConfigError(
            f"{name} with {n_of(len(widths), 'value')} was given for frames with {len(size)} "
            "spatial axes; "
            f"{len(size)} are needed."
        )
    for width, step, n in zip(widths, voxel, size, strict=True):
        if width > n * step:
            raise ConfigError(
                f"{name} {width:g} µm was given for an image of {n * step:g} µm along that axis; "
                "the blur cannot be larger than the image."
            )
    sigmas = [sigma_per_width * width / step for width, step in zip(widths, voxel, strict=True)]
    return gaussian_psf(sigmas, [(n - 1) // 2 for n in size])


def frame_starts(
    n_frames: int,
    image: Image,
    frame_time: float | None,
    frame_times: Sequence[float] | None = None,
    *,
    lasting: float = 0.0,
    name: str = "frame_time",
) -> tuple[torch.Tensor, bool]:
    """Return when each frame begins, (frames,) float64, and whether that is in seconds.

    If no time is known, frames are counted; a scan needs one. Frames that are missing between
    others are gaps in time.

    Parameters
    ----------
    n_frames
        Number of frames or repeats.
    image
        Its frame interval is used where nothing is given.
    frame_time
        Seconds from one frame to the next, or None.
    frame_times
        Seconds at which each frame begins, or None; wins over `frame_time`.
    lasting
        Seconds that one repeat of a scan takes; 0 for frames that are instants.
    name
        Setting that gives `frame_time`, for messages.

    Raises
    ------
    ConfigError
        If the number of times is not that of the frames, the time of a scan is not known, or
        repeats would overlap.
    """
    if frame_times is not None:
        if len(frame_times) != n_frames:
            raise ConfigError(
                f"frame_times with {n_of(len(frame_times), 'time')} was given for "
                f"{n_of(n_frames, 'frame')}; one for every frame is needed."
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
            f"{name} was not given and the image has no frame interval; a scan needs the time from "
            "one repeat to the next, in seconds."
        )
    if step is not None and step < lasting * (1 - 1e-6):
        raise ConfigError(
            f"{name} {step:g} s was given, but recording one repeat takes {lasting:g} s; repeats "
            "cannot overlap: correct one of the times."
        )
    places = places_of(image)
    if len(places) != n_frames:  # equal steps, or a frame of the recording is several time points
        places = tuple(range(n_frames))
    elif lasting and step is not None and step * min(np.diff(places)) < lasting * (1 - 1e-6):
        places = tuple(range(n_frames))  # times of a clock that cannot be right: repeats overlap
    starts = (1.0 if step is None else step) * torch.tensor(places, dtype=torch.float64)
    return starts, step is not None


def _interval(image: Image) -> float | None:
    """Return the frame interval of the image in seconds, or None if it is not known."""
    if "T" not in image.axes:
        return None
    place = image.axes.index("T")
    unit = image.units[place]
    return image.scale[place] * TIMES[unit] / TIMES["second"] if unit in TIMES else None


def check_repeats(n_repeats: int, kind: str) -> tuple[str, ...]:
    """Return warnings about few repeats, and refuse a single one.

    Parameters
    ----------
    n_repeats
        Number of frames or stacks.
    kind
        Kind of microscope, for the message.

    Raises
    ------
    ConfigError
        If there is one repeat: each point is then recorded once.
    """
    if n_repeats < 2:
        raise ConfigError(
            f"{kind} with one repeat was given; each point is then recorded at one time only, so "
            "that shape and motion cannot be distinguished: give at least 2 repeats, better 4."
        )
    if n_repeats == 2:
        return (
            "two repeats can only show steady motion; with 3 or more the result is more reliable.",
        )
    return ()


def read_array(path: str, what: str) -> NDArray[Any]:
    """Return the array of a file that the settings name, without axes of size 1.

    Parameters
    ----------
    path
        The file, or the name of the point source of a sample.
    what
        Setting that names the file, for the message.

    Raises
    ------
    FileError
        If the file cannot be read.
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
    """Return the values of an array as a tensor of the same shape, float64."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
