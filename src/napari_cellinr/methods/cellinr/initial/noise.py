"""The noise of a source, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.classic.anscombe import Noise
from napari_cellinr.classic.noise import estimate_noise

if TYPE_CHECKING:
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["middle", "noise_of_channels"]

GLANCE = {"T": 2, "C": 1_000_000, "Z": 24, "Y": 96, "X": 96}
GLANCE_OF_PLANE = {"T": 2, "C": 1_000_000, "Y": 384, "X": 384}
"""Elements along each axis, of a volume or plane, that show the noise in half a second."""


def noise_of_channels(source: Image, config: CellINRConfig) -> list[Noise]:
    """Return the noise of each channel, from the settings or estimated from all of its frames.

    The grain is always estimated: a calibration of the camera does not know how an image was
    filtered.

    Parameters
    ----------
    source
        Axes in canonical order, grey levels.
    config
        The settings, of which `gain` and `read_noise` are used.
    """
    n_channels = source.sizes.get("C", 1)
    noises = []
    for channel in range(n_channels):
        frames = source.take("C", channel) if "C" in source.axes else source
        found = estimate_noise(frames.array())
        if config.gain is not None or config.read_noise is not None:
            gain = found.gain if config.gain is None else config.gain
            read = found.read_noise if config.read_noise is None else config.read_noise
            offset = found.offset if config.read_noise is None else 0.0
            found = Noise(gain, read, offset, found.grain)
        noises.append(found)
    return noises


def middle(source: Image) -> Image:
    """Return a part from the middle, small enough to estimate the noise in half a second."""
    most = {axis: (GLANCE if "Z" in source.axes else GLANCE_OF_PLANE)[axis] for axis in source.axes}
    return source.crop(
        **{
            axis: slice(max(0, (size - most[axis]) // 2), (size + most[axis] + 1) // 2)
            for axis, size in source.sizes.items()
            if size > most[axis]
        }
    )
