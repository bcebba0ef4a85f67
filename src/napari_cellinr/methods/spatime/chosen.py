"""What held-out frames of a series choose, and what else its parts have to share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_cellinr.classic.camera.anscombe import Noise
from napari_cellinr.classic.camera.noise import estimate_noise
from napari_cellinr.methods.spatime.between.blending import ATTENUATIONS, FULL, STATIC, blended

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted
    from napari_cellinr.methods.spatime.between.blending import Predictions
    from napari_cellinr.methods.spatime.between.trust import Trust

    Floats = NDArray[np.float32]
    Tests: TypeAlias = list[tuple[Predictions, Trust, Floats]]

__all__ = ["Chosen", "errors_of_attenuations"]


@dataclass(frozen=True)
class Chosen:
    """What was found on held-out frames of a whole series, of which a series is a part.

    Parameters
    ----------
    flow
        The optical flow from which motion starts, one of `between.flow.FLOWS`.
    attenuation
        Of detail, as of `BlendWeights`.
    low, span
        The grey level that counts as 0 in fits, and the grey levels from 0 to 1.
    noise
        Of the frames, in grey levels.
    contrast
        Standard deviation of the frames, in the span.
    shape
        Voxels of a whole frame.
    corner
        First voxel of the part.
    """

    flow: str
    attenuation: float
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
    def of_fit(cls, fitted: Fitted) -> Chosen:
        """Return what was chosen in a fit of one channel.

        Parameters
        ----------
        fitted
            The fit.
        """
        model = fitted.model["channels"][0]
        frames = fitted.state["0.frames"].numpy()
        low = float(np.percentile(frames, 0.5))
        span = max(float(np.percentile(frames, 99.8)) - low, 1e-9)
        noise = estimate_noise(frames[len(frames) // 2])
        contrast, attenuation = float(frames.std()) / span, model["blending"]["attenuation"]
        return cls(model["flow"], attenuation, low, span, noise, contrast, frames.shape[1:])

    @classmethod
    def restored(cls, settings: Mapping[str, Any]) -> Chosen:
        """Return what `settings` were made of."""
        places = {name: tuple(settings[name]) for name in ("shape", "corner")}
        return cls(**{**settings, **places, "noise": Noise(**settings["noise"])})


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
