"""Frames of noise alone, as behind a closed shutter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellinr.classic.frames.bad_frames import bad_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["dark_frames"]

Place = tuple[int, ...]
"""Position of a frame along the axes T and C that a source has."""

_NOISE_ALONE = {"dark", "noise"}
"""What `bad_frames` calls a frame that shows no specimen."""


def dark_frames(
    values: NDArray[Any],
    places: Sequence[Place],
    blank: frozenset[Place],
    leading: Sequence[str],
) -> frozenset[Place]:
    """Return the places of frames of noise alone among others of the same channel.

    Parameters
    ----------
    values
        The whole recording, axes (*leading, [Z,] Y, X).
    places
        Of all its frames.
    blank
        Those of one value, which are not compared.
    leading
        The axes T and C, as far as there are.
    """
    by_channel: dict[int, list[Place]] = {}
    for place in places:
        if place not in blank:
            channel = place[leading.index("C")] if "C" in leading else 0
            by_channel.setdefault(channel, []).append(place)
    found: set[Place] = set()
    for own in by_channel.values():
        kinds = bad_frames([values[place] for place in own])
        found |= {own[number] for number, kind in kinds.items() if kind in _NOISE_ALONE}
    return frozenset(found)
