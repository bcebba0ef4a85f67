"""Times of the frames of a part of an image, where they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_cellinr.image.image import Image

__all__ = ["ABOUT_TIMES", "PLACES", "TIMES", "times_of_part", "untimed", "without_times"]

TIMES = "times"
"""Key in `Image.meta` of the time of each frame."""

PLACES = "frame_places"
"""Key in `Image.meta` of the place of each frame in time steps from the first, where frames are
missing between others. Unlike times, places are known without the time step."""

ABOUT_TIMES = (
    "the times of the frames do not increase",
    "the frames are not equally spaced in time",
    "That is a gap in time",
    "states a time step of",
)
"""What a sentence about a file contains that is about the times of frames."""


def times_of_part(image: Image, part: slice) -> Mapping[str, Any]:
    """Return the provenance of an image with the times of some of its frames.

    Parameters
    ----------
    image
        The whole, with or without a time axis.
    part
        Which frames are left.
    """
    meta, n_frames = dict(image.meta), image.sizes.get("T")
    for key in (TIMES, PLACES):
        known = meta.get(key)
        if isinstance(known, list | tuple) and len(known) == n_frames:
            meta[key] = list(known[part])
            if key == PLACES:  # the time step of the part is longer, too
                meta[key] = [(one - meta[key][0]) / (part.step or 1) for one in meta[key]]
    return meta


def without_times(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance without the times of frames.

    Parameters
    ----------
    meta
        `Image.meta`.
    """
    return {key: value for key, value in meta.items() if key != TIMES}


def untimed(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance whose dimension of time is none: without times, and what is said of them.

    Parameters
    ----------
    meta
        `Image.meta`.
    """
    kept = {key: value for key, value in without_times(meta).items() if key != PLACES}
    said: Any = kept.get("warnings")
    if isinstance(said, list | tuple):
        left = tuple(s for s in said if not any(part in str(s) for part in ABOUT_TIMES))
        kept["warnings"] = left
    return kept
