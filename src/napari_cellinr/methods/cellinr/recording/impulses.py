"""Impulse noise in the frames of a recording: single pixels at random or extreme values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.impulses import impulses, without_impulses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["impulses_in_frames", "impulses_text", "without_impulses_in"]

Place = tuple[int, ...]
"""Position of a frame along the axes T and C that a recording has."""


def impulses_in_frames(
    frames: Mapping[Place, NDArray[Any]],
    leading: Sequence[str],
    others: Iterable[Mapping[Place, NDArray[np.bool_]]] = (),
) -> dict[Place, NDArray[np.bool_]]:
    """Return the voxels of impulse noise of each frame that has any, channel by channel.

    Parameters
    ----------
    frames
        Axes ([Z,] Y, X), by the position along the axes T and C that the recording has.
    leading
        These axes.
    others
        Voxels that are no data for another reason, and do not count.

    Returns
    -------
    dict
        Masks with the shape of the frames, by the same positions.
    """
    found: dict[Place, NDArray[np.bool_]] = {}
    by_channel: dict[int, list[Place]] = {}
    for place in frames:
        channel = place[leading.index("C")] if "C" in leading else 0
        by_channel.setdefault(channel, []).append(place)
    for own in by_channel.values():
        planes = [plane for p in own for plane in frames[p].reshape(-1, *frames[p].shape[-2:])]
        if (masks := impulses(planes)) is None:
            continue
        parts = iter(masks)
        for place in own:
            shape = frames[place].shape
            n_planes = shape[0] if len(shape) > 2 else 1
            mask = np.stack([next(parts) for _ in range(n_planes)]).reshape(shape)
            for kind in others:
                if place in kind:
                    mask &= ~kind[place]
            if mask.any():
                found[place] = mask
    return found


def without_impulses_in(frame: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a frame in which voxels of impulse noise are the median of those around them.

    Parameters
    ----------
    frame, mask
        Grey levels, and these voxels; axes ZYX or YX.
    """
    size = frame.shape[-2:]
    pairs = zip(frame.reshape(-1, *size), mask.reshape(-1, *size), strict=True)
    return np.stack([without_impulses(*pair) for pair in pairs]).reshape(frame.shape)


def impulses_text(masks: Mapping[Place, NDArray[np.bool_]], where: str) -> str:
    """Return a sentence that names the noise.

    Parameters
    ----------
    masks
        What `impulses_in_frames` returns.
    where
        Words that name the frames and channels, with a space at the end, or nothing.
    """
    part = float(np.mean([mask.mean() for mask in masks.values()]))
    return (
        f"{100 * part:.2g} % of the voxels {where}are single ones at random or extreme values, far "
        "from all around them (impulse noise); they were replaced by the median of these."
    )
