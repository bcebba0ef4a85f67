"""Frames and planes of a recording that were stored twice."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.frames.repeats import has_noise, repeats
from napari_cellinr.text import number_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["copied_frames", "copied_planes", "copy_warnings", "originals_among"]

Place = tuple[int, ...]
"""Position of a frame along the axes T and C that a source has."""


def copied_frames(
    frames: Mapping[Place, NDArray[Any]], leading: Sequence[str]
) -> dict[Place, Place]:
    """Return the frames that are an earlier one to the bit, and which frame that is.

    Parameters
    ----------
    frames
        Those of all channels that show something, in the order of time, by place.
    leading
        The axes T and C, as far as there are.
    """
    if "T" not in leading:
        return {}
    by_channel: dict[int, list[Place]] = {}
    for place in frames:
        channel = place[leading.index("C")] if "C" in leading else 0
        by_channel.setdefault(channel, []).append(place)
    found: dict[Place, Place] = {}
    for own in by_channel.values():
        seen: dict[bytes, Place] = {}
        for place in own:
            original = seen.setdefault(_digest(frames[place]), place)
            if original != place and has_noise(frames[place]):
                found[place] = original
    return found


def _digest(frame: NDArray[Any]) -> bytes:
    return blake2b(np.ascontiguousarray(frame).data, digest_size=16).digest()


def copied_planes(frame: NDArray[Any]) -> list[int]:
    """Return the planes of a volume that are the one before them to the bit; none of a plane.

    Neither of a volume in which all planes are the same.

    Parameters
    ----------
    frame
        Grey levels, axes ZYX or YX, real.
    """
    found = repeats(frame) if frame.ndim == 3 else []
    return found if len(found) < len(frame) - 1 else []


def originals_among(copies: Mapping[Place, Place], own: Collection[Place]) -> dict[Place, Place]:
    """Return copies and originals such that the original of each of some frames is one of them.

    Parameters
    ----------
    copies
        From `copied_frames`.
    own
        Places of those frames. The first of them that repeats a frame outside takes its place,
        and that is the copy.
    """
    found, instead = dict(copies), dict[Place, Place]()
    for place, original in copies.items():
        if place in own and original not in own:
            first = instead.setdefault(original, place)
            found.pop(place)
            found |= {original: first} if first == place else {place: first}
    return found


def copy_warnings(
    frames: Mapping[Place, Place], planes: Mapping[Place, Sequence[int]], leading: Sequence[str]
) -> list[str]:
    """Return sentences that name the copies.

    Parameters
    ----------
    frames
        From `copied_frames`.
    planes
        From `copied_planes`, by place.
    leading
        The axes T and C, as far as there are.
    """
    texts = []
    beside: set[int] = set()
    earlier: dict[int, int] = {}
    for place, original in frames.items():
        axis = leading.index("T")
        before = (*place[:axis], place[axis] - 1, *place[axis + 1 :])
        if frames.get(before, before) == original:
            beside.add(place[axis] + 1)
        else:
            earlier[place[axis] + 1] = original[axis] + 1
    for numbers, originals in ((sorted(beside), ()), (sorted(earlier), earlier)):
        if not numbers:
            continue
        one = len(numbers) == 1
        first = sorted({*earlier.values()})
        what = (
            f"frame{'s' * (len(first) > 1)} {number_list(first)}"
            if originals
            else f"the frame before {'it' if one else 'them'}"
        )
        texts.append(
            f"Frame{'' if one else 's'} {number_list(numbers)} {'is' if one else 'are'} the same "
            f"as {what} to the bit, as if stored twice: not used, and given the same result."
        )
    by_planes: dict[tuple[int, ...], list[Place]] = {}
    for place, found in planes.items():
        by_planes.setdefault(tuple(found), []).append(place)
    for copied, places in by_planes.items():
        one, of_frames = len(copied) == 1, ""
        if "T" in leading:
            times = sorted({place[leading.index("T")] + 1 for place in places})
            of_frames = f" of frame{'' if len(times) == 1 else 's'} {number_list(times)}"
        texts.append(
            f"Plane{'' if one else 's'} {number_list([n + 1 for n in copied])}{of_frames} "
            f"{'is' if one else 'are'} the same as the plane before {'it' if one else 'them'} to "
            "the bit, as if stored twice: left out, and interpolated from the planes around."
        )
    return texts
