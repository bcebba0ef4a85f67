"""A frame between two frames: a weighted mean along the motion and in place, detail attenuated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.between.trust import Trust

    Floats = NDArray[np.float32]

__all__ = [
    "ATTENUATIONS",
    "EQUAL",
    "FULL",
    "STATIC",
    "BlendWeights",
    "Predictions",
    "blended",
    "choose_attenuation",
]

_WIDTHS: Final = (0.7, 1.4, 2.8, 5.6)  # standard deviations between bands, voxels of the plane
_WINDOWS: Final = (2.0, 2.0, 3.0, 5.0)  # of the local means of each band

_MOST_AGREE: Final = 0.75  # part of the held-out frames


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

FULL: Final = BlendWeights(1.0, True, 0.0)
"""Motion alone."""

ATTENUATIONS: Final = (0.0, 0.5, 1.0)
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

    def part_of(self, region: tuple[slice, ...]) -> Predictions:
        """Return a copy of a part of the frame, a slice along each axis; a view would keep all."""
        before, after, cubic, *static = (
            v[region].copy() for v in (self.before, self.after, self.cubic, *self.static)
        )
        return Predictions(before, after, cubic, (static[0], static[1]), self.part)


def blended(
    predictions: Predictions,
    weights: BlendWeights,
    aspect: Sequence[float],
    trust: Trust | None = None,
) -> Floats:
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
    trust
        What held-out frames say of each place, at every voxel; then they replace the weight of
        the motion, and of the polynomial, and attenuation is local, too.

    Returns
    -------
    numpy.ndarray
        (*shape), float32, in the unit of the predictions.
    """
    base, difference, strength = _mixed(predictions, weights, trust)
    if difference is None:
        return base
    return _attenuated(base, difference, strength, aspect)


def _mixed(
    predictions: Predictions, weights: BlendWeights, trust: Trust | None
) -> tuple[Floats, Floats | None, Floats | float]:
    """Return the mean of the predictions, the difference of its two sources, and the attenuation.

    There is no difference if nothing is attenuated. What else is computed here takes no memory any
    more when detail is attenuated.
    """
    t = predictions.part
    line = (1 - t) * predictions.before + t * predictions.after
    first, second = predictions.static
    static, apart = (1 - t) * first + t * second, second - first
    along = predictions.after - predictions.before
    if trust is None:
        part: Floats | np.float32 = np.float32(weights.motion)
        moved = predictions.cubic if weights.cubic else line
        strength: Floats | float = weights.attenuation * t * (1 - t)
    else:
        lost = trust.saturated if weights.attenuation > 0 else np.zeros_like(trust.saturated)
        part = trust.motion + lost * (EQUAL.motion - trust.motion)
        moved = line + (1 - lost) * trust.smooth * (predictions.cubic - line)
        unsure = trust.unsure + lost * (1 - trust.unsure)
        strength = np.asarray(weights.attenuation * t * (1 - t) * unsure, np.float32)
    base = np.asarray(part * moved + (1 - part) * static, np.float32)
    if weights.attenuation == 0:
        return base, None, strength
    difference = np.asarray(part * along + (1 - part) * apart, np.float32)
    return base, difference, strength


def choose_attenuation(errors: Mapping[float, Sequence[float]]) -> float:
    """Return the best attenuation of those that are better on three of four held-out frames.

    It is 0 if none is. `trust_of` says how much of it is used for frames that are half as far
    apart.

    Parameters
    ----------
    errors
        Squared error on each held-out frame, by attenuation; 0 is one of them.
    """
    agreed = [a for a in errors if np.mean(np.less(errors[a], errors[0.0])) >= _MOST_AGREE]
    return min([0.0, *agreed], key=lambda a: float(np.sum(errors[a])))


def _attenuated(
    base: Floats, difference: Floats, strength: Floats | float, aspect: Sequence[float]
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
