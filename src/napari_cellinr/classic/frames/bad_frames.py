"""Frames of a recording that are unlike those around them: dark, blurred, repeated and others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.frames.repeats import repeats
from napari_cellinr.classic.frames.strange_frames import strange_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["IN_WORDS", "bad_frames", "is_noise"]

IN_WORDS = {
    "dark": "dark",
    "saturated": "saturated",
    "blurred": "blurred",
    "repeated": "the same as the frame before it",
    "noise": "noise alone, stronger than in other frames",
    "unlike": "unlike the frames before and after it, which are like each other",
    "bright": "many times brighter than the frames before and after it",
    "dim": "many times darker than the frames before and after it",
}
"""What a frame is, in messages, by the word for it."""

_FEWEST = 4
"""Number of frames from which one can be told from the others."""

_MOST = 0.25
"""Largest part of the frames that can be bad; if there are more, the recording is like that."""

_NEAR = 3
"""Number of frames before and after a frame with which it is compared."""

_DARK = 0.3
"""Contrast relative to that of the frames before and after it, below which a frame is dark."""

_CLIPPED = 0.05
"""Part of the pixels with the highest value of the frame, above which it is saturated, unless the
frames around it have at least half as many."""

_PILED = 2.0
"""Number of pixels with the highest value relative to those with the next lower one, from which
values are cut off: few photons have more pixels with each lower number."""

_BLURRED = 0.6
"""Sharpness relative to that of the frames around it, below which a frame is blurred."""

_FAINTER = 0.8
"""Fine structures relative to those of the frames around it, above which a frame is not blurred,
but has more of coarse ones, as when a large object lights up."""

_RARE = 4.0
"""The same in standard deviations of the logarithm of the sharpness from frame to frame."""

_NOISIER = 3.0
"""Noise relative to that of each of the frames around it, from which a frame of noise alone has
another source than the camera."""

_SEEN = 2.0
"""Contrast relative to that of white noise alone, above which a frame shows something."""

_FINE, _COARSE = 1.0, 2.0
"""Standard deviations in pixels of the Gaussian means between which structures are fine."""


def bad_frames(frames: Sequence[NDArray[Any]] | NDArray[Any]) -> dict[int, str]:
    """Return what is wrong with frames that are unlike the others, by their position.

    Each frame is compared with three frames before and after it, so that bleaching and slow
    changes of the focus are not taken for faults.

    Parameters
    ----------
    frames
        Frames of the same kind that follow each other, axes [Z,] Y, X each, real. Two frames with
        noise that are exactly the same are a repetition, since each has noise of its own.

    Returns
    -------
    dict
        Position, and a word: `dark`, `saturated`, `blurred`, `repeated`, `noise` (and no more),
        `bright`, `dim`, or `unlike` (another image than those before and after it). Empty if there
        are fewer than four frames, or if it would be more than a quarter of them; without the last
        three kinds if it would be more with them.
    """
    if len(frames) < _FEWEST:
        return {}
    found: dict[int, str] = {}
    contrast, sharpness, noise = _structure(frames)
    clipped, repeated = _highest(frames), set(repeats(frames))
    for number in range(len(frames)):
        if number in repeated:
            found[number] = "repeated"
        elif np.isnan(sharpness[number]) and noise[number] > _NOISIER * _most(noise, number) > 0:
            found[number] = "noise"
        elif contrast[number] < _DARK * _beside(contrast, number) and np.isnan(sharpness[number]):
            found[number] = "dark"
        elif clipped[number] > max(_CLIPPED, 2 * _around(clipped, number)):
            found[number] = "saturated"
    more = found | strange_frames(frames, found)
    # many strange frames are how a series is, which leaves the others as faulty as they are
    every, others = (one | _blurred(sharpness, contrast, one) for one in (more, found))
    return _few(every, len(frames)) or _few(others, len(frames))


def is_noise(frame: NDArray[Any]) -> bool:
    """Return whether a frame, axes [Z,] Y, X, shows no more than white noise does."""
    return bool(np.isnan(_structure([frame])[1][0]))


def _few(found: dict[int, str], n_frames: int) -> dict[int, str]:
    """Return what was found, unless it is more than can be exceptions."""
    return dict(sorted(found.items())) if len(found) <= max(1, _MOST * n_frames) else {}


def _around(values: NDArray[Any], number: int) -> float:
    """Return the median of the values before and after one of them."""
    return float(np.median(_near(values, number)))


def _most(values: NDArray[Any], number: int) -> float:
    """Return the highest of the values before and after one of them."""
    return float(_near(values, number).max())


def _near(values: NDArray[Any], number: int) -> NDArray[Any]:
    """Return the values before and after one of them."""
    first = max(0, number - _NEAR)
    return np.concatenate([values[first:number], values[number + 1 : number + 1 + _NEAR]])


def _beside(values: NDArray[Any], number: int) -> float:
    """Return the lower one of the highest values before and after one of them.

    So the first frames after an object has left the image are not dark beside those before.
    """
    before = values[max(0, number - _NEAR) : number]
    after = values[number + 1 : number + 1 + _NEAR]
    if not (len(before) and len(after)):
        return _around(values, number)
    return float(min(before.max(), after.max()))


def _blurred(
    sharpness: NDArray[Any], contrast: NDArray[Any], others: dict[int, str]
) -> dict[int, str]:
    """Return the frames that are less sharp than usual changes of the sharpness explain."""
    usable = np.flatnonzero(np.isfinite(sharpness))
    good = [int(number) for number in usable if number not in others]
    levels = np.log(np.maximum(sharpness[good], 1e-6))
    if len(levels) < _FEWEST:
        return {}
    usual = float(np.median(np.abs(np.diff(levels)))) / 0.6745
    limit = max(-np.log(_BLURRED), _RARE * usual)
    below = [_around(levels, place) - levels[place] for place in range(len(levels))]
    fine = (sharpness * contrast)[good]
    fainter = [fine[place] < _FAINTER * _around(fine, place) for place in range(len(fine))]
    found = np.flatnonzero((np.array(below) > limit) & fainter)
    return {good[place]: "blurred" for place in found}


def _structure(
    frames: Sequence[NDArray[Any]] | NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return contrast and sharpness of every frame: the energy of coarse, and of fine structures.

    And its white noise. The fine structures are those between two Gaussian means, without what
    white noise adds; the sharpness is relative to the contrast, and NaN where noise alone explains
    the contrast.
    """
    contrast, sharpness = np.zeros(len(frames)), np.full(len(frames), np.nan)
    white = np.zeros(len(frames))
    gain, rest = _gains_of_noise()
    for number, frame in enumerate(frames):
        values = frame.astype(np.float64)
        fine, coarse = (gaussian_filter(values, _sigmas(values, s)) for s in (_FINE, _COARSE))
        contrast[number] = coarse.std()
        white[number] = _noise_of(values)
        noise = white[number] ** 2
        energy = max(float(np.var(fine - coarse)) - gain * noise, 0.0)
        if contrast[number] > _SEEN * np.sqrt(rest * noise):
            sharpness[number] = np.sqrt(energy) / contrast[number]
    return contrast, sharpness, white


