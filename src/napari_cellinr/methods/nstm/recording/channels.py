"""Which channel of a recording the motion is found from, or all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.acquisition import prepare
from napari_cellinr.errors import ConfigError
from napari_cellinr.methods.nstm.plan import plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.image import Image

__all__ = ["motion_source", "weights_of"]


def motion_source(source: Image, config: NSTMConfig) -> Image:
    """Return the image from which the motion is found: a channel, or the mean of all.

    Parameters
    ----------
    source
        The raw frames, perhaps with several channels.
    config
        The settings, of which `motion_channel` is used.

    Returns
    -------
    Image
        The image itself if no channel is chosen. Of all channels, the mean with the weights of
        `weights_of`, float32: light adds up, so that it is a fluorescence image as they are.

    Raises
    ------
    ConfigError
        If the image does not have that channel.
    """
    if not config.motion_channel:
        return source
    count = source.sizes.get("C", 1)
    number = config.single_motion_channel()
    if number is None:
        return _mean(source, config) if count > 1 else _without_channels(source)
    if number >= count:
        raise ConfigError(
            f"motion_channel {number} was given; the image has {count} "
            f"channel{'s' if count > 1 else ''}, of which the first is 0."
        )
    return source.take("C", number) if "C" in source.axes else source


def weights_of(contrasts: NDArray[Any], noises: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights of channels in their mean, whose sum is 1.

    They are the contrast over the variance of the noise: of channels that show the same with other
    contrasts, no other mean has as much contrast for its noise.

    Parameters
    ----------
    contrasts, noises
        Standard deviations of the light and of the noise, in grey levels, (channels,).
    """
    found = np.asarray(contrasts, np.float64) / np.square(noises)
    total = found.sum()
    return found / total if total > 0 else np.full(len(found), 1 / len(found))


def _without_channels(source: Image) -> Image:
    return source.take("C", 0) if "C" in source.axes else source


def _mean(source: Image, config: NSTMConfig) -> Image:
    """Return the weighted mean of all channels."""
    channels = [source.take("C", number) for number in range(source.sizes["C"])]
    weights = weights_of(*np.transpose([_contrast(one, config) for one in channels]))
    total = np.zeros(channels[0].shape, np.float32)
    for weight, one in zip(weights, channels, strict=True):
        total += np.float32(weight) * np.asarray(one.array(), np.float32)
    return channels[0].like(total, name=source.name)


def _contrast(channel: Image, config: NSTMConfig) -> tuple[float, float]:
    """Return the standard deviations of light and noise of a channel, in grey levels."""
    measurement = prepare(channel, config.optics)
    planned = plan(measurement, config)
    variance = float(measurement.frames[~planned.bad].var(dtype=float)) - planned.noise**2
    unit = measurement.unit
    return max(variance, 0.0) ** 0.5 * unit, max(planned.noise * unit, 1e-12)
