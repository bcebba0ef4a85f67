"""Time-lapse, line scan, point scan and z-scan, in focus or blurred: times and point spread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition.grey_levels import to_unit
from napari_cellinr.acquisition.measurement import (
    Measurement,
    check_repeats,
    exact,
    frame_starts,
    gaussian_blur,
    read_array,
    repeats,
    stated,
    voxel_of,
)
from napari_cellinr.classic.camera.scan import scan_warnings
from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.blur import BlurModel, line_times, plane_times, point_times

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config.optics.repeated import (
        LineScan,
        PointScan,
        Repeated,
        TimeLapse,
        ZScan,
    )
    from napari_cellinr.image import Image

__all__ = ["line_scan", "point_scan", "time_lapse", "z_scan"]

_SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))
"""Standard deviations per full width at half maximum."""


def time_lapse(image: Image, optics: TimeLapse) -> Measurement:
    """Return frames or stacks (T, [Z,] Y, X), each at one instant.

    Parameters
    ----------
    image
        Grey levels, TYX or TZYX.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image has other axes, or times or point spread function do not fit it.
    """
    values = repeats(image, optics)
    times, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    return _measurement(image, optics, values, times, timed)


def line_scan(image: Image, optics: LineScan) -> Measurement:
    """Return planes (T, Y, X) with a time for every row.

    Parameters
    ----------
    image
        Grey levels, TYX.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image has other axes, or times or point spread function do not fit it.
    """
    values = repeats(image, optics)
    n_rows, row_time = values.shape[1], stated(optics.row_time)
    starts, timed = frame_starts(
        len(values),
        image,
        optics.frame_time,
        optics.frame_times,
        lasting=n_rows * row_time,
    )
    times = line_times(starts, n_rows, row_time, bidirectional=optics.bidirectional)
    return _measurement(image, optics, values, times, timed)


def point_scan(image: Image, optics: PointScan) -> Measurement:
    """Return planes (T, Y, X) with a time for every pixel.

    Parameters
    ----------
    image
        Grey levels, TYX.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image has other axes, or times or point spread function do not fit it.
    """
    values = repeats(image, optics)
    _, n_rows, n_columns = values.shape
    row_time, pixel_time = stated(optics.row_time), stated(optics.pixel_time)
    if row_time < n_columns * pixel_time * (1 - 1e-6):
        raise ConfigError(
            f"row_time {row_time:g} s was given, but {n_columns} pixels take "
            f"{n_columns * pixel_time:g} s; rows cannot overlap: correct one of the times."
        )
    starts, timed = frame_starts(
        len(values),
        image,
        optics.frame_time,
        optics.frame_times,
        lasting=n_rows * row_time,
    )
    times = point_times(
        starts,
        (n_rows, n_columns),
        row_time,
        pixel_time,
        bidirectional=optics.bidirectional,
    )
    return _measurement(image, optics, values, times, timed)


def z_scan(image: Image, optics: ZScan) -> Measurement:
    """Return stacks (T, Z, Y, X) with a time for every plane, or row of a plane.

    Parameters
    ----------
    image
        Grey levels, TZYX.
    optics
        Settings of the microscope.

    Raises
    ------
    AxesError, ConfigError, DataError, FileError
        If the image has other axes, or times or point spread function do not fit it.
    """
    values = repeats(image, optics)
    _, n_planes, n_rows, _ = values.shape
    plane_time = stated(optics.plane_time)
    if plane_time < n_rows * optics.row_time * (1 - 1e-6):
        raise ConfigError(
            f"plane_time {plane_time:g} s was given, but {n_rows} rows take "
            f"{n_rows * optics.row_time:g} s; planes cannot overlap: correct one of the times."
        )
    starts, timed = frame_starts(
        len(values),
        image,
        optics.stack_time,
        optics.frame_times,
        lasting=n_planes * plane_time,
        name="stack_time",
    )
    times = plane_times(
        starts,
        n_planes,
        plane_time,
        order=optics.plane_order,
        n_rows=n_rows,
        row_time=optics.row_time,
    )
    return _measurement(image, optics, values, times, timed)


def _measurement(
    image: Image,
    optics: TimeLapse | LineScan | PointScan | ZScan,
    values: NDArray[Any],
    times: torch.Tensor,
    timed: bool,
) -> Measurement:
    axes = "ZYX"[-(values.ndim - 1) :]
    needed = "psf_fwhm" if optics.psf_fwhm is not None else ""
    voxel = voxel_of(image, optics.voxel_size, axes, needed_for=needed)
    psf = _psf(optics, values.shape[1:], voxel)
    model = BlurModel(values.shape, times, psf)
    planes = values.reshape(-1, *values.shape[-2:])
    warnings = (*check_repeats(len(values), optics.kind), *scan_warnings(planes))
    frames, unit = to_unit(values, optics.background)
    return Measurement(model, frames, unit, voxel, timed, warnings)


def _psf(
    optics: Repeated, size: tuple[int, ...], voxel: tuple[float, ...] | None
) -> torch.Tensor | None:
    """Return the point spread function with the voxels of the image, or None for no blur."""
    if optics.psf is not None:
        return exact(_odd(read_array(optics.psf, "psf")))
    return gaussian_blur("psf_fwhm", optics.psf_fwhm, voxel, size, sigma_per_width=_SIGMA)


def _odd(psf: NDArray[Any]) -> NDArray[Any]:
    """Return the point spread function cropped to odd sizes, its brightest voxel in the middle."""
    peak = np.unravel_index(int(np.argmax(psf)), psf.shape)
    parts = []
    for place, size in zip(peak, psf.shape, strict=True):
        half = min(int(place), size - 1 - int(place))
        parts.append(slice(int(place) - half, int(place) + half + 1))
    return psf[tuple(parts)]
