"""Which pixels of raw frames are data: not those of bad frames, and no impossible values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.classic.camera.defects import (
    blank_frames,
    empty_part,
    impossible_voxels,
    lost_lines,
)
from napari_cellinr.classic.camera.hot_clusters import hot_clusters
from napari_cellinr.classic.frames.bad_frames import IN_WORDS, bad_frames
from napari_cellinr.classic.frames.mixed_up import mixed_up_texts
from napari_cellinr.classic.frames.orders import order_texts
from napari_cellinr.classic.frames.repeats import repeats
from napari_cellinr.classic.frames.unsteady import exposure_texts, uneven_exposures
from napari_cellinr.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from napari_cellinr.acquisition.measurement import Measurement
    from napari_cellinr.config.nstm import NSTMConfig
    from napari_cellinr.methods.nstm.plan import Plan

__all__ = [
    "check_enough",
    "frame_warnings",
    "gap_warnings",
    "is_comparable",
    "left_out",
    "unusable_pixels",
    "unusable_warnings",
]

BLANK = "blank (all its pixels have one value)"

_MOST = 0.25
"""Largest part of the frames that are copies by mistake; if there are more, all are meant so."""

LONG = 2.5
"""Time between two frames relative to the median, above which there is a gap."""


def left_out(frames: NDArray[np.float32], patterns: int) -> dict[int, str]:
    """Return what is wrong with the frames that are not to be explained, by their position.

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    patterns
        Number of frames of one set; those of the same pattern are compared. 0 if all differ.
    """
    found = dict.fromkeys(blank_frames(list(frames)), BLANK)
    for pattern in range(patterns):
        places = [n for n in range(pattern, len(frames), patterns) if n not in found]
        bad = bad_frames(frames[places])
        found |= {places[place]: what for place, what in bad.items()}
    return dict(sorted((_stored_twice(frames, patterns) | found).items()))


def _stored_twice(frames: NDArray[np.float32], patterns: int) -> dict[int, str]:
    """Return the frames that are the one before them, or the last one of their pattern.

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    patterns
        Number of frames of one set, of which `bad_frames` compares those of the same pattern only,
        and only if they are many. 0 if all differ.
    """
    if patterns == 1:
        return {}
    copies = {
        number
        for step in {1, patterns or 1}
        for first in range(step)
        for number in np.arange(first, len(frames), step)[repeats(frames[first::step])].tolist()
    }
    return dict.fromkeys(copies, "repeated") if len(copies) <= len(frames) * _MOST else {}


def check_enough(without: Mapping[int, str], n_frames: int) -> None:
    """Raise `DataError` if no frame is left, or a single one of several.

    Parameters
    ----------
    without
        What `left_out` returned.
    n_frames
        Number of frames of the recording.

    Raises
    ------
    DataError
        If fewer than two frames are left, or none of a recording of one frame.
    """
    left = [number for number in range(n_frames) if number not in without]
    if len(left) < min(2, n_frames):
        but = f"frames but frame {left[0] + 1} of {n_frames}" if left else f"{n_frames} frames"
        none = f"all {but} have" if n_frames > 1 else "the only frame has"
        raise DataError(
            f"{none} no data (blank, dark or repeated); a reconstruction from several frames needs "
            "at least 2 that show the specimen. Give more frames."
        )


def unusable_pixels(frames: NDArray[np.float32], without: Mapping[int, str]) -> NDArray[np.bool_]:
    """Return which pixels are not to be explained; shape of the frames.

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    without
        The frames that are left out, from `left_out`.
    """
    bad = np.zeros(frames.shape, bool)
    bad[list(without)] = True
    for frame, pixels in zip(frames, bad, strict=True):
        if pixels.all():
            continue
        for mask in (empty_part(frame), impossible_voxels(frame), lost_lines(frame)):
            if mask is not None:
                pixels |= mask
        if frame.ndim > 2:
            pixels[repeats(frame)] = True
    good = np.delete(frames, list(without), axis=0)
    if (hot := hot_clusters(good.reshape(-1, *frames.shape[-2:]))) is not None:
        bad |= hot
    return bad


def unusable_warnings(bad: NDArray[np.bool_], without: Mapping[int, str]) -> list[str]:
    """Return sentences that name the frames with pixels that are not to be explained.

    Parameters
    ----------
    bad
        What `unusable_pixels` returned.
    without
        What `left_out` returned.
    """
    parts = bad.reshape(len(bad), -1).mean(1)
    texts = [
        f"Frame {number + 1} of {len(bad)} is {IN_WORDS.get(what, what)}; it was left out, and the "
        "motion at its time is that of the frames around it."
        for number, what in without.items()
    ]
    some = (parts > 0) & (parts < 1)
    if some.any():
        planes = ", or planes that repeat the one before" if bad.ndim > 3 else ""
        texts.append(
            f"{int(some.sum())} of {len(bad)} frames {'has' if some.sum() == 1 else 'have'} "
            f"pixels without data or with impossible values{planes} "
            f"({100 * float(parts[some].mean()):.2g} % of them); these were left out."
        )
    return texts


def frame_warnings(
    plan: Plan, config: NSTMConfig, measurement: Measurement, gains: object
) -> list[str]:
    """Return sentences about frames that were left out or are uneven, and about gaps in time.

    Parameters
    ----------
    plan
        Which pixels are no data, and the times.
    config
        The settings.
    measurement
        Raw frames, and what else there is to say of them.
    gains
        True if the brightness of each frame is fitted, so that it may be uneven.
    """
    patterns = config.optics.frames_per_set if is_comparable(config.optics) else 0
    uneven = unsteady_warnings(measurement.frames, patterns, plan.without, gains)
    begins = np.unique(plan.moments.numpy()[:: config.optics.frames_per_set])
    gaps = gap_warnings(begins * (plan.last - plan.first))
    unusable = unusable_warnings(plan.bad, plan.without)
    return [*measurement.warnings, *unusable, *uneven, *gaps]


def is_comparable(optics: Any) -> bool:
    """Return whether frames of one pattern show the same at different times.

    Parameters
    ----------
    optics
        Settings of the microscope.
    """
    return not optics.AXES or any("T" in axes for axes in optics.AXES)


def unsteady_warnings(
    frames: NDArray[np.float32], patterns: int, without: Collection[int], gains: object
) -> list[str]:
    """Return sentences about frames of another brightness as a whole, or of several channels.

    Parameters
    ----------
    frames
        Raw frames, (shots, [Z,] Y, X).
    patterns
        Number of frames of one set; those of the same pattern are compared. 0 if all differ.
    without
        Positions of frames that are left out.
    gains
        True if the brightness of each frame is fitted.
    """
    changes: dict[int, float] = {}
    for pattern in () if gains else range(patterns):
        places = range(pattern, len(frames), patterns)
        others = [place for place, number in enumerate(places) if number in without]
        found = uneven_exposures(frames[pattern::patterns], others)
        changes |= {places[place]: change for place, change in found.items()}
    effect = (
        "one scene of one brightness explains all frames unless gains are fitted, so that the "
        "scene and the motion near it may be wrong. Divide frames by their light, or set "
        "brightness to on."
    )
    texts = exposure_texts(changes, len(frames), effect)
    if patterns != 1:
        return texts
    return [*texts, *(order_texts(frames, without) or mixed_up_texts(frames, without))]


def gap_warnings(times: NDArray[Any]) -> list[str]:
    """Return sentences about gaps between the times of frames, or of sets of frames.

    Parameters
    ----------
    times
        When they begin, increasing.
    """
    steps = np.diff(times)
    if len(steps) < 3:
        return []
    usual = float(np.median(steps))
    return [
        f"There is a gap before frame {number + 2}, {steps[number] / usual:.2g} times as long as "
        "usual; the motion within it is interpolated, and a large one may be wrong."
        for number in np.flatnonzero(steps > LONG * usual)
    ]
