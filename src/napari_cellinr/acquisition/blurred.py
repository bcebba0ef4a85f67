"""Ordinary microscopes: time-lapse, line scan, point scan, z-scan; with or without blur."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition.measurement import (
    Measurement,
    check_repeats,
    exact,
    frame_starts,
    read_array,
    single_channel,
    to_unit,
    voxel_of,
)
from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.optics.blur import Blur, line_times, plane_times, point_times
from napari_cellinr.optics.fourier import gaussian_psf

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_cellinr.config.optics import LineScan, PointScan, TimeLapse, ZScan
    from napari_cellinr.image import Image

__all__ = ["line_scan", "point_scan", "time_lapse", "z_scan"]

_SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))
"""Standard deviations per full width at half maximum."""


def time_lapse(image: Image, optics: TimeLapse) -> Measurement:
    """Return frames or stacks, each at one instant."""
    values = _repeats(image, optics.kind, (3, 4))
    times, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    return _measurement(image, optics, values, times, timed)


def line_scan(image: Image, optics: LineScan) -> Measurement:
    """Return planes with a time for every row."""
    values = _repeats(image, optics.kind, (3,))
    n_rows = values.shape[1]
    starts, timed = frame_starts(
        len(values),
        image,
        optics.frame_time,
        optics.frame_times,
        lasting=n_rows * optics.row_time,
    )
    times = line_times(starts, n_rows, optics.row_time, bidirectional=optics.bidirectional)
    return _measurement(image, optics, values, times, timed)


def point_scan(image: Image, optics: PointScan) -> Measurement:
    """Return planes with a time for every pixel."""
    values = _repeats(image, optics.kind, (3,))
    _, n_rows, n_columns = values.shape
    if optics.row_time < n_columns * optics.pixel_time * (1 - 1e-6):
        raise ConfigError(
            f"row_time {optics.row_time:g} s was given, but {n_columns} pixels take "
            f"{n_columns * optics.pixel_time:g} s; rows cannot overlap: correct one of the times."
        )
    starts, timed = frame_starts(
        len(values),
        image,
        optics.frame_time,
        optics.frame_times,
        lasting=n_rows * optics.row_time,
    )
    times = point_times(
        starts,
        (n_rows, n_columns),
        optics.row_time,
        optics.pixel_time,
        bidirectional=optics.bidirectional,
    )
    return _measurement(image, optics, values, times, timed)


def z_scan(image: Image, optics: ZScan) -> Measurement:
    """Return stacks with a time for every plane."""
    values = _repeats(image, optics.kind, (4,))
    _, n_planes, n_rows, _ = values.shape
    if optics.plane_time < n_rows * optics.row_time * (1 - 1e-6):
        raise ConfigError(
            f"plane_time {optics.plane_time:g} s was given, but {n_rows} rows take "
            f"{n_rows * optics.row_time:g} s; planes cannot overlap: correct one of the times."
        )
    starts, timed = frame_starts(
        len(values),
        image,
        optics.stack_time,
        optics.frame_times,
        lasting=n_planes * optics.plane_time,
        name="stack_time",
    )
    times = plane_times(
        starts,
        n_planes,
        optics.plane_time,
        order=optics.plane_order,
        n_rows=n_rows,
        row_time=optics.row_time,
    )
    return _measurement(image, optics, values, times, timed)


def _repeats(image: Image, kind: str, dimensions: tuple[int, ...]) -> NDArray[Any]:
    """Return the values (T, [Z,] Y, X) of an image of several time points."""
    values = single_channel(image, kind)
    if "T" not in image.axes:
        check_repeats(1, kind)
    wanted = " or ".join({3: "TYX", 4: "TZYX"}[n] for n in dimensions)
    if values.ndim not in dimensions:
        raise AxesError(f"an image with axes {image.axes} was given; {kind} needs {wanted}.")
    return values


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
    model = Blur(values.shape, times, psf)
    warnings = check_repeats(len(values), optics.kind)
    frames, unit = to_unit(values, optics.background)
    return Measurement(model, frames, unit, voxel, timed, warnings)


def _psf(
    optics: TimeLapse | LineScan | PointScan | ZScan,
    size: tuple[int, ...],
    voxel: tuple[float, ...] | None,
) -> torch.Tensor | None:
    """Return the point spread function on the pixels of the image; none for none."""
    if optics.psf is not None:
        return exact(_odd(read_array(optics.psf, "psf")))
    if optics.psf_fwhm is None or voxel is None:
        return None
    if len(optics.psf_fwhm) != len(size):
        raise ConfigError(
            f"psf_fwhm with {len(optics.psf_fwhm)} values was given for frames with {len(size)} "
            f"spatial axes; {len(size)} are needed."
        )
    sigmas = [_SIGMA * width / step for width, step in zip(optics.psf_fwhm, voxel, strict=True)]
    for width, step, n in zip(optics.psf_fwhm, voxel, size, strict=True):
        if width > n * step:
            raise ConfigError(
                f"psf_fwhm {width:g} µm was given for an image of {n * step:g} µm along that axis; "
                "the blur cannot be larger than the image."
            )
    return gaussian_psf(sigmas, [(n - 1) // 2 for n in size])


def _odd(psf: NDArray[Any]) -> NDArray[Any]:
    """Return a picture of a point with odd sizes, the brightest place in the middle."""
    peak = np.unravel_index(int(np.argmax(psf)), psf.shape)
    parts = []
    for place, size in zip(peak, psf.shape, strict=True):
        half = min(int(place), size - 1 - int(place))
        parts.append(slice(int(place) - half, int(place) + half + 1))
    return psf[tuple(parts)]
