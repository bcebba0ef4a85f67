"""Several images as the channels of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.errors import AxesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["joined"]


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
