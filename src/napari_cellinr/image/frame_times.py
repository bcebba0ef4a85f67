"""Times of the frames of a part of an image, where they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image.image import Image

__all__ = ["TIMES", "times_of_part", "without_times"]

TIMES = "times"
"""Key in `Image.meta` of the time of each frame."""


def times_of_part(image: Image, part: slice) -> Mapping[str, Any]:
    """Return the provenance of an image with the times of some of its frames.

    Parameters
    ----------
    image
        The whole, with or without a time axis.
    part
        Which frames are left.
    """
    times = image.meta.get(TIMES)
    if not isinstance(times, list | tuple) or len(times) != image.sizes.get("T"):
        return image.meta
    return {**image.meta, TIMES: list(times[part])}


def without_times(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance without the times of frames.

    Parameters
    ----------
    meta
        `Image.meta`.
    """
    return {key: value for key, value in meta.items() if key != TIMES}
