"""Frames of a series that show nothing new, such as blank, dark, repeated or incomplete ones.

Others take their place. Planes, rows and columns that were lost are taken from their neighbours.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import maximum_filter

from napari_cellinr.classic.camera.defects import (
    blank_frames,
    empty_part,
    impossible_voxels,
    interpolated,
    lost_lines,
)
from napari_cellinr.classic.camera.hot_clusters import hot_clusters, hot_text
from napari_cellinr.classic.frames.bad_frames import IN_WORDS, bad_frames
from napari_cellinr.classic.frames.repeats import repeats
from napari_cellinr.text import number_list

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "FAULTS",
    "fault_warnings",
    "faulty_frames",
    "good_neighbours",
    "unreplaced_warnings",
    "without_faulty",
    "without_impossible_voxels",
    "without_lost_parts",
]

FAULTS: Final = {
    kind: text for kind, text in IN_WORDS.items() if kind not in {"blurred", "saturated"}
} | {
    "blank": "blank",
    "incomplete": "incomplete (a part of it has no data)",
}
"""What counts as a fault, in words; a blurred or saturated frame still shows something."""

_LACKING: Final = 0.02  # part of a frame that only this frame lacks, above which it is incomplete
_PARTLY: Final = 0.1  # largest part without data of a line next to those that were lost
_MOVED: Final = 0.1  # largest part of its size by which registration moves one frame
_MOST: Final = 0.25  # largest part of the frames; if more lack something, the series is like that

_IN_PLACE = {
    True: "a plane interpolated along Z takes its place",
    False: "planes interpolated along Z take their place",
}
"""What is done about one plane, and about several."""


def faulty_frames(
    frames: NDArray[np.float32], bad: Mapping[int, str] | None = None
) -> dict[int, str]:
    """Return what is wrong with frames that show nothing new, by their position from 0.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape). A frame that repeats the one before it is faulty only in a
        noisy series: without noise, nothing may have moved.
    bad
        What `bad_frames` returns for these frames, if it is known.
    """
    bad = bad_frames(frames) if bad is None else bad
    found = {n: kind for n, kind in bad.items() if kind in FAULTS}
    found |= dict.fromkeys(blank_frames(list(frames)), "blank")
    found = dict.fromkeys(_incomplete(frames, found), "incomplete") | found
    return dict(sorted(found.items())) if len(found) < len(frames) - 1 else {}


def without_faulty(frames: NDArray[np.float32], faulty: Collection[int]) -> NDArray[np.float32]:
    """Return the frames with the nearest good one in place of each faulty one, until more is known.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape).
    faulty
        Positions of the faulty frames, not all.
    """
    if not faulty:
        return frames
    near = [
        good_neighbours(n, faulty, len(frames))[0] if n in faulty else n for n in range(len(frames))
    ]
    return frames[near]


def _incomplete(frames: NDArray[np.float32], others: Collection[int]) -> list[int]:
    """Return the frames that lack rows, columns or planes that those before and after them have.

    Never the first or last frame: that it lacks what one frame has may be a motion. Neither those
    with a border that is a little wider than that of others, as in a registered series.
    """
    masks = {
        number: lost
        for number, frame in enumerate(frames)
        if number not in others
        and (mask := empty_part(frame)) is not None
        and (lost := _whole_lines(mask)).any()
    }
    good = [number for number in range(len(frames)) if number not in others]
    found = []
    for before, number, after in zip(good, good[1:], good[2:], strict=False):
        if (mask := masks.get(number)) is None:
            continue
        others_lack = [masks.get(n, np.zeros_like(mask)) for n in (before, after)]
        reach = [2 * math.ceil(_MOVED * size) + 1 for size in mask.shape]
        wider = [maximum_filter(m, reach, mode="constant", cval=1) for m in others_lack]
        if min((mask & ~m).mean() for m in wider) > _LACKING:
            found.append(number)
    return found if len(found) <= max(1, _MOST * len(frames)) else []


def _whole_lines(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the voxels without data are in rows, columns or planes that were lost.

    Lines next to lost ones have data over their whole length. Beside a masked object, they are
    as empty as the mask.

    Parameters
    ----------
    empty
        Where there is no data, axes ZYX or YX.
    """
    lost = np.zeros(empty.shape, bool)
    planes = empty.reshape(-1, *empty.shape[-2:])
    for plane, mark in zip(planes, lost.reshape(planes.shape), strict=True):
        if plane.all():
            continue
        rows, columns = (_bordered(plane, axis) for axis in (1, 0))
        mark |= rows[:, None] | columns
    flat = (empty & ~lost).reshape(len(planes), -1)
    if empty.ndim > 2:
        whole = np.asarray(planes.all(axis=(1, 2)))
        lost[_between_data(whole, flat.mean(axis=1))] = True
    return lost


