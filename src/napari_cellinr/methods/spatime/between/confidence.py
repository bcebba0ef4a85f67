"""How well frames between frames are determined, as images that are rendered like the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.classic.interpolate import resample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling
    from napari_cellinr.methods.spatime.series import Series

    Floats = NDArray[np.float32]

__all__ = ["ConfidenceSeries", "blend_warning", "motion_weight"]

_BLENDED: Final = 0.27  # mean weight of the motion below which frames are rather blends
_CHANCE: Final = 8.0  # squared difference of two frames, in variances of the noise, by chance
_LOOKED_AT: Final = 2**15  # about how many voxels of a frame


class ConfidenceSeries:
    """The confidence of a fitted series, 0 to 1, at any time and on any grid.

    It is 1 at a recorded frame. In the middle of an interval it is 1 less the square of the error
    with which the frames at its ends were predicted from the frames before and after them, in that
    of the mean of unrelated frames; where nothing could be held out, it is 0. In between it follows
    t (1 − t), as the error of a blend does. It says nothing of finer planes, rows and columns.

    Parameters
    ----------
    series
        What was fitted.
    """

    def __init__(self, series: Series) -> None:
        self.series = series
        self.axes = series.axes

    def frame(self, time: float, region: Sequence[slice]) -> Floats:
        """Return the confidence at a time on the grid of the input, (*region), float32.

        Parameters
        ----------
        time
            In frames.
        region
            A slice along each spatial axis.
        """
        _, *shape = self.series.frames.shape
        part = float(time - np.floor(time))
        size = [len(range(*p.indices(n))) for p, n in zip(region, shape, strict=True)]
        if min(part, 1 - part) < 1e-6:
            return np.ones(size, np.float32)
        trust = self.series.trust.get(int(np.floor(time)))
        middle = np.zeros(size, np.float32)
        if trust is not None:
            middle = trust.on_voxels(self.series.window, region).confidence
        return np.asarray(1 - 4 * part * (1 - part) * (1 - middle), np.float32)

    def finer(
        self, volume: Floats, maps: Mapping[str, Sampling], start: Mapping[str, int]
    ) -> Floats:
        """Return the confidence on another grid, linearly interpolated; as `Series.finer`.

        Parameters
        ----------
        volume
            The confidence on the grid of the input or a part of it, (*shape), float32.
        maps
            Sampling by axis letter, for the whole input.
        start
            First voxel of the part along each axis, 0 if not given.
        """
        result = volume
        for number, axis in enumerate(self.axes):
            places = maps[axis].positions - start.get(axis, 0)
            size = volume.shape[number]
            inside = places[(places >= -0.5 - 1e-9) & (places < size - 0.5 - 1e-9)]
            result = resample(result, inside, number, "linear")
        return np.asarray(np.clip(result, 0, 1), np.float32)


def motion_weight(series: Series, intervals: Sequence[int], variance: float) -> float:
    """Return the mean weight of the motion in what changes between recorded frames, 0 to 1.

    What changes is the squared difference of neighbouring frames above that of noise; where nothing
    does, the weight is 1.

    Parameters
    ----------
    series
        What was fitted.
    intervals
        In which frames are made; those without held-out frames do not count.
    variance
        Of the noise of a frame.
    """
    _, *shape = series.frames.shape
    step = max(1, round((np.prod(shape) / _LOOKED_AT) ** (1 / len(shape))))
    every = tuple(slice(None, None, step) for _ in shape)
    changed = followed = 0.0
    for interval in intervals:
        if (trust := series.trust.get(interval)) is None:
            continue
        apart = series.frames[interval + 1][every] - series.frames[interval][every]
        change = np.maximum(apart.astype(np.float64) ** 2 - _CHANCE * variance, 0)
        nodes = [
            np.rint(np.arange(0, n, step) * ((m - 1) / max(n - 1, 1))).astype(int)
            for n, m in zip(shape, trust.motion.shape, strict=True)
        ]
        changed += float(change.sum())
        followed += float((change * trust.motion[np.ix_(*nodes)]).sum())
    return followed / changed if changed > 0 else 1.0


def blend_warning(weight: float) -> str:
    """Return a sentence if frames are rather blends where most changes; else an empty text.

    Parameters
    ----------
    weight
        From `motion_weight`.
    """
    if weight >= _BLENDED:
        return ""
    return (
        "in most of what changes between frames, motion is not trusted, as it did not predict "
        f"held-out frames (its mean weight is {weight:.2f}): frames made there blend both "
        "neighbours, so that objects can appear twice; confidence=true marks where."
    )
