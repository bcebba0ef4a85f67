"""Series that are unsteady as a whole: another exposure or light, and jumps of the stage.

What a specimen does changes frames in places. Here, nearly all parts of a frame with light become
brighter or darker at once, or everything moves by the same distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.views import correlation_at, overlap, parts_of, shift_of, view_of
from napari_cellinr.text import number_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Jump", "exposure_texts", "jump_texts", "jumps", "uneven_exposures"]

_FEWEST = 4  # frames from which one can be told from the others
_SMALLEST = 64  # pixels of the shorter axis; all of a single cell in less may change, or move
_SMOOTH, _WIDE = (
    1.5,
    5.0,
)  # standard deviations in pixels of a view, of structures that are followed
_BLOCKS = 4  # parts of a frame along each axis that are compared in brightness
_LIT = 0.5  # least part of them that has to have light
_MOST = 0.9  # least part of those that changes in the same direction
_LIGHT = 0.02  # least light of such a part in the range of grey levels
_CHANGE = 0.15  # least change of the light, relative to that of the frames before and after
_ALONE = 1.5  # least change relative to half of the difference between the frames before and after
_LESS = 0.75  # change relative to that of a neighbour, below which it is the neighbour's
_FAR = 3.0  # least distance of a jump in pixels of a view, beyond the usual one
_RARE = 6.0  # the same in median deviations of the movement from frame to frame
_ALIKE = 0.6  # least correlation of frames before and after a jump, moved by it
_BETTER = 0.2  # by how much that correlation is larger than without the jump
_LONGEST = 0.25  # longest jump in the size of a frame: where both overlap less, structures agree
# by chance
_QUARTERS, _AGREE = 3, 0.4  # least number of quarters of a frame that have structures, and least
# correlation in each of them, moved by the jump; one cell that moves is in fewer
_STRUCTURE = 0.01  # variance of a quarter with structures in the largest one
_FEW = 0.25  # largest part of the frames that are named one by one
_MOST_JUMPS = 0.34  # largest part of the intervals; if there are more, the series is like that


@dataclass(frozen=True)
class Jump:
    """A movement of the whole image between two frames that is unlike those around it.

    Parameters
    ----------
    after
        Position of the frame after which it happens.
    shift
        In pixels, (rows, columns).
    usual
        Of the other intervals.
    """

    after: int
    shift: tuple[float, float]
    usual: tuple[float, float]


def uneven_exposures(
    frames: Sequence[NDArray[Any]] | NDArray[Any], others: Collection[int] = ()
) -> dict[int, float]:
    """Return the frames that are brighter or darker as a whole than those before and after them.

    The first and the last frame never count, nor does a change that lasts, such as bleaching.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with other faults, which are not compared.

    Returns
    -------
    dict
        Position, and the change of the light relative to that of the frames before and after, such
        as -0.5 for half of it.
    """
    good = _compared(frames, others)
    if not good:
        return {}
    views = [view_of(frames[number]) for number in good]
    inside = range(1, len(good) - 1)
    changes = {n: _change(views[n], views[n - 1], views[n + 1]) for n in inside}
    beside = {n: max(abs(changes.get(n + side, 0.0)) for side in (-1, 1)) for n in inside}
    return {
        good[n]: change
        for n, change in changes.items()
        if abs(change) >= max(_CHANGE, _LESS * beside[n])
    }


def _change(
    view: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> float:
    """Return the change of the light if nearly all parts with light have it, else 0."""
    smooth = [gaussian_filter(one, _SMOOTH) for one in (before, after)]
    floor = min(float(one.min()) for one in smooth)
    least = _LIGHT * (max(float(one.max()) for one in smooth) - floor)
    own, first, second = (
        np.array([part.mean() for part in parts_of(one, 1, _BLOCKS)])
        for one in (view, before, after)
    )
    usual = (first + second) / 2
    lit = usual - floor > least
    if lit.mean() < _LIT:
        return 0.0
    apart, trend = (own - usual)[lit], (second - first)[lit] / 2
    change = float(np.median(apart))
    together = (np.sign(apart) == np.sign(change)).mean() >= _MOST
    if not together or abs(change) < _ALONE * abs(float(np.median(trend))):
        return 0.0
    return max(-1.0, change / float(np.median((usual - floor)[lit])))  # an offset may go, too


def jumps(
    frames: Sequence[NDArray[Any]] | NDArray[Any], others: Collection[int] = ()
) -> list[Jump]:
    """Return where the whole image jumps, as when a stage moves, in the order of the frames.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with other faults, which are not compared.
    """
    good = _compared(frames, others)
    if not good:
        return []
    views = [_structures(view_of(frames[number])) for number in good]
    shifts = np.array([shift_of(a, b) for a, b in pairwise(views)], float)
    usual = np.median(shifts, axis=0)
    apart = np.linalg.norm(shifts - usual, axis=1)
    limit = max(_FAR, _RARE * float(np.median(apart)))
    shape = np.asarray(frames[good[0]]).shape[-2:]
    zoom = [n / m for n, m in zip(shape, views[0].shape, strict=True)]
    found = []
    for place in np.flatnonzero(apart > limit):
        pair, shift = (views[place], views[place + 1]), tuple(map(int, shifts[place]))
        there = correlation_at(*pair, shift)
        here = correlation_at(*pair, tuple(map(int, np.rint(usual))))
        if there >= _ALIKE and there > here + _BETTER and _moves_all(*pair, shift):
            moved = tuple(float(s * z) for s, z in zip(shifts[place], zoom, strict=True))
            other = tuple(float(s * z) for s, z in zip(usual, zoom, strict=True))
            found.append(Jump(good[place], (moved[0], moved[1]), (other[0], other[1])))
    return found if len(found) <= max(2, _MOST_JUMPS * len(shifts)) else []


def _compared(frames: Sequence[NDArray[Any]] | NDArray[Any], others: Collection[int]) -> list[int]:
    """Return the positions of the frames that are compared; none if they are few, or small."""
    good = [number for number in range(len(frames)) if number not in others]
    is_enough = len(good) >= _FEWEST and min(np.shape(frames[good[0]])[-2:]) >= _SMALLEST
    return good if is_enough else []


def _moves_all(
    one: NDArray[np.float64], other: NDArray[np.float64], shift: tuple[int, ...]
) -> bool:
    """Return whether a shift moves most quarters of a view, not just what one of them shows."""
    if any(abs(s) > _LONGEST * n for s, n in zip(shift, one.shape, strict=True)):
        return False
    first, second = (parts_of(part, 1, 2) for part in overlap(one, other, shift))
    most = max(float(part.var()) for part in first)
    agreed = [
        correlation_at(a, b, (0, 0))
        for a, b in zip(first, second, strict=True)
        if a.var() > _STRUCTURE * most
    ]
    return len(agreed) >= _QUARTERS and min(agreed) >= _AGREE


def _structures(view: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the structures of a view between two scales."""
    return np.asarray(gaussian_filter(view, _SMOOTH) - gaussian_filter(view, _WIDE))


