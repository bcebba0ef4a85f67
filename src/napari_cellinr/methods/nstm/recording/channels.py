"""Which channel of a recording the motion is found from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.image import Image

__all__ = ["motion_source"]


def motion_source(source: Image, config: NSTMConfig) -> Image:
    """Return the channel from which the motion is found; the image itself if none is chosen.

    Parameters
    ----------
    source
        The raw frames, perhaps with several channels.
    config
        The settings, of which `motion_channel` is used.

    Raises
    ------
    ConfigError
        If the image does not have that channel.
    """
    number = config.motion_channel
    if number is None:
        return source
    count = source.sizes.get("C", 1)
    if number >= count:
        raise ConfigError(
            f"motion_channel {number} was given; the image has {count} "
            f"channel{'s' if count > 1 else ''}, of which the first is 0."
        )
    return source.take("C", number) if "C" in source.axes else source
