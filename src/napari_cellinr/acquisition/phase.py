"""Differential phase contrast: raw frames to contrast, light sources to transfer functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.acquisition.measurement import (
    Measurement,
    exact,
    frame_starts,
    single_channel,
    voxel_of,
)
from napari_cellinr.errors import ConfigError, DataError
from napari_cellinr.optics.dpc import (
    DPC,
    check_sampling,
    half_discs,
    led_sources,
    normalise,
    transfer_functions,
)

if TYPE_CHECKING:
    import torch

    from napari_cellinr.config.optics import DPC as Settings  # noqa: N811
    from napari_cellinr.image import Image

__all__ = ["dpc"]


def dpc(image: Image, optics: Settings) -> Measurement:
    """Return contrast frames, and the model with absorption and phase in radians."""
    values = single_channel(image, optics.kind)
    values = values.reshape(-1, *values.shape[-2:])
    n_patterns = len(optics.led_positions or optics.rotations)
    if len(values) % n_patterns:
        raise ConfigError(
            f"{len(values)} frames were given for {n_patterns} patterns; a multiple of "
            f"{n_patterns} is needed: correct rotations, or leave out unfinished sets."
        )
    pixel = None if optics.pixel_size is None else (optics.pixel_size,) * 2
    voxel = voxel_of(image, pixel, "YX", needed_for="dpc")
    if voxel is None or not math.isclose(*voxel, rel_tol=1e-3):
        raise ConfigError(f"pixels of {voxel} µm were given; dpc needs square ones.")
    times, timed = frame_starts(len(values), image, optics.frame_time, optics.frame_times)
    functions = _functions(optics, DPC.grid(values.shape[1:]), voxel[0])
    frames = exact(values)
    if optics.normalise:
        if values.min() < 0 or values.mean() <= 0:
            raise DataError(
                "grey levels below 0 were given to dpc with normalise on; subtract less, or set "
                "normalise to no if the frames are contrast already."
            )
        frames = normalise(frames, optics.background_window)
    model = DPC(values.shape, times, *functions)
    contrast = frames.numpy().astype(np.float32)
    return Measurement(model, contrast, 1.0, voxel, timed)


def _functions(
    optics: Settings, grid: tuple[int, ...], pixel: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the transfer functions of absorption and phase for every pattern."""
    if optics.led_positions is None:
        lit = optics.na_illumination
        check_sampling(pixel, optics.wavelength, optics.na, min(lit, optics.na))
        sources = half_discs(
            grid,
            pixel,
            optics.wavelength,
            optics.rotations,
            optics.na_illumination,
            optics.na_inner,
        )
    else:
        sources = led_sources(grid, pixel, optics.wavelength, optics.led_positions)
    return transfer_functions(sources, pixel, optics.wavelength, optics.na)
