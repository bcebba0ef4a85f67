"""How far motion is trusted, place by place: what held-out frames on both sides say of it.

Each given frame is predicted from the frames before and after it. How well this works says how far
motion is trusted in the two intervals beside the frame. An error at twice the distance in time
takes at most half of the weight: errors of motion and of blending differ, and their mean is seldom
worse than the better one. Where motion was worse than blending, it has little weight. Motion that
goes on from one interval to the next has full weight: wrong motions are unlike each other. In a
series of which motion predicts most of what changes, an error takes none of the weight.

An object that stands and jumps is the exception, since its motion is found, but not when it
happens: the frame before the jump is like the one before it, and the frame after the jump like the
one after it. Where both are so, the interval is blended without motion.

Where the squared difference of two frames hardly grows with the time between them, objects have
moved further than they are large, and an error at twice the distance in time says all of the
distance in question: it is saturated. Elsewhere errors grow with the square of the distance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.fields.trajectory import control_size
from napari_cellinr.methods.spatime.between.window import SPACING, Window, between, resized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.spatime.between.blending import Predictions
    from napari_cellinr.methods.spatime.between.window import Lattice

    Floats = NDArray[np.floating]

__all__ = [
    "GROWTH",
    "Evidence",
    "Trust",
    "evidence_of",
    "is_earlier",
    "motion_reliability",
    "steadied",
    "trust_of",
    "trust_of_frame",
]

GROWTH: Final = 0.25
"""An error that is not saturated, relative to that at twice the distance in time."""

_WINDOW: Final = 5.0  # standard deviation of local means, voxels of the plane
_LITTLE: Final = 0.1  # of the mean of a frame: differences below it say nothing of a place
_SAME: Final = 0.5  # the same of the difference of motion and blend
_CALM: Final = 0.02  # the same of the change between two frames
_TINY: Final = 1e-12
_SLOW: Final = 1e-3  # squared voxels per frame, below which there is no motion
_DOUBT: Final = 0.5  # lost weight of motion that explains nothing at twice the distance in time
_STEADY: Final = (0.5, 0.9)  # likeness of motions from which, and at which, motion goes on
_MOVES: Final = 2.0  # voxels per frame from which likeness counts fully
_SATURATED: Final = (0.1, 0.3)  # 2 D(1) / D(2) - 1 from which, and at which, it is
# Change, in variances of the noise, at which it counts half as seen: eight times what noise alone
# makes of the squared difference of two frames, so that chance makes little of it.
_HALF_SEEN: Final = 16.0
# Best weight of motion in a series from which, and at which, it is reliable: motion has to predict
# clearly more than a half of what changes, and noise in the frames keeps the weight below 1.
_RELIABLE: Final = (0.6, 0.85)
_JUMP: Final = (0.2, 0.6)  # likeness of a standing object from which, and at which, it jumps


@dataclass(frozen=True)
class Evidence:
    """What a held-out frame says of the motion beside it, on nodes, float32, 0 to 1.

    Parameters
    ----------
    before, after
        How much more the frame is like the one before it, or after it, than like their mean.
    error
        Squared error of the prediction, in that of the mean of two unrelated frames: a quarter of
        the squared difference of the two.
    doubt
        The same where noise is more than what changes, 1 where nothing but noise is seen.
    weight
        Weight of the motion in the mixture of motion and blend that predicts the frame best; 1
        where both are the same.
    saturated
        1 where frames differ about as much at one as at two frames' distance: the mean squared
        difference D(1) is at least 0.65 of D(2); 0 where D(1) is about a half of it, as where an
        object appears or jumps, or less, as in smooth motion.
    seen
        How far the change between the frames before and after it is above the noise: 0 where
        nothing but noise changes, 0.9 where the change has 130 times the variance of the noise.
    overlap, power
        Mean product of what motion and what truth add to the blend, and mean square of the
        former; their ratio is the best weight of the motion everywhere.
    """

    before: Floats
    after: Floats
    error: Floats
    doubt: Floats
    weight: Floats
    saturated: Floats
    seen: Floats
    overlap: float
    power: float


@dataclass(frozen=True)
class Trust:
    """How one interval is blended, on nodes, float32, 0 to 1.

    Parameters
    ----------
    motion
        Weight of the prediction along the motion.
    smooth
        Weight of the frames beyond the interval.
    unsure
        Part of the attenuation of detail.
    confidence
        In the middle of the interval: 1 where the frame in between is determined.
    saturated
        Where motion and blend have equal weights, without frames beyond the interval, and detail
        is attenuated fully, if detail is attenuated at all.
    """

    motion: Floats
    smooth: Floats
    unsure: Floats
    confidence: Floats
    saturated: Floats

    @property
    def maps(self) -> Floats:
        """All maps, (5, *nodes), in the order of the parameters."""
        values = self.motion, self.smooth, self.unsure, self.confidence, self.saturated
        return np.stack(values)

    @classmethod
    def of_maps(cls, maps: Floats) -> Trust:
        """Return what `maps` were made of.

        Those of earlier versions have no last one, which is 0, and the part of the attenuation is
        that at twice the distance in time.
        """
        values = [np.asarray(m, np.float32) for m in maps]
        if not is_earlier(maps):
            return cls(*values)
        motion, smooth, unsure, confidence = values
        return cls(motion, smooth, np.float32(GROWTH) * unsure, confidence, 0 * motion)

    def on_voxels(self, window: Window, region: Sequence[slice]) -> Trust:
        """Return the maps at some voxels of a frame.

        Parameters
        ----------
        window
            Where the frame lies in a whole one.
        region
            The voxels, a slice along each axis of the frame.
        """
        found, part = _on_voxels(self.maps, window), tuple(region)
        return Trust(*(one[part].copy() for one in found))  # a view would keep all


def is_earlier(maps: Floats) -> bool:
    """Return whether maps are those of an earlier version, which did not know of saturation.

    Parameters
    ----------
    maps
        As `Trust.maps`.
    """
    return len(maps) < len(fields(Trust))


def evidence_of(
    predicted: Predictions,
    truth: Floats,
    aspect: Sequence[float],
    noise: float = 0.0,
    window: Window | None = None,
    usual: tuple[float, float] | None = None,
) -> Evidence:
    """Return what a held-out frame says.

    Parameters
    ----------
    predicted
        What its neighbours predict for it.
    truth
        The frame, (*shape), float32.
    aspect
        Voxel size in the plane divided by that along each axis.
    noise
        Variance of the noise of each frame.
    window
        Where the frame lies in a whole one, if it is a part.
    usual
        Mean square of what motion adds to a blend, and of the difference of the neighbours, in
        whole frames, if this one is a part.
    """
    window = window or Window.of(truth.shape)
    first, second = predicted.static
    part = predicted.part
    static = (1 - part) * first + part * second
    moved = (1 - part) * predicted.before + part * predicted.after - static
    wrong = truth - static

    def mean(values: NDArray[Any]) -> Floats:
        return _local(values, aspect, window)

    power, change = mean(moved**2), mean((second - first) ** 2)
    apart = [mean((truth - v) ** 2) for v in (first, second)]
    mean_power, mean_change = usual or (float(power.mean()), float(change.mean()))
    little, same = _LITTLE * mean_power + _TINY, _SAME * mean_power + _TINY
    calm = _CALM * mean_change + _TINY
    overlap = mean(wrong * moved)
    motion = np.clip(overlap / (power + little), 0, 1)
    blend = np.maximum(mean(wrong**2) - 1.5 * noise, 0) + calm
    like = [np.maximum(v - 2 * noise, 0) + calm for v in apart]
    near, far = (np.maximum(v - 2 * noise, 0) for v in (np.mean(apart, 0), change))
    rest = wrong - _on_voxels(motion[None], window)[0] * moved
    error = np.maximum(mean(rest**2) - 1.5 * noise, 0)
    changed = np.maximum(change - 2 * noise, 0) + 4 * calm
    return Evidence(
        np.clip(1 - like[0] / blend, 0, 1),
        np.clip(1 - like[1] / blend, 0, 1),
        np.clip(4 * error / changed, 0, 1),
        np.clip((4 * error + noise) / (changed + noise), 0, 1),
        np.clip((overlap + same) / (power + same), 0, 1),
        _step(((2 * near - far) / (far + calm) - _SATURATED[0]) / (_SATURATED[1] - _SATURATED[0])),
        (far + calm) / (far + calm + _HALF_SEEN * noise),
        float(np.mean(wrong * moved)),
        float(np.mean(moved**2)),
    )


def trust_of(
    interval: int, evidence: Mapping[int, Evidence], reliability: float | None = None
) -> Trust | None:
    """Return how an interval is blended; None if no frame at its ends was held out.

    Parameters
    ----------
    interval
        Number of the frame at which it begins.
    evidence
        Of held-out frames by their number.
    reliability
        As `motion_reliability` of the whole series, if this is a part of it; that of `evidence` if
        not given.
    """
    ends = [evidence[j] for j in (interval, interval + 1) if j in evidence]
    if not ends:
        return None
    jump = _step((jump_of(interval, evidence) - _JUMP[0]) / (_JUMP[1] - _JUMP[0]))
    beside = [jump_of(i, evidence) for i in (interval - 1, interval + 1)]
    unsure = np.max([e.doubt for e in ends], 0) ** 2
    confidence = 1 - np.max([e.error for e in ends], 0) ** 2
    sure = motion_reliability(list(evidence.values())) if reliability is None else reliability
    doubted = 1 - (1 - sure) * _DOUBT * unsure
    motion = doubted * np.sqrt(np.mean([e.weight for e in ends], 0))
    smooth = (1 - np.max(beside, 0)) * np.min([e.seen for e in ends], 0)
    maps = (
        motion * (1 - jump), smooth, GROWTH * unsure * (1 - jump), confidence,
        (1 - sure) * np.mean([e.saturated for e in ends], 0),
    )  # fmt: skip
    return Trust(*(np.asarray(values, np.float32) for values in maps))


def steadied(
    trust: Trust, velocity: Floats, beside: Sequence[Floats], aspect: Sequence[float]
) -> Trust:
    """Return how an interval is blended, motion with full weight where it goes on steadily.

    Each interval is fitted by itself, so that wrong motions are unlike each other. The likeness of
    two motions is 1 less the squared length of their difference in the sum of their squared ones.

    Parameters
    ----------
    trust
        What held-out frames say.
    velocity
        Motion in the middle of the interval, (axes, *points), voxels per frame; on the nodes of
        the maps in a part of a frame.
    beside
        The same of the intervals before and after it, as far as they are known.
    aspect
        Voxel size in the plane divided by that along each axis.
    """
    if not beside:
        return trust
    nodes, widths = trust.motion.shape, [_WINDOW / SPACING * a for a in aspect]

    def squared(values: Floats) -> Floats:
        found: Floats = gaussian_filter(np.sum(values**2, 0), widths, mode="nearest")
        return found

    own, others = resized(velocity, nodes), [resized(v, nodes) for v in beside]
    length = squared(own)
    like = [1 - squared(v - own) / (length + squared(v) + _SLOW) for v in others]
    steady = _step((np.min(like, 0) - _STEADY[0]) / (_STEADY[1] - _STEADY[0]))
    steady = steady * np.clip(np.sqrt(length) / _MOVES, 0, 1)
    return replace(
        trust,
        motion=np.asarray(np.maximum(trust.motion, steady), np.float32),
        saturated=np.asarray(trust.saturated * (1 - steady), np.float32),
    )


def trust_of_frame(evidence: Evidence) -> Trust:
    """Return how a held-out frame itself is blended, to choose the attenuation of detail."""
    unsure = evidence.doubt**2
    jump = _step((np.maximum(evidence.before, evidence.after) - _JUMP[0]) / (_JUMP[1] - _JUMP[0]))
    motion = (1 - _DOUBT * unsure) * (1 - jump)
    return Trust(motion, 0 * unsure, unsure * (1 - jump), 1 - unsure, evidence.saturated)


def jump_of(interval: int, evidence: Mapping[int, Evidence]) -> Floats:
    """Return where objects jump in an interval, 0 to 1: they stand before and after it.

    Parameters
    ----------
    interval, evidence
        As for `trust_of`; one frame at its ends is enough, and without both nothing jumps.
    """
    sides = []
    if interval in evidence:
        sides.append(evidence[interval].before)
    if interval + 1 in evidence:
        sides.append(evidence[interval + 1].after)
    if not sides:
        return np.zeros_like(next(iter(evidence.values())).error)
    return np.asarray(np.min(sides, 0), np.float32)


def motion_reliability(evidence: Sequence[Evidence]) -> float:
    """Return 1 if motion predicts most of what changes in held-out frames, else 0, or between.

    Then it fails in places since held-out frames are far apart, and not in the interval itself.

    Parameters
    ----------
    evidence
        Of all held-out frames of a series.
    """
    power = sum(e.power for e in evidence)
    weight = sum(e.overlap for e in evidence) / (power + _TINY)
    return float(_step(np.asarray((weight - _RELIABLE[0]) / (_RELIABLE[1] - _RELIABLE[0]))))


def _step(values: NDArray[Any]) -> Floats:
    """Return a smooth step from 0 to 1."""
    part = np.clip(values, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def _local(values: NDArray[Any], aspect: Sequence[float], window: Window) -> Floats:
    """Return local means on the nodes."""
    smooth = gaussian_filter(values, [_WINDOW * a for a in aspect], mode="nearest")
    found: Floats = between(smooth[None], window.voxels, _nodes(window))[0]
    return found


def _on_voxels(maps: Floats, window: Window) -> Floats:
    """Return maps on nodes, (maps, *nodes), at all voxels."""
    if window.is_whole:  # also maps on other nodes
        return resized(maps, window.whole)
    return between(maps, _nodes(window), window.voxels)


def _nodes(window: Window) -> Lattice:
    return window.lattice(control_size(window.whole, SPACING))
