"""Frames in the wrong order, torn frames, and planes of a stack that are dark or displaced.

Only what can be told from what a specimen does: two frames whose exchange makes the whole series go
on evenly, rows that a frame shares with the next one to the bit, and single planes that show what
those above and below show, but darker or elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.unsteady import jumps
from napari_cellinr.classic.frames.views import correlation_at, parts_of, view_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    Frames = Sequence[NDArray[Any]] | NDArray[Any]

__all__ = ["dark_planes", "displaced_planes", "mixed_up_texts", "plane_texts", "swapped", "torn"]

_SMOOTH, _WIDE = 1.5, 5.0  # standard deviations in pixels of a view, of compared structures
_FEWEST = 6  # frames or planes from which one can be told from the others
_FARTHER = 1.3  # least ratio of the distance of frames two apart to that of neighbours
_ORDERLY = 0.8  # least part of the frames for which it is more than 1
_USUAL = 1.5  # largest distance of neighbours in the right order, in the usual one
_MOST = 0.2  # largest part of the frames that are named
_TORN = 0.1, 0.9  # part of the rows that a torn frame shares with the next one
_NOISY = 0.5  # least part of the pixels of a row that noise makes differ from frame to frame, and
# from one to the next in a row: rows that were filled with a value differ in neither
_RARE = 0.02  # largest usual part of the rows that frames share
_DARK = 0.7  # largest brightness of a dark plane relative to those above and below
_SAME = 0.8  # least correlation of a dark plane with them, and of them with each other
_EVEN = 0.15  # largest median deviation of that brightness from part to part
_BLOCKS = 4  # parts of a plane along each axis that are compared in brightness
_LIGHT = 0.1  # least structure of such a part in that of the part with most
_FEWEST_PARTS = 6  # of them with structure: two cells above each other are in fewer


def swapped(frames: Frames, others: Collection[int] = ()) -> list[int]:
    """Return the positions of frames that are in each other's place with the frame after them.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with other faults; none is told beside them.
    """
    n_frames = len(frames)
    if n_frames < _FEWEST:
        return []
    views = [_structures(view_of(frame)) for frame in frames]
    near, far = (
        np.array([_distance(a, b) for a, b in zip(views, views[apart:], strict=False)])
        for apart in (1, 2)
    )
    usual = float(np.median(near))
    if usual <= 0:
        return []
    found = [
        k
        for k in range(1, n_frames - 2)
        if near[k - 1] > _FARTHER * far[k - 1]
        and near[k + 1] > _FARTHER * far[k]
        and max(far[k - 1], far[k]) < _USUAL * usual
        and not {k - 1, k, k + 1, k + 2} & set(others)
    ]
    touched = {k + step for k in found for step in (-2, -1, 0, 1, 2)}
    left = [i for i in range(n_frames - 2) if i not in touched]
    if not left or len(found) > max(1, _MOST * n_frames):
        return []
    ratios = far[left] / np.maximum(near[left], 1e-12)
    is_orderly = np.mean(ratios > 1) >= _ORDERLY and float(np.median(ratios)) >= _FARTHER
    return found if is_orderly else []


def torn(frames: Frames, others: Collection[int] = ()) -> dict[int, tuple[int, int]]:
    """Return the frames of which a part is that of the next frame to the bit.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with other faults, which are not compared.

    Returns
    -------
    dict
        Position of the frame, and its first and last row that are those of the next frame.
    """
    n_frames = len(frames)
    if n_frames < _FEWEST:
        return {}
    pairs = range(n_frames - 1)
    equal = np.array([_equal_part(frames[n], frames[n + 1]) for n in pairs])  # (pairs, rows)
    shared = (equal == 1).mean(axis=1)
    noisy = np.median(equal, axis=0) <= 1 - _NOISY  # rows whose pixels differ in other frames
    if float(np.median(shared)) > _RARE:
        return {}
    found = {}
    for n in pairs:
        rows = np.flatnonzero((equal[n] == 1) & noisy & _is_varied(frames[n]))
        part = len(rows) / equal.shape[1]
        if _TORN[0] <= part <= _TORN[1] and not {n, n + 1} & set(others):
            found[n] = int(rows[0]), int(rows[-1])
    return found if len(found) <= max(1, _MOST * n_frames) else {}


def _equal_part(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return which part of the pixels of each row is equal in two frames."""
    same = np.asarray(one) == np.asarray(other)
    return np.asarray(same.reshape(-1, *same.shape[-2:]).mean(axis=(0, 2)))


