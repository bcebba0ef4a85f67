"""Merging images into the channels of one image, and splitting them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.errors import AxesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["MOST_CHANNELS", "PART", "joined", "separated"]

MOST_CHANNELS: Final = 8
"""Largest number of channels that are shown as one layer each."""

PART: Final = "part"
"""Key in `Image.meta` for the `series` of the file and the `channel` that an image is."""


def joined(images: Sequence[Image]) -> Image:
    """Return one image whose channels are the given images; each channel has its image's name.

    Raises
    ------
    AxesError
        If they differ in axes, shape, data type or voxel size, or have channels already.
    """
    first = images[0].canonical()
    ordered = [image.canonical() for image in images]
    for image in ordered:
        for key in ("axes", "shape", "dtype", "scale", "units", "translate"):
            if getattr(image, key) != getattr(first, key):
                raise AxesError(
                    f"{image.name!r} has {key} {getattr(image, key)}, but {first.name!r} "
                    f"{getattr(first, key)}; all channels of one file need the same {key}. Save "
                    f"them one by one."
                )
    if "C" in first.axes:
        raise AxesError(f"{first.name!r} has channels already; save the layers one by one.")
    axis = 1 if "T" in first.axes else 0
    return first.like(
        np.stack([image.array() for image in ordered], axis=axis),
        axes=first.axes[:axis] + "C" + first.axes[axis:],
        scale=(*first.scale[:axis], 1.0, *first.scale[axis:]),
        units=(*first.units[:axis], "pixel", *first.units[axis:]),
        translate=(*first.translate[:axis], 0.0, *first.translate[axis:]),
        channels=tuple(image.name for image in images),
    )


def separated(image: Image) -> list[Image]:
    """Return one image per channel; the image itself without channels or with more than 8."""
    n_channels = image.sizes.get("C", 0)
    if not 1 <= n_channels <= MOST_CHANNELS:
        return [image]
    images = []
    for index in range(n_channels):
        channel = image.take("C", index)
        named = image.channels or n_channels == 1
        part = {**image.meta.get(PART, {}), "channel": index}
        images.append(
            channel.like(
                channel.data,
                name=channel.name if named else f"{image.name} channel {index + 1}",
                meta={**channel.meta, PART: part},
            )
        )
    return images
