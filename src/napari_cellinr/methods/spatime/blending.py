"""A frame between two frames: a weighted mean along the motion and in place, detail attenuated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = [
    "CANDIDATES",
    "EQUAL",
    "STATIC",
    "BlendWeights",
    "Predictions",
    "blended",
    "choose_weights",
    "error_of",
]

_WIDTHS: Final = (0.7, 1.4, 2.8, 5.6)  # standard deviations between bands, voxels of the plane
_WINDOWS: Final = (2.0, 2.0, 3.0, 5.0)  # of the local means of each band

_CLEARLY: Final = 0.05  # half a dB: exponent of 10 of a ratio of squared errors
_SLIGHTLY: Final = 0.02


@dataclass(frozen=True)
class BlendWeights:
    """How much each prediction of a frame counts.

    Parameters
    ----------
    motion
        Weight of the prediction along the motion, 0 to 1; the rest is that of the mean in place.
    cubic
        Whether up to four frames are interpolated along the motion by a polynomial, not two by
        a line.
    attenuation
        How strongly detail is attenuated where the two neighbours disagree: 1 if their errors
        were independent, more where motion makes them agree although both are wrong; 0 for not
        at all.
    """

    motion: float
    cubic: bool
    attenuation: float


STATIC: Final = BlendWeights(0.0, False, 0.0)
"""The mean of the neighbours in place, weighted by distance in time, without motion."""

EQUAL: Final = BlendWeights(0.5, False, 0.5)
"""For series of two frames, in which none can be held out: errors of motion and of a static blend
differ, so that their mean is seldom worse than the better one."""

_FULL: Final = tuple(BlendWeights(*r, 0.0) for r in ((1.0, True), (1.0, False), (0.5, False)))

CANDIDATES: Final = (
    _FULL[0],
    *(
        BlendWeights(motion, False, attenuation)
        for motion in (1.0, 0.5, 0.0)
        for attenuation in (0.0, 0.5, 1.0, 2.0, 4.0)
    ),
)
"""What held-out frames choose from."""


@dataclass(frozen=True)
class Predictions:
    """What the neighbours of a frame predict for it, float32 (*shape) each, in any unit.

    Parameters
    ----------
    before, after
        The two neighbours along the motion.
    cubic
        Up to four frames along the motion, interpolated by a polynomial.
    static
        The two neighbours in place.
    part
        Where the frame lies between the two, 0 to 1.
    """

    before: Floats
    after: Floats
    cubic: Floats
    static: tuple[Floats, Floats]
    part: float


def blended(predictions: Predictions, weights: BlendWeights, aspect: Sequence[float]) -> Floats:
    """Return the frame.

    Each band of detail is multiplied as in a Wiener filter by 1 − a · error / power, with the
    local power of the difference of the neighbours as the error. The factor a is the attenuation
    times t (1 − t), with t from 0 to 1 between the frames: a quarter in the middle, which is the
    error of a mean of two, and less near a given frame.

    Parameters
    ----------
    predictions
        What the neighbours predict.
    weights
        How much each counts.
    aspect
        Voxel size in the plane divided by that along each axis.

    Returns
    -------
    numpy.ndarray
        (*shape), float32, in the unit of the predictions.
    """
    t, part = predictions.part, np.float32(weights.motion)
    line = (1 - t) * predictions.before + t * predictions.after
    first, second = predictions.static
    static, apart = (1 - t) * first + t * second, second - first
    moved = predictions.cubic if weights.cubic else line
    base = np.asarray(part * moved + (1 - part) * static, np.float32)
    if weights.attenuation == 0:
        return base
    along = predictions.after - predictions.before
    difference = np.asarray(part * along + (1 - part) * apart, np.float32)
    return _attenuated(base, difference, weights.attenuation * t * (1 - t), aspect)


def choose_weights(errors: Mapping[BlendWeights, float], n_tests: int) -> BlendWeights:
    """Return the weights for frames that are half as far apart as those that were tested.

    Without attenuation, motion counts alone where its error is lower than that of a static blend
    by half a dB, or by up to 1 dB if few frames were tested: what helps at twice the distance
    helps more at the distance in question. A static blend is used where it is as clearly better
    than the mean of both, which is used otherwise: errors of motion and of a blend differ.
    A polynomial is used unless a line is better by 0.2 dB, since its error falls faster with the
    distance. The attenuation is a quarter of the best one: the error of an interpolated frame
    grows with the square of the distance, and the disagreement of its neighbours, with which it
    is compared, with the distance.

    Parameters
    ----------
    errors
        Mean squared errors of all candidates, in one unit.
    n_tests
        Number of held-out frames behind them.

    Returns
    -------
    BlendWeights
        For the whole series.
    """
    clearly = 10 ** (_CLEARLY * (1 + 1 / n_tests))
    cubic, line, half = _FULL
    full = cubic if errors[cubic] < errors[line] * 10**_SLIGHTLY else line
    if errors[full] * clearly < errors[STATIC]:
        chosen = full
    else:
        chosen = STATIC if errors[STATIC] * clearly < errors[half] else half
    alike = [w for w in errors if (w.motion, w.cubic) == (chosen.motion, chosen.cubic)]
    best = min(alike, key=lambda weights: errors[weights])
    return replace(best, attenuation=best.attenuation / 4)


def error_of(
    weights: BlendWeights, tests: Sequence[tuple[Predictions, Floats]], aspect: Sequence[float]
) -> float:
    """Return the mean squared error on held-out frames, in squares of their unit.

    Parameters
    ----------
    weights
        How much each prediction counts.
    tests
        Predictions of some frames, and the frames themselves.
    aspect
        Voxel size in the plane divided by that along each axis.
    """
    return float(np.mean([np.mean((blended(p, weights, aspect) - t) ** 2) for p, t in tests]))


def _attenuated(
    base: Floats, difference: Floats, strength: float, aspect: Sequence[float]
) -> Floats:
    """Return an image whose detail is attenuated as far as its two sources differ."""
    rest, apart = base, difference
    result = np.zeros_like(base)
    for width, window in zip(_WIDTHS, _WINDOWS, strict=True):
        smooth, level = _blurred(rest, width, aspect), _blurred(apart, width, aspect)
        detail, error = rest - smooth, apart - level
        power = np.maximum(_blurred(detail**2, window, aspect), 1e-12)
        gain = np.clip(1 - strength * _blurred(error**2, window, aspect) / power, 0, 1)
        result += gain * detail
        rest, apart = smooth, level
    return result + rest


def _blurred(image: Floats, width: float, aspect: Sequence[float]) -> Floats:
    widths = [width * a for a in aspect]
    smooth: Floats = gaussian_filter(image, widths, mode="nearest", truncate=3)
    return smooth
