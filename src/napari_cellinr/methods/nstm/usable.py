"""Which pixels of raw frames are data: not those of blank frames, and no impossible values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.camera.defects import blank_frames, empty_part, impossible_voxels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["unusable_pixels", "unusable_warnings"]


def unusable_pixels(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are not to be explained; shape of the frames.

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    """
    bad = np.zeros(frames.shape, bool)
    bad[blank_frames(list(frames))] = True
    for frame, pixels in zip(frames, bad, strict=True):
        if pixels.all():
            continue
        for mask in (empty_part(frame), impossible_voxels(frame)):
            if mask is not None:
                pixels |= mask
    return bad


def unusable_warnings(bad: NDArray[np.bool_]) -> list[str]:
    """Return sentences that name the frames with pixels that are not to be explained.

    Parameters
    ----------
    bad
        What `unusable_pixels` returned.
    """
    parts = bad.reshape(len(bad), -1).mean(1)
    texts = [
        f"Frame {number + 1} of {len(bad)} is blank (all its pixels have one value); it was left "
        "out, and the motion at its time is that of the frames around it."
        for number in np.flatnonzero(parts == 1)
    ]
    some = (parts > 0) & (parts < 1)
    if some.any():
        texts.append(
            f"{int(some.sum())} of {len(bad)} frames have pixels without data or with impossible "
            f"values ({100 * float(parts[some].mean()):.2g} % of them); these were left out."
        )
    return texts
