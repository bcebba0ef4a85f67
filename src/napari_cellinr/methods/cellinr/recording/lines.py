"""Hot and dead rows and columns that only some planes of a recording have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.hot_lines import hot_lines, lines_text, may_have_lines
from napari_cellinr.text import number_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.hot_lines import HotLine

__all__ = ["lines_of_planes", "text_of_planes"]

_TIMES = 1.3  # least height, in that of a line that all planes have: there are many planes
_TOGETHER = 1_000_000  # voxels that are looked at together
_NAMED = 8  # planes that are named one by one


def lines_of_planes(values: NDArray[Any]) -> dict[tuple[int, ...], list[HotLine]]:
    """Return the hot and dead lines of single planes, where there are several.

    Parameters
    ----------
    values
        Grey levels of one channel without what all planes have, axes ([T,] [Z,] Y, X).

    Returns
    -------
    dict
        By the position of the plane.
    """
    found: dict[tuple[int, ...], list[HotLine]] = {}
    places = list(np.ndindex(values.shape[:-2]))
    if len(places) < 2:
        return found
    count = max(1, _TOGETHER // (values.shape[-2] * values.shape[-1]))
    for together in (places[first : first + count] for first in range(0, len(places), count)):
        planes = np.stack([np.asarray(values[place], np.float32) for place in together])
        varied = np.flatnonzero(planes.min(axis=(1, 2)) < planes.max(axis=(1, 2)))
        for number in varied[may_have_lines(planes[varied], _TIMES)].tolist():
            if lines := hot_lines(planes[[number]], _TIMES):
                found[together[number]] = lines
    return found


def text_of_planes(
    lines: Mapping[tuple[int, ...], list[HotLine]], axes: str, channel: int | None
) -> str:
    """Return a sentence that names the lines and the planes.

    Parameters
    ----------
    lines
        What `lines_of_planes` returns.
    axes
        Of the channel, such as TZYX.
    channel
        Its number from 0, if there are several.
    """
    where = "" if channel is None else f" in channel {channel + 1}"
    for axis, name in (("Z", "plane"), ("T", "frame")):
        if axis in axes:
            numbers = sorted({place[axes.index(axis)] + 1 for place in lines})
            several = len(numbers) > 1
            which = number_list(numbers) if len(numbers) <= _NAMED else ""
            named = f"{name}{'s' * several} {which}" if which else f"{len(numbers)} {name}s"
            where += f"{' of' if ' in ' in where else ' in'} {named}"
    return lines_text([line for own in lines.values() for line in own], where)
