"""Clusters of hot pixels in the frames of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.hot_clusters import hot_clusters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["hot_in_frames"]


def hot_in_frames(
    frames: Mapping[tuple[int, ...], NDArray[Any]],
    leading: Sequence[str],
    known: NDArray[np.bool_] | None = None,
) -> dict[tuple[int, ...], NDArray[np.bool_]]:
    """Return the clusters of hot pixels of each frame that has any: all planes of a channel do.

    Parameters
    ----------
    frames
        Axes ([Z,] Y, X), by the position along the axes T and C that the recording has.
    leading
        These axes.
    known
        The clusters of all channels, axes Y X; looked for if not given.

    Returns
    -------
    dict
        Masks with the shape of the frames, by the same positions.
    """
    found: dict[tuple[int, ...], NDArray[np.bool_]] = {}
    by_channel: dict[int, list[tuple[int, ...]]] = {}
    for place in frames:
        channel = place[leading.index("C")] if "C" in leading else 0
        by_channel.setdefault(channel, []).append(place)
    for own in by_channel.values():
        planes = [plane for p in own for plane in frames[p].reshape(-1, *frames[p].shape[-2:])]
        mask = hot_clusters(planes) if known is None else known
        if mask is not None and mask.any():
            found |= {place: np.broadcast_to(mask, frames[place].shape) for place in own}
    return found
