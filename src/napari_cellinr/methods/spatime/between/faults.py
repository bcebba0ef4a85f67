"""Frames of a series that show nothing new: blank, dark or repeated; others take their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.classic.camera.bad_frames import bad_frames
from napari_cellinr.classic.camera.defects import blank_frames
from napari_cellinr.methods.spatime.between.noise import white_noise

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

__all__ = ["fault_warnings", "faulty_frames", "good_neighbours"]

_FAULTS: Final = {"dark": "dark", "repeated": "the same as the frame before it", "blank": "blank"}
"""What counts as a fault, in words; a blurred or saturated frame still shows something."""

_NOISELESS: Final = 1e-3  # noise in the range of grey levels


def faulty_frames(frames: NDArray[np.float32]) -> dict[int, str]:
    """Return what is wrong with frames that show nothing new, by their position from 0.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape). A frame that repeats the one before it is faulty only in a
        noisy series: without noise, nothing may have moved.
    """
    found = {n: kind for n, kind in bad_frames(frames).items() if kind in _FAULTS}
    found |= dict.fromkeys(blank_frames(list(frames)), "blank")
    repeated = [n for n, kind in found.items() if kind == "repeated"]
    if repeated and white_noise(frames[0]) < _NOISELESS * float(np.ptp(frames)):
        found = {n: kind for n, kind in found.items() if kind != "repeated"}
    return dict(sorted(found.items())) if len(found) < len(frames) - 1 else {}


def fault_warnings(faults: Mapping[int, str], n_frames: int) -> list[str]:
    """Return a sentence for each faulty frame.

    Parameters
    ----------
    faults
        From `faulty_frames`.
    n_frames
        Of the series.
    """
    return [
        f"Frame {number + 1} of {n_frames} is {_FAULTS[kind]}: it was left out, and a frame made "
        "from its neighbours takes its place."
        for number, kind in faults.items()
    ]


def good_neighbours(frame: int, faulty: Collection[int], n_frames: int) -> tuple[int, int]:
    """Return the nearest frames before and after a faulty one; the same one at an end of a series.

    Parameters
    ----------
    frame
        Position of the faulty frame.
    faulty
        Positions of all faulty frames; at least one frame is not among them.
    n_frames
        Of the series.
    """
    good = [n for n in range(n_frames) if n not in faulty]
    before = [n for n in good if n < frame]
    after = [n for n in good if n > frame]
    return (before or after[:1])[-1], (after or before[-1:])[0]
