"""Heights of the planes of a stack as a file states them, and whether they are equally spaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.io.findings import with_warnings
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.image import Image

__all__ = ["with_heights"]

_UNEVEN = 1.5
"""Ratio of two distances between planes above which they are not equally spaced."""

_MOST_NAMED = 5
"""Gaps that are named one by one."""


def with_heights(image: Image, heights: Sequence[float], path: object) -> Image:
    """Return the image, with a warning if its planes are not equally spaced along Z.

    Planes are at equal distances for all methods. Where some are missing, what lies on both sides
    of the gap would be taken for neighbours.

    Parameters
    ----------
    image
        The image.
    heights
        Of each plane in micrometres, in their order; ignored if there is not one for each plane,
        or if they neither increase nor decrease, as where a program states one height for all.
    path
        File that states them, for the warning.
    """
    stated = np.asarray(heights, float)
    if len(stated) != image.sizes.get("Z", 1) or len(stated) < 3 or not np.isfinite(stated).all():
        return image
    distances = np.diff(stated)
    distances = -distances if distances[0] < 0 else distances
    if distances.min() <= 0 or distances.max() < _UNEVEN * distances.min():
        return image
    usual = float(np.median(distances))
    gaps = np.flatnonzero(distances >= _UNEVEN * usual)
    if len(gaps) == 0:
        gaps = np.array([int(distances.argmax())])
    named = ", ".join(str(one + 1) for one in gaps[:_MOST_NAMED].tolist())
    more = f" and {n_of(len(gaps) - _MOST_NAMED, 'other')}" if len(gaps) > _MOST_NAMED else ""
    planes = "plane" if len(gaps) == 1 else "planes"
    span = f"{distances.min():.4g} to {distances.max():.4g} µm"
    text = (
        f"{path}: the planes are not equally spaced along Z ({span}; the distance is larger than "
        f"usual after {planes} {named}{more}, "
        "counted from 1), as if planes were missing. All methods take them for equally spaced: "
        "what is computed between planes, or from neighbouring ones, is wrong there. Crop "
        "the stack to one side of the gap."
    )
    return with_warnings(image, (text,))