def _bordered(plane: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return which lines along an axis of a plane are lost, without looking at lost lines across.

    Parameters
    ----------
    plane
        Where there is no data, not everywhere.
    axis
        0 for columns, 1 for rows.
    """
    across = plane.all(axis=1 - axis)
    kept = np.compress(~across, plane, axis=axis)
    return _between_data(np.asarray(plane.all(axis=axis)), kept.mean(axis=axis))


def _between_data(whole: NDArray[np.bool_], part: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the lines without any data next to which are lines with data almost everywhere.

    Parameters
    ----------
    whole
        Lines without any data.
    part
        Part of each line without data.
    """
    found = np.zeros_like(whole)
    for start, stop in _runs(whole):
        beside = [part[n] for n in (start - 1, stop) if 0 <= n < len(whole)]
        found[start:stop] = bool(beside) and max(beside) <= _PARTLY
    return found


def _runs(lines: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first line of each run of lines that are true, and the one after the last."""
    ends = np.flatnonzero(np.diff(np.concatenate(([False], lines, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(ends[::2], ends[1::2], strict=True)]


def without_lost_parts(
    frames: NDArray[np.float32], without: Collection[int]
) -> tuple[NDArray[np.float32], list[str]]:
    """Return the frames with lost planes, rows and columns interpolated, and what to say of them.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape).
    without
        Positions of frames that are not looked at.
    """
    looked_at = [number for number in range(len(frames)) if number not in without]
    found = {n: _lost_planes(frames[n]) for n in looked_at}
    planes = {n: lost for n, (lost, _) in found.items() if lost}
    texts = _kept_text({n: kept for n, (_, kept) in found.items() if kept}, len(frames))
    copies = {n: own for n in looked_at if (own := _copied_planes(frames[n], planes.get(n, ())))}
    lines = {n: mask for n in looked_at if (mask := lost_lines(frames[n])) is not None}
    shown = frames[looked_at].reshape(-1, *frames.shape[-2:])
    hot = hot_clusters(shown)
    if not planes and not copies and not lines and hot is None:
        return frames, texts
    repaired = frames.copy()
    if hot is not None:
        texts.append(hot_text(hot))
        mask = np.broadcast_to(hot, frames.shape[1:])
        frames = np.stack([interpolated(frame, mask) for frame in frames])
        repaired = frames.copy()
    for number, mask in lines.items():
        repaired[number] = interpolated(frames[number], mask)
    for number in sorted({*planes, *copies}):
        lost = sorted({*planes.get(number, ()), *copies.get(number, ())})
        repaired[number] = _without_planes(repaired[number], lost)
    if copies:
        one, named = _planes(copies)
        what = "a plane that is" if one else "planes that are"
        texts.append(
            f"{_named(sorted(copies), len(frames))} {what} the same as the plane before "
            f"{'it' if one else 'them'} to the bit, as if stored twice ({named}); "
            f"{_IN_PLACE[one]}."
        )
    if planes:
        one, named = _planes(planes)
        texts.append(
            f"{_named(sorted(planes), len(frames))} {'a plane' if one else 'planes'} without data, "
            f"or with a part without data ({named}); {_IN_PLACE[one]}."
        )
    if lines:
        texts.append(
            f"{_named(sorted(lines), len(frames))} rows or columns of one value only, as if they "
            "were lost in readout; they were replaced by their neighbours."
        )
    return repaired, texts


def without_impossible_voxels(
    frames: NDArray[np.float32],
) -> tuple[NDArray[np.float32], list[str]]:
    """Return the frames with impossible voxels interpolated, and what to say of them.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape).
    """
    masks = {
        n: mask for n, frame in enumerate(frames) if (mask := impossible_voxels(frame)) is not None
    }
    if not masks:
        return frames, []
    repaired = frames.copy()
    for number, mask in masks.items():
        repaired[number] = interpolated(frames[number], mask)
    n_voxels = sum(int(mask.sum()) for mask in masks.values())
    one = n_voxels == 1
    what = "one voxel of an impossible value" if one else "voxels of impossible values"
    return repaired, [
        f"{_named(sorted(masks), len(frames))} {what}{'' if one else f' ({n_voxels} in all)'}, far "
        f"outside of all others; {'it was' if one else 'they were'} replaced by "
        f"{'its' if one else 'their'} neighbours."
    ]


def _planes(planes: Mapping[int, Sequence[int]]) -> tuple[bool, str]:
    """Return whether it is the same plane in all frames, and the planes by number, from 1."""
    numbers = sorted({plane + 1 for own in planes.values() for plane in own})
    one = len(numbers) == 1
    return one, f"plane{'s' * (not one)} {number_list(numbers)}"


def _kept_text(planes: Mapping[int, Sequence[int]], n_frames: int) -> list[str]:
    """Return a sentence about planes without data at an end of a stack, which stay."""
    if not planes:
        return []
    one, named = _planes(planes)
    it, were = ("it", "it was") if one else ("them", "they were")
    return [
        f"{_named(sorted(planes), n_frames)} {'a plane' if one else 'planes'} without data at an "
        f"end of the stack ({named}); {'it stays' if one else 'they stay'}, since there may be no "
        f"specimen. If {were} lost, finer planes next to {it} are too dark: leave {it} out with "
        "a crop."
    ]


def _copied_planes(frame: NDArray[np.float32], lost: Sequence[int]) -> list[int]:
    """Return the planes of a volume that repeat the one before them; none if no other is left."""
    copies = repeats(frame) if frame.ndim > 2 else []
    return copies if len({*copies, *lost}) < len(frame) - 1 else []


def _lost_planes(frame: NDArray[np.float32]) -> tuple[list[int], list[int]]:
    """Return the planes of a volume that lack what those on both sides have; none of a plane.

    Dark planes at the ends of a stack stay: there may be no specimen. Saturated ones do not.

    Returns
    -------
    list of int
        The planes that were lost.
    list of int
        Those at an end that stay.
    """
    if frame.ndim < 3 or len(frame) < 3 or (empty := empty_part(frame)) is None:
        return [], []
    whole = np.asarray(_whole_lines(empty).all(axis=(1, 2)))
    lost: list[int] = []
    kept: list[int] = []
    darkest = frame.min()
    for first, stop in _runs(whole):
        if (first > 0 and stop < len(frame)) or frame[first].min() > darkest:
            lost += range(first, stop)
        else:
            kept += range(first, stop)
    empty_planes = np.flatnonzero(empty.all(axis=(1, 2)))
    return sorted({*lost, *_incomplete(frame, [int(plane) for plane in empty_planes])}), kept


def _without_planes(volume: NDArray[np.float32], lost: Sequence[int]) -> NDArray[np.float32]:
    """Return a volume in which planes are interpolated from the nearest others along Z."""
    repaired = volume.copy()
    for plane in lost:
        first, last = good_neighbours(plane, lost, len(volume))
        part = (plane - first) / (last - first) if last > first else 0.0
        repaired[plane] = (1 - part) * volume[first] + part * volume[last]
    return repaired


def _named(numbers: Sequence[int], n_frames: int) -> str:
    """Return which frames have something, as the begin of a sentence."""
    if len(numbers) == n_frames:
        return "The image has" if n_frames == 1 else "All frames have"
    shown = number_list([number + 1 for number in numbers])
    return f"Frame {shown} has" if len(numbers) == 1 else f"Frames {shown} have"


def unreplaced_warnings(frames: NDArray[np.float32]) -> list[str]:
    """Return a sentence about blank frames of a series of which fewer than two others are left.

    Parameters
    ----------
    frames
        Of one channel, (T, *shape), in which no frame is replaced.
    """
    blank = blank_frames(list(frames))
    if not blank:
        return []
    return [
        f"{_named(blank, len(frames))} one value only; fewer than two other frames are left, so "
        "that nothing can take their place, and the frames between them show a part of them."
    ]


def fault_warnings(faults: Mapping[int, str], n_frames: int) -> list[str]:
    """Return a sentence for each faulty frame.

    Parameters
    ----------
    faults
        From `faulty_frames`.
    n_frames
        Of the series.
    """
    texts = []
    for number, kind in faults.items():
        before, after = good_neighbours(number, faults, n_frames)
        instead = (
            f"frame {before + 1} takes its place"
            if before == after
            else "a frame made from its neighbours takes its place"
        )
        texts.append(
            f"Frame {number + 1} of {n_frames} is {FAULTS[kind]}: it was left out, and {instead}."
        )
    return texts


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