def _sigmas(values: NDArray[Any], sigma: float) -> tuple[float, ...]:
    """Return a standard deviation for the axes of the plane only."""
    return (*(0.0,) * (values.ndim - 2), sigma, sigma)


def _gains_of_noise() -> tuple[float, float]:
    """Return the variance of white noise of variance 1 between both Gaussian means, and after."""
    point = np.zeros((33, 33))
    point[16, 16] = 1
    fine, coarse = (gaussian_filter(point, sigma) for sigma in (_FINE, _COARSE))
    return float(((fine - coarse) ** 2).sum()), float((coarse**2).sum())


def _noise_of(values: NDArray[Any]) -> float:
    """Return the standard deviation of white noise, from second differences along both axes."""
    second = np.diff(np.diff(values, 2, axis=-2), 2, axis=-1)
    return float(np.median(np.abs(second))) / 0.6745 / 6 if second.size else 0.0


def _highest(frames: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[Any]:
    """Return which part of each frame has its highest value, where values are cut off, (frames,).

    The highest value is that of the frame itself: others may reach higher ones by their noise.
    """
    found = np.zeros(len(frames))
    for number, frame in enumerate(frames):
        highest = frame == frame.max()
        lower = frame[~highest]
        next_to_it = (lower == lower.max()).sum() if lower.size else 0
        if highest.sum() >= _PILED * next_to_it:
            found[number] = highest.mean()
    return found
