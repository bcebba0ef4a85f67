"""Frames that do not belong between those before and after them, which are like each other.

Such a frame shows something else everywhere, as one of another recording or of a damaged file, or
has another exposure. What a specimen does is not strange: a jump or a new brightness lasts, and an
object that flashes, appears or leaves changes the frame in places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from napari_cellinr.classic.camera.defects import empty_part
from napari_cellinr.classic.frames.views import overlap, parts_of, shift_of, view_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

__all__ = ["strange_frames"]

_SMOOTH, _WIDE = 1.5, 5.0  # standard deviations in those pixels of the Gaussian means between
# which structures are compared
_ALIKE = 0.6  # least correlation of the frames before and after
_UNLIKE = 0.6  # largest correlation with either of them, in theirs with each other
_PART = 16  # least size of a part in those pixels in which images are correlated
_FEWEST = 3  # parts along each axis from which chance can be told
_HIDDEN = 0.25  # largest part without data
_STRUCTURE = 0.1  # least variance of a part, in that of the part with most, to be looked at
_KNOWN = 0.5  # part of its pixels, and of the parts, that must not be hidden by a bright object
_NEAR = 7  # pixels around those without data in which these are seen in a mean
_FACTOR = 4.0  # brightness relative to both of them, or less than its inverse
_BLOCKS = 4  # parts of a frame along each axis that are compared in brightness
_LIT = 0.5  # least part of them that has to have light
_MOST = 0.9  # least part of those that has to have another brightness
_LIGHT = 0.02  # least light of such a part in the range of grey levels


def strange_frames(
    frames: Sequence[NDArray[Any]] | NDArray[Any], others: Collection[int]
) -> dict[int, str]:
    """Return which frames do not belong between those around them, by their position.

    The first and the last frame never count: what they show may have changed.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with other faults, which are not compared.

    Returns
    -------
    dict
        Position, and a word: `bright`, `dim` or `unlike`.
    """
    good = [number for number in range(len(frames)) if number not in others]
    views = {number: view_of(frames[number]) for number in good}
    empty = {number: _empty(frames[number]) for number in good}
    found: dict[int, str] = {}
    for before, number, after in zip(good, good[1:], good[2:], strict=False):
        three = [views[n] for n in (number, before, after)]
        masks = [mask for n in (number, before, after) if (mask := empty[n]) is not None]
        hidden = np.any(masks, axis=0) if masks else np.zeros(three[0].shape, bool)
        if hidden.mean() > 1 - _KNOWN:
            continue
        for view in three if masks else ():
            view[hidden] = view[~hidden].mean()
        if kind := _exposure(three[0], three[1], three[2]):
            found[number] = kind
        elif _is_unlike(three[0], three[1], three[2], maximum_filter(hidden, _NEAR)):
            found[number] = "unlike"
    return found


def _empty(frame: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where a view has no data in some plane; None if it has data everywhere."""
    mask = empty_part(np.asarray(frame))
    return None if mask is None else view_of(mask) > 0


def _exposure(
    view: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> str:
    """Return whether a frame is `bright` or `dim` in nearly all parts with light, else nothing."""
    parts = [_block_means(one) for one in (view, before, after)]
    smooth = [gaussian_filter(one, _SMOOTH) for one in (before, after)]
    floor = min(float(one.min()) for one in smooth)
    least = _LIGHT * (max(float(one.max()) for one in smooth) - floor)
    own, first, second = (part - floor for part in parts)
    usual, largest = np.minimum(first, second), np.maximum(first, second)
    lit = (largest > least) | (np.abs(own) > least)
    if lit.mean() >= _LIT:
        if (own < usual / _FACTOR)[lit].mean() >= _MOST:
            return "dim"
        if (own > largest * _FACTOR)[lit].mean() >= _MOST:
            return "bright"
    return ""


def _block_means(view: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each of the parts of a frame."""
    return np.array([part.mean() for part in parts_of(view, 1, _BLOCKS)])


def _is_unlike(
    view: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    hidden: NDArray[np.bool_],
) -> bool:
    """Return whether a frame lacks what the frames before and after it have in common.

    Most parts have to lack it, so that an object that flashes does not count. Where it is brighter
    than anything in those frames, it hides what is there; so do pixels without data.
    """
    if min(view.shape) < _FEWEST * _PART or hidden.mean() > _HIDDEN:
        return False
    low, high = min(before.min(), after.min()), max(before.max(), after.max())
    own, first, second = (
        gaussian_filter(one, _SMOOTH) - gaussian_filter(one, _WIDE)
        for one in (np.clip(view, low, high), before, after)
    )
    own[hidden | (gaussian_filter(view, _SMOOTH) > high)] = np.nan
    first[hidden] = second[hidden] = 0
    if np.isfinite(own).mean() <= _KNOWN:
        return False
    alike = _correlation(first, np.where(hidden, np.nan, second))
    limit = _UNLIKE * alike
    return alike >= _ALIKE and all(_correlation(one, own) < limit for one in (first, second))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the median correlation of the parts with structure, not moved or moved as a whole.

    If moved, by up to half of the frame, where the whole correlates best. 1 if most of those parts
    are not known.

    Parameters
    ----------
    one
        Values of a frame.
    other
        Those of another, NaN where they are not known.
    """
    centred = [np.nan_to_num(values - np.nanmean(values)) for values in (one, other)]
    shift = shift_of(centred[0], centred[1])
    return max(_at_shift(one, other, (0, 0)), _at_shift(one, other, shift))


def _at_shift(one: NDArray[np.float64], other: NDArray[np.float64], shift: Sequence[int]) -> float:
    """Return the median correlation if the second has moved by a shift."""
    first, second = overlap(one, other, shift)
    pairs = list(
        zip(parts_of(first, _PART, _BLOCKS), parts_of(second, _PART, _BLOCKS), strict=True)
    )
    most = max(float(part.var()) for part, _ in pairs)
    pairs = [(part, own) for part, own in pairs if part.var() > _STRUCTURE * most]
    found = [_of_part(part, own) for part, own in pairs if np.isfinite(own).mean() > _KNOWN]
    return float(np.median(found)) if len(found) > _KNOWN * len(pairs) else 1.0


def _of_part(part: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    """Return the correlation of the pixels that are known."""
    known = np.isfinite(own)
    first, second = part[known], own[known]
    if min(first.std(), second.std()) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
