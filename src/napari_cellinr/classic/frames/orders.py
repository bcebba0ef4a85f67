"""Series whose frames are not one time after the other: channels that alternate, stored twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.repeats import repeats
from napari_cellinr.classic.frames.views import correlation_at, view_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

__all__ = ["order_texts", "period_of"]

_SMOOTH, _WIDE = (
    1.5,
    5.0,
)  # standard deviations in pixels of a view, of structures that are compared
_MOST = 4  # longest period: channels of a recording
_WORDS = {2: "second", 3: "third", 4: "fourth"}
_TIMES = 2  # least number of periods
_ALIKE = 0.5  # least correlation of frames one period apart
_UNLIKE = 0.6  # largest one of others, relative to that
_REPEATED = 0.25  # part of the frames that repeat the one before, up to which these are exceptions


def period_of(frames: Sequence[NDArray[Any]] | NDArray[Any]) -> int:
    """Return after how many frames they are like each other again, but not before; 0 if never.

    What moves is more and more unlike with time. Frames that alternate are those of channels, or of
    a specimen that moves to and fro at that rate: what the frames show does not tell which.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    """
    views = [view_of(frame) for frame in frames]
    fine = [gaussian_filter(view, _SMOOTH) - gaussian_filter(view, _WIDE) for view in views]
    for period in range(2, _MOST + 1):
        if len(fine) < max(_TIMES * period, 4):
            break
        alike = np.array(_apart(fine, period))
        others = [_apart(fine, apart) for apart in range(1, period)]
        if np.median(alike) < _ALIKE:
            continue
        unlike = max(float(np.median(own)) for own in others)
        if unlike < _UNLIKE * float(np.median(alike)):
            return period
    return 0


def _apart(views: Sequence[NDArray[np.float64]], apart: int) -> list[float]:
    """Return the correlations of views that are some frames apart."""
    pairs = zip(views, views[apart:], strict=False)
    return [correlation_at(a, b, (0,) * a.ndim) for a, b in pairs]


def order_texts(
    frames: Sequence[NDArray[Any]] | NDArray[Any], others: Collection[int] = ()
) -> list[str]:
    """Return sentences about frames that are not one time after the other.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with faults that are named already.
    """
    texts = []
    copies = [number for number in repeats(frames) if number not in others]
    if len(copies) > _REPEATED * len(frames):
        texts.append(
            f"{len(copies)} of {len(frames)} frames are the same as the frame before them to the "
            "bit, as if all were stored several times: motion stands still between them. Leave "
            "the copies out, and correct the time step."
        )
    good = [frame for number, frame in enumerate(frames) if number not in {*others, *copies}]
    if not copies and (period := period_of(good)):
        texts.append(
            f"Every {_WORDS[period]} frame is like the others of its kind, and unlike those "
            "between, as if the channels of an image were read as time points, or what is seen "
            f"moved to and fro and was back every {_WORDS[period]} frame. Read channels as "
            f"{period} channels: the axes may be wrong, and frames of different channels must not "
            "be mixed. A motion to and fro needs more frames per period: frames made between these "
            "can be wrong."
        )
    return texts
