"""Differential phase contrast: raw frames to contrast, light sources to transfer functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_cellinr.acquisition.grey_levels import without_data
from napari_cellinr.acquisition.measurement import (
    Measurement,
    exact,
    frame_starts,
    single_channel,
    stated,
    voxel_of,
)
from napari_cellinr.errors import ConfigError, DataError
from napari_cellinr.optics.dpc import (
    DPCModel,
    check_sampling,
    half_discs,
    led_sources,
    normalise,
    transfer_functions,
)
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from napari_cellinr.config.optics.dpc import DPC
    from napari_cellinr.image import Image

__all__ = ["dpc"]


def dpc(image: Image, optics: DPC) -> Measurement:
    """Return contrast frames, and the model with absorption and phase in radians.

    Parameters
    ----------
    image
        Grey levels or contrast; all axes but Y and X count the raw frames.
    optics
        Settings of the microscope.

    Returns
    -------
    Measurement
        Frames (shots, Y, X) of contrast, without unit.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the number of frames is not a multiple of that of the patterns, pixels are unknown, not
        square or too large, or grey levels are negative.
    """
    values = single_channel(image, optics.kind)
    values = values.reshape(-1, *values.shape[-2:])
    n_patterns = optics.frames_per_set
    if len(values) % n_patterns:
        raise ConfigError(
            f"{n_of(len(values), 'frame was', 'frames were')} given for "
            f"{n_of(n_patterns, 'pattern')}; a multiple of "
            f"{n_patterns} is needed: correct rotations, or remove the frames of incomplete sets."
        )
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = voxel_of(image, pixel, "YX", needed_for="dpc")
    if voxel is None or not math.isclose(*voxel, rel_tol=1e-3):
        raise ConfigError(f"pixels of {voxel} µm were given; dpc needs square pixels.")
    times, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    functions = _functions(optics, DPCModel.grid(values.shape[1:]), voxel[0])
    frames = exact(values)
    if optics.normalise:
        if values.min() < 0 or values.mean() <= 0:
            raise DataError(
                "grey levels below 0 were given to dpc with normalise on; subtract less, or "
                "switch normalise off if the frames are contrast already."
            )
        missing = torch.from_numpy(without_data(values))
        frames = normalise(frames, optics.background_window, missing)
    model = DPCModel(values.shape, times, *functions)
    contrast = frames.numpy().astype(np.float32)
    return Measurement(model, contrast, 1.0, voxel, timed)


def _functions(
    optics: DPC, grid: tuple[int, ...], pixel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the transfer functions of absorption and phase, (patterns, Y, X // 2 + 1) complex."""
    wavelength, na = stated(optics.wavelength), stated(optics.na)
    if optics.led_positions is None:
        lit, rotations = stated(optics.na_illumination), stated(optics.rotations)
        check_sampling(pixel, wavelength, na, min(lit, na))
        sources = half_discs(grid, pixel, wavelength, rotations, lit, optics.na_inner)
    else:
        sources = led_sources(grid, pixel, wavelength, optics.led_positions)
    return transfer_functions(sources, pixel, wavelength, na)