def _is_varied(frame: NDArray[Any]) -> NDArray[np.bool_]:
    """Return in which rows of a frame most pixels differ from the one beside them."""
    values = np.asarray(frame)
    values = values.reshape(-1, *values.shape[-2:])
    same = values[..., 1:] == values[..., :-1]
    most = (1 - _NOISY) * same.shape[0] * same.shape[2]
    return np.asarray(same.sum(axis=(0, 2)) <= most)


def mixed_up_texts(frames: Frames, others: Collection[int] = ()) -> list[str]:
    """Return sentences about frames in the wrong order, and torn ones.

    Parameters
    ----------
    frames
        Frames that follow each other, axes [Z,] Y, X each, real.
    others
        Positions of frames with faults that are named already.
    """
    n_frames = len(frames)
    texts = [
        f"Frames {n + 1} and {n + 2} of {n_frames} seem to be in the wrong order: in the other "
        "one, what moves goes on evenly. They are kept as they are, and what is made of them is "
        "wrong if they are: put them in order first."
        for n in swapped(frames, others)
    ]
    return texts + [
        f"Rows {first} to {last} of frame {n + 1} of {n_frames} are those of the next frame to the "
        "bit, as if the frame was torn: a part of it shows another time. It is kept as it is; "
        "leave it out, or do not use what is made beside it."
        for n, (first, last) in torn(frames, others).items()
    ]


def dark_planes(planes: Frames) -> dict[int, float]:
    """Return the planes that are darker than those above and below, which show the same.

    Parameters
    ----------
    planes
        Of one stack, axes Y, X each, real.

    Returns
    -------
    dict
        Position, and the brightness relative to the planes above and below.
    """
    if len(planes) < _FEWEST:
        return {}
    views = [_structures(view_of(plane)) for plane in planes]
    found = {}
    for n in range(1, len(planes) - 1):
        above, own, below = views[n - 1 : n + 2]
        usual = (above + below) / 2
        if min(_alike(own, usual), _alike(above, below)) < _SAME:
            continue
        parts = list(zip(parts_of(own, 1, _BLOCKS), parts_of(usual, 1, _BLOCKS), strict=True))
        most = max(float(part.std()) for _, part in parts)
        factors = np.array(
            [(a * b).sum() / (b * b).sum() for a, b in parts if b.std() > _LIGHT * most]
        )
        if len(factors) < _FEWEST_PARTS:
            continue
        factor = float(np.median(factors))
        first, second = (float(one.std()) for one in (above, below))
        is_even = float(np.median(np.abs(factors - factor))) <= _EVEN * factor
        if is_even and own.std() < _DARK * min(first, second) and 0 < factor < _DARK:
            found[n] = factor
    return found if len(found) <= max(1, _MOST * len(planes)) else {}


def displaced_planes(planes: Frames) -> dict[int, tuple[float, float]]:
    """Return the planes that are displaced sideways from those above and below.

    Parameters
    ----------
    planes
        Of one stack, axes Y, X each, real.

    Returns
    -------
    dict
        Position, and the displacement in pixels, (rows, columns).
    """
    if len(planes) < _FEWEST:
        return {}
    steps = {jump.after: np.subtract(jump.shift, jump.usual) for jump in jumps(planes)}
    found = {}
    for before, there in steps.items():
        back = steps.get(before + 1)
        if back is not None and np.linalg.norm(there + back) <= 0.34 * np.linalg.norm(there):
            found[before + 1] = (float(there[0]), float(there[1]))
    return found


def plane_texts(stack: NDArray[Any]) -> list[str]:
    """Return sentences about planes of a stack that do not fit to those above and below.

    Parameters
    ----------
    stack
        Axes Z, Y, X, real.
    """
    dark, displaced = dark_planes(stack), displaced_planes(stack)
    kept = "it is kept, and planes made beside it show a part of that."
    texts = [
        f"Plane {n} (counted from 0) is darker than those above and below, which show the same "
        f"({100 * factor:.0f} % of their brightness), as if the lamp or the exposure was another; "
        f"{kept}"
        for n, factor in dark.items()
    ]
    return texts + [
        f"Plane {n} (counted from 0) is displaced sideways from those above and below (by "
        f"{round(shift[0])}, {round(shift[1])} pixels, y, x), as if the stage moved; {kept}"
        for n, shift in displaced.items()
    ]


def _structures(view: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the structures of a view between two scales."""
    return np.asarray(gaussian_filter(view, _SMOOTH) - gaussian_filter(view, _WIDE))


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return correlation_at(one, other, (0, 0))


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return 1 - _alike(one, other)
