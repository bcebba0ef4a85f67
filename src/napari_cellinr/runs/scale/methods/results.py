"""The geometry of the result of each method in parts, and whether parts are possible; no torch."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.config import CellINRConfig, NSTMConfig, SpatimeConfig
from napari_cellinr.config.optics.repeated import TimeLapse
from napari_cellinr.errors import CellINRError, ConfigError
from napari_cellinr.methods.spatime.output_grid import check_changes, output_grid

if TYPE_CHECKING:
    from napari_cellinr.config import Config
    from napari_cellinr.image import Image

__all__ = ["result_of", "why_not"]


def result_of(image: Image, config: Config) -> Image:
    """Return an image of zeros, which take no memory, with the geometry of the result.

    Parameters
    ----------
    image
        The recording.
    config
        The settings of the method.

    Raises
    ------
    ConfigError
        If a setting needs the whole recording at once.
    """
    return _result(config, image)


def why_not(image: Image, config: Config) -> str:
    """Return why a run cannot be done in parts; an empty text if it can.

    Parameters
    ----------
    image
        The recording.
    config
        The settings.
    """
    try:
        result_of(image.canonical(), config)
    except CellINRError as error:
        return str(error)
    return ""


@singledispatch
def _result(config: Config, image: Image) -> Image:
    """Return the result of a method, which the type of the settings says."""
    raise TypeError(f"settings of the type {type(config).__name__}")


@_result.register(CellINRConfig)
def _denoised(config: CellINRConfig, image: Image) -> Image:
    """Raise `ConfigError` if a setting needs the whole recording at once."""
    if config.bleaching == "correct":
        raise ConfigError(
            "bleaching=correct was given, which needs the whole recording at once; in parts, "
            "only bleaching=keep is possible. Correct the brightness of the result afterwards."
        )
    data = np.broadcast_to(np.float32(0), image.shape)
    return image.like(data, name=f"{image.name} denoised")


@_result.register(SpatimeConfig)
def _superresolved(config: SpatimeConfig, image: Image) -> Image:
    """Raise `ConfigError` if it has other voxels than the recording, or no time series is given."""
    grid = output_grid(image, config)
    check_changes(image, config, grid)
    finer = [axis for axis, one in grid.maps.items() if one.n_out != one.n_in]
    if finer or grid.times is None or config.is_published:
        what = f"finer voxels along {', '.join(finer).lower()}" if finer else "these settings"
        raise ConfigError(
            f"superresolve was given {what}; in parts, only more frames are possible "
            "(--scale t=2). Write the result to OUT.zarr without --parts, or super-resolve a crop."
        )
    data = np.broadcast_to(np.float32(0), grid.shape(image))
    return grid.placed(image, data, f"{image.name} super-resolved")


@_result.register(NSTMConfig)
def _reconstructed(config: NSTMConfig, image: Image) -> Image:
    """Raise `ConfigError` if it is no plain time-lapse, or needs one scene for all frames."""
    if not isinstance(config.optics, TimeLapse) or "T" not in image.axes:
        raise ConfigError(
            f"optics of the kind {config.optics.kind} were given; in parts, only a time-lapse with "
            "axis T can be reconstructed. Reconstruct a crop of the recording."
        )
    if image.sizes.get("C", 1) > 1 or config.times or config.align:
        raise ConfigError(
            "several channels, times or align were given; in parts, one channel is reconstructed "
            "at the times of its frames. Choose one with --channel, and leave the others out."
        )
    data = np.broadcast_to(np.float32(0), image.shape)
    return image.like(data, name=f"{image.name} reconstructed")
