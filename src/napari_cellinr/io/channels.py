"""Several images as the channels of one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.errors import AxesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["MOST_CHANNELS", "PART", "joined", "separated"]

MOST_CHANNELS: Final = 8
"""Channels up to which each becomes a layer of its own."""

PART: Final = "part"
"""Where the `meta` of an image say which `series` of its file it is, and which `channel`."""


def joined(images: Sequence[Image]) -> Image:
    """Return images of one shape as the channels of one, each named as the image was.

    Raises
    ------
    AxesError
        If they differ in axes, shape, type or voxel size, or have channels already.
    """
    first = images[0].canonical()
    ordered = [image.canonical() for image in images]
    for image in ordered:
        for key in ("axes", "shape", "dtype", "scale", "units", "translate"):
            if getattr(image, key) != getattr(first, key):
                raise AxesError(
                    f"{image.name!r} has {key} {getattr(image, key)}, but {first.name!r} "
                    f"{getattr(first, key)}; channels of one file have to be alike. Save them "
                    f"one by one."
                )
    if "C" in first.axes:
        raise AxesError(f"{first.name!r} has channels already; save the layers one by one.")
    place = 1 if "T" in first.axes else 0
    return first.like(
        np.stack([image.array() for image in ordered], axis=place),
        axes=first.axes[:place] + "C" + first.axes[place:],
        scale=(*first.scale[:place], 1.0, *first.scale[place:]),
        units=(*first.units[:place], "pixel", *first.units[place:]),
        translate=(*first.translate[:place], 0.0, *first.translate[place:]),
        channels=tuple(image.name for image in images),
    )


def separated(image: Image) -> list[Image]:
    """Return one image per channel, as layers show them; the image itself if none or very many."""
    n_channels = image.sizes.get("C", 0)
    if not 1 <= n_channels <= MOST_CHANNELS:
        return [image]
    found = []
    for index in range(n_channels):
        one = image.take("C", index)
        named = image.channels or n_channels == 1
        part = {**image.meta.get(PART, {}), "channel": index}
        found.append(
            one.like(
                one.data,
                name=one.name if named else f"{image.name} channel {index + 1}",
                meta={**one.meta, PART: part},
            )
        )
    return found