def exposure_texts(changes: Mapping[int, float], n_frames: int, effect: str) -> list[str]:
    """Return sentences about frames with another exposure or light.

    Parameters
    ----------
    changes
        From `uneven_exposures`.
    n_frames
        Of the series.
    effect
        What follows, as the end of a sentence.
    """
    if not changes:
        return []
    if len(changes) > max(1, _FEW * n_frames):
        size = 100 * float(np.median(np.abs(list(changes.values()))))
        return [
            f"The light of whole frames changes from frame to frame (by {size:.0f} % beyond their "
            f"darkest parts, such as in frames {number_list([n + 1 for n in sorted(changes)])}), "
            f"as if the lamp or the exposure flickered; {effect}"
        ]
    return [
        f"Frame {number + 1} of {n_frames} is {'brighter' if change > 0 else 'darker'} as a whole "
        f"than the frames before and after it (by {100 * abs(change):.0f} % beyond their darkest "
        f"parts), as if its exposure or the lamp was another; {effect}"
        for number, change in sorted(changes.items())
    ]


def jump_texts(found: Sequence[Jump]) -> list[str]:
    """Return sentences about jumps of the whole image, of super-resolved frames.

    Parameters
    ----------
    found
        From `jumps`.
    """
    return [
        f"Between frames {jump.after + 1} and {jump.after + 2} the whole image moves by "
        f"{_pixels(jump.shift)} pixels, between others by {_pixels(jump.usual)} (y, x), as if the "
        "stage moved or a frame was displaced; frames made there can be wrong. Register the "
        "series first, or do not use them."
        for jump in found
    ]


def _pixels(shift: tuple[float, float]) -> str:
    return ", ".join(f"{value + 0.0:.0f}" for value in shift)
