"""What held-out frames of a series choose, and what else its parts have to share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.frames.bad_frames import is_noise
from napari_cellinr.methods.spatime.between.blending import ATTENUATIONS, FULL, STATIC, blended
from napari_cellinr.methods.spatime.between.damaged import middle_frame
from napari_cellinr.methods.spatime.between.flow import coarser
from napari_cellinr.methods.spatime.between.noise import white_noise
from napari_cellinr.methods.spatime.between.trust import evidence_of
from napari_cellinr.methods.spatime.between.window import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.methods.spatime.between.blending import Predictions
    from napari_cellinr.methods.spatime.between.trust import Evidence, Trust
    from napari_cellinr.methods.spatime.series import Series

    Floats = NDArray[np.float32]
    Tests: TypeAlias = list[tuple[Predictions, Trust, Floats]]

__all__ = [
    "GREY_LEVELS",
    "LEAST_SPAN",
    "Chosen",
    "errors_of_attenuations",
    "evidence_in",
    "facts_of_tests",
    "shows_something",
    "variance_of",
]

GREY_LEVELS: Final = (0.5, 99.8)
"""Percentiles of the grey levels that count as 0 and 1 in fits, as of `Series`."""

LEAST_SPAN: Final = 1e-9
"""Grey levels that a span has at least, as of `Series.span`: one of less shows nothing."""

_SHOWN: Final = 1.1  # variance in that of the noise from which frames show more: noise has 1.02
_TINY: Final = 1e-12
_BLUR: Final = 0.5  # as of `MotionSettings`
_UNLIKE: Final = 1.3  # by which the variance of the noise in a part may differ from that of all
_TUPLES: Final = ("contrasts", "shape", "corner")

LEVELS: Final = (1, 2, 4)
"""How many times coarser frames are when they are compared, as of `MotionSettings`."""


@dataclass(frozen=True)
class Chosen:
    """What was found on held-out frames of a whole series, of which a series is a part.

    Parameters
    ----------
    flow
        The optical flow from which motion starts, one of `between.flow.FLOWS`.
    attenuation
        Of detail, as of `BlendWeights`.
    motion_reliability
        As `between.trust.motion_reliability` of the held-out frames; None if there are none.
    low
        The grey level that counts as 0 in fits.
    span
        The grey level that counts as 1 in fits less that which counts as 0, in grey levels.
    noise
        Of the frames, in grey levels.
    contrasts
        Standard deviation of the frames at each of `LEVELS`, in units of `span`.
    variance
        Of the noise in held-out frames.
    power, change
        Mean square of what motion adds to a blend in held-out frames, and of the difference of the
        frames beside them.
    shape
        Voxels of a whole frame.
    corner
        First voxel of the part.
    """

    flow: str
    attenuation: float
    motion_reliability: float | None
    low: float
    span: float
    noise: Noise
    contrasts: tuple[float, ...]
    variance: float
    power: float
    change: float
    shape: tuple[int, ...]
    corner: tuple[int, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """All values, ready for JSON."""
        lists = {name: list(getattr(self, name)) for name in _TUPLES}
        return {**vars(self), **lists, "noise": vars(self.noise)}

    @property
    def contrast(self) -> dict[int, float]:
        """Standard deviation of the frames by level, in units of `span`."""
        return dict(zip(LEVELS, self.contrasts, strict=True))

    @property
    def usual(self) -> tuple[float, float]:
        """Power and change."""
        return self.power, self.change

    def window(self, shape: Sequence[int]) -> Window:
        """Return where a part of so many voxels lies."""
        return Window(self.shape, self.corner or (0,) * len(shape), tuple(shape))

    @classmethod
    def of_fit(cls, fitted: Fitted, faulty: Collection[int] = ()) -> Chosen:
        """Return what was chosen in a fit of one channel.

        Parameters
        ----------
        fitted
            The fit.
        faulty
            Positions of frames that were replaced.
        """
        model = fitted.model["channels"][0]
        frames = fitted.state["0.frames"].numpy()
        low, high = map(float, np.percentile(frames, GREY_LEVELS))
        span = max(high - low, LEAST_SPAN)
        noise = estimate_noise(frames[middle_frame(faulty, len(frames))])
        tests = [variance_of(noise, frame) for frame in frames[1:-1]]
        change = float(np.mean((frames[2:] - frames[:-2]) ** 2)) if tests else 0.0
        series = torch.from_numpy(frames)
        return cls(
            flow=model["flow"],
            attenuation=model["blending"]["attenuation"],
            motion_reliability=model["motion_reliability"],
            low=low,
            span=span,
            noise=noise,
            contrasts=tuple(float(coarser(series, n, _BLUR).std()) / span for n in LEVELS),
            variance=float(np.mean(tests)) if tests else 0.0,
            power=model["held_out_power"],
            change=change,
            shape=frames.shape[1:],
        )

    def widened(self, below: float, above: float) -> Chosen:
        """Return the same with a wider range of grey levels from 0 to 1.

        Parameters
        ----------
        below, above
            By how many grey levels it begins lower, and ends higher.
        """
        span = self.span + below + above
        contrasts = tuple(one * self.span / span for one in self.contrasts)
        return replace(self, low=self.low - below, span=span, contrasts=contrasts)

    def of_whole(self, contrast: float, variance: float, change: float) -> Chosen:
        """Return the same for frames that differ from those of the fit.

        Parameters
        ----------
        contrast, variance, change
            Their standard deviation, variance of the noise, and mean squared change, in those of
            the frames of the fit.
        """
        return replace(
            self,
            contrasts=tuple(contrast * one for one in self.contrasts),
            variance=variance * self.variance,
            power=change * self.power,
            change=change * self.change,
        )

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Chosen:
        """Return what `settings` were made of."""
        tuples = {name: tuple(settings[name]) for name in _TUPLES}
        return cls(**{**settings, **tuples, "noise": Noise(**settings["noise"])})


def variance_of(noise: Noise, frame: Floats, chosen: Chosen | None = None) -> float:
    """Return the variance of the noise in a held-out frame, in squared grey levels.

    Parameters
    ----------
    noise
        Of the frames.
    frame
        The frame, (*shape), float32.
    chosen
        What was chosen for the series of which the frames are a part: its variance counts, unless
        the frame has much more or less, as after bleaching.
    """
    own = min(float(np.mean(noise.sd(frame) ** 2)), white_noise(frame) ** 2)
    if chosen is None:
        return own
    return min(max(chosen.variance, own / _UNLIKE), own * _UNLIKE)


def evidence_in(
    series: Series, predicted: Predictions, truth: Floats, noise: Noise, chosen: Chosen | None
) -> Evidence:
    """Return what a held-out frame of a series says.

    Parameters
    ----------
    series
        The series, which may be a part of one.
    predicted
        What its neighbours predict for the frame.
    truth
        The frame, (*shape), float32.
    noise
        Of the frames.
    chosen
        What was chosen for the whole series, if this is a part of one.
    """
    variance = variance_of(noise, truth, chosen)
    usual = None if chosen is None else chosen.usual
    return evidence_of(predicted, truth, series.aspect, variance, series.part, usual)


def shows_something(frame: Floats) -> bool:
    """Return whether a frame shows more than its noise, in more than single voxels.

    Parameters
    ----------
    frame
        As it was recorded, grey levels.
    """
    if float(np.ptp(np.percentile(frame, GREY_LEVELS))) <= LEAST_SPAN or is_noise(frame):
        return False
    noise = estimate_noise(frame)
    return float(frame.var()) > _SHOWN * float(np.mean(noise.sd(frame) ** 2))


def errors_of_attenuations(
    tests: Tests, aspect: Sequence[float]
) -> tuple[dict[float, list[float]], float]:
    """Return the squared error on each held-out frame by attenuation, and the sum of a blend's.

    Parameters
    ----------
    tests
        What the neighbours of each frame predict, how far it is trusted, and the frame itself.
    aspect
        Voxel size in the plane divided by that along each axis.
    """

    def error(values: Floats, truth: Floats) -> float:
        return float(np.mean((values - truth) ** 2))

    errors = {
        a: [error(blended(p, replace(FULL, attenuation=a), aspect, t), v) for p, t, v in tests]
        for a in ATTENUATIONS
    }
    return errors, sum(error(blended(p, STATIC, aspect), v) for p, _, v in tests)


def facts_of_tests(
    trust: Sequence[Trust], attenuation: float, n_frames: int, least: float, static: float
) -> dict[str, float]:
    """Return what is reported of the tests on held-out frames.

    Parameters
    ----------
    trust
        How each interval is blended.
    attenuation
        Of detail, as it is used.
    n_frames
        Held-out frames.
    least
        Least sum of squared errors of all attenuations.
    static
        Sum of the squared errors of blending without motion.
    """
    gain = (static + _TINY) / (least + _TINY)
    return {
        "motion": round(float(np.mean([t.motion for t in trust])), 2),
        "attenuation of detail": attenuation,
        "confidence": round(float(np.mean([t.confidence for t in trust])), 2),
        "held-out frames": n_frames,
        "held-out gain over blending, dB": round(10 * float(np.log10(gain)), 2),
    }
