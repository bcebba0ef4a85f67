"""Conventional reconstruction without motion, to compare with: one scene for each set of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.image import Image
from napari_cellinr.methods.nstm.geometry import first_time, starts_of
from napari_cellinr.methods.nstm.recording.channels import motion_source

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from napari_cellinr.acquisition import Measurement
    from napari_cellinr.config import NSTMConfig
    from napari_cellinr.optics.base import ForwardModel

__all__ = ["conventional", "scenes_of"]

STEPS = 60
"""Steps of the deconvolution."""


def conventional(image: Image, config: NSTMConfig) -> Image:
    """Return the conventional reconstruction, float32, axes T [C] [Z] Y X.

    Tikhonov for `dpc` and Wiener for structured illumination, with one scene per complete set of
    frames; for other optics, deconvolution with total variation, with one scene for all frames.

    Parameters
    ----------
    image
        The raw frames.
    config
        The settings; only the optics matter.

    Raises
    ------
    AxesError, ConfigError, DataError
        If the image does not fit the optics.
    """
    from napari_cellinr.acquisition import prepare

    image = motion_source(image, config)
    measurement = prepare(image, config.optics)
    model = measurement.model
    found, sets = scenes_of(measurement)
    scenes = np.stack(found) * np.float32(measurement.unit)
    if scenes.ndim > len(model.zoom) + 1 and scenes.shape[1] == 1:
        scenes = scenes[:, 0]
    space = "ZYX"[-len(model.zoom) :]
    axes = ("TC" if scenes.ndim == len(space) + 2 else "T") + space
    size = measurement.voxel or tuple(1 / z for z in model.zoom)
    begin = first_time(image, timed=measurement.timed)
    middle, interval = _moments(model, sets)
    lead = (interval, *([1.0] if "C" in axes else []))
    unit = "micrometer" if measurement.voxel else "pixel"
    starts = starts_of(image, [s * z for s, z in zip(size, model.zoom, strict=True)])
    return Image(
        scenes,
        axes,
        scale=(*lead, *size),
        units=("second" if measurement.timed else "pixel", *["pixel"] * (len(lead) - 1))
        + (unit,) * len(space),
        name=f"{image.name} conventional",
        translate=(begin + middle, *[0.0] * (len(lead) - 1), *starts),
        channels=model.channel_names if "C" in axes else (),
    )


def _moments(model: ForwardModel, sets: list[list[int]]) -> tuple[float, float]:
    """Return the time from the first shot to the middle of the first set, and the mean interval."""
    times = model.shot_times().cpu().double()
    times = times.reshape(len(times), -1) - times.min()
    lasting = max(float(times.max()), 1e-9)
    each = times.reshape(-1, model.samples, times.shape[1])
    middles = [float(each[frames].mean()) for frames in sets]
    if len(middles) == 1:
        return middles[0], lasting
    return middles[0], max((middles[-1] - middles[0]) / (len(middles) - 1), 1e-9)


def scenes_of(measurement: Measurement) -> tuple[list[NDArray[np.float32]], list[list[int]]]:
    """Return a scene for each set of frames, float32, and the numbers of these frames.

    Parameters
    ----------
    measurement
        Forward model and frames, on the CPU.
    """
    import torch

    from napari_cellinr.classic.deconvolve import (
        moving_window,
        tikhonov,
        total_variation,
        windows,
    )
    from napari_cellinr.optics.blur import BlurModel
    from napari_cellinr.optics.dpc import DPCModel
    from napari_cellinr.optics.sim import SIMModel

    model, frames = measurement.model, torch.from_numpy(measurement.frames)
    if isinstance(model, DPCModel):
        count = len(model.absorption)
        found = [_plain(tikhonov(model, part)) for part in torch.split(frames, count)]
        return found, [part.tolist() for part in torch.split(torch.arange(len(frames)), count)]
    if isinstance(model, SIMModel):
        count = len(model.phases)
        found = [_plain(scene) for scene in moving_window(model, frames, count)]
        return found, windows(len(frames), count, count)
    everything = [list(range(len(frames)))]
    if isinstance(model, BlurModel) and not model.transfer.numel():
        return [_plain(frames.mean(0))], everything
    *_, scene = total_variation(model, frames, steps=STEPS)
    inner = tuple(
        slice(pad, size - pad) for pad, size in zip(model.padding, model.scene_shape, strict=True)
    )
    return [_plain(scene[(slice(None), *inner)])], everything


def _plain(scene: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = scene.detach().cpu().numpy().astype(np.float32)
    return values
