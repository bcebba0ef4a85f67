"""The noise of a source, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.classic.camera.noise import Known, estimate_noise

if TYPE_CHECKING:
    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.image import Image

__all__ = ["middle", "noise_of_channels"]

GLANCE = {"T": 2, "C": 1_000_000, "Z": 24, "Y": 96, "X": 96}
GLANCE_OF_PLANE = {"T": 2, "C": 1_000_000, "Y": 384, "X": 384}
"""Elements along each axis, of a volume or plane, that show the noise in half a second."""


def noise_of_channels(source: Image, config: CellINRConfig) -> list[Noise]:
    """Return the noise of each channel, as far as not given estimated from all of its frames.

    Parameters
    ----------
    source
        Axes in canonical order, grey levels.
    config
        The settings, of which `gain`, `read_noise`, `offset` and `grain` are used.
    """
    known = Known(config.gain, config.read_noise, config.offset, config.grain)
    n_axes = 3 if "Z" in source.axes else 2
    noises = []
    for channel in range(source.sizes.get("C", 1)):
        frames = source.take("C", channel) if "C" in source.axes else source
        noises.append(estimate_noise(frames.array(), n_axes=n_axes, known=known))
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
