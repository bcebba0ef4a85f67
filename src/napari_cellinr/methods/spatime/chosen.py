"""What held-out frames of a series choose, and what else its parts have to share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.classic.frames.bad_frames import is_noise
from napari_cellinr.methods.spatime.between.blending import ATTENUATIONS, FULL, STATIC, blended
from napari_cellinr.methods.spatime.between.damaged import middle_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.methods.spatime.between.blending import Predictions
    from napari_cellinr.methods.spatime.between.trust import Trust

    Floats = NDArray[np.float32]
    Tests: TypeAlias = list[tuple[Predictions, Trust, Floats]]

__all__ = [
    "GREY_LEVELS",
    "LEAST_SPAN",
    "Chosen",
    "errors_of_attenuations",
    "facts_of_tests",
    "shows_something",
]

GREY_LEVELS: Final = (0.5, 99.8)
"""Percentiles of the grey levels that count as 0 and 1 in fits, as of `Series`."""

LEAST_SPAN: Final = 1e-9
"""Grey levels that a span has at least, as of `Series.span`: one of less shows nothing."""

_SHOWN: Final = 1.1  # variance in that of the noise from which frames show more: noise has 1.02
_TINY: Final = 1e-12


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
    contrast
        Standard deviation of the frames, in units of `span`.
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
    contrast: float
    shape: tuple[int, ...]
    corner: tuple[int, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """All values, ready for JSON."""
        places = {"shape": list(self.shape), "corner": list(self.corner)}
        return {**vars(self), **places, "noise": vars(self.noise)}

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
        attenuation, reliability = model["blending"]["attenuation"], model["motion_reliability"]
        return cls(
            model["flow"], attenuation, reliability, low, span, noise,
            float(frames.std()) / span, frames.shape[1:],
        )  # fmt: skip

    def widened(self, below: float, above: float) -> Chosen:
        """Return the same with a wider range of grey levels from 0 to 1.

        Parameters
        ----------
        below, above
            By how many grey levels it begins lower, and ends higher.
        """
        span = self.span + below + above
        contrast = self.contrast * self.span / span
        return replace(self, low=self.low - below, span=span, contrast=contrast)

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Chosen:
        """Return what `settings` were made of."""
        places = {name: tuple(settings[name]) for name in ("shape", "corner")}
        return cls(**{**settings, **places, "noise": Noise(**settings["noise"])})


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
