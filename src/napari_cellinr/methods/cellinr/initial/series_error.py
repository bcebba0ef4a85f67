"""Standard errors of a series whose frames are denoised together, learnt on synthetic frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.camera.pixels import held_places, without_held
from napari_cellinr.classic.camera.sampled_noise import sample_noise
from napari_cellinr.classic.estimate import nlm_seconds
from napari_cellinr.classic.groups import groups_seconds
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import finish
from napari_cellinr.methods.cellinr.field.boxes import choose_boxes
from napari_cellinr.methods.cellinr.field.calibrate import REMAINING, by_frequency, calibrate
from napari_cellinr.methods.cellinr.field.residuals import Residual, relative_error
from napari_cellinr.methods.cellinr.initial.estimate import (
    SHARED,
    first_shared,
    group_series,
    initial_estimate,
    search_distance,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget
    from napari_cellinr.methods.cellinr.initial.kernels import Kernels

__all__ = ["SeriesErrors", "learn_errors", "learning_seconds"]

STREAM = 3
"""Number of the random numbers of the synthetic frames, apart from those of held-out voxels."""

VOLUME, PLANE = (12, 48, 48), (1, 96, 96)
"""Largest part of a frame along each axis that is drawn, of a volume and of a plane: enough for
four weights and six levels of brightness, and a fourth or less of the time of the series."""

LEARNT = 60_000
"""Voxels from which the errors are learnt: their four weights are known well from far fewer."""

FLATTEST = 0.05, 0.02
"""Slope, and difference of guide and estimate, in standard deviations of the noise per voxel and in
those, below which less means nothing."""

SMALLEST = 1e-6
"""Smallest squared error, of which the logarithm is taken."""

MOST_SAMPLES = 200_000
"""Voxels whose brightnesses show how frequent each is."""


@dataclass(frozen=True)
class SeriesErrors:
    """What tells the standard error of a voxel, the same for all frames of a series.

    Parameters
    ----------
    weights
        Of the features, whose sum is the logarithm of the squared error, shape (feature,).
    lowest, highest
        Features beyond which nothing was learnt, shape (feature,).
    levels, factors
        Levels of brightness, and what the standard error is multiplied by at each, shape (level,).
    noise
        The noise in grey levels.
    """

    weights: NDArray[np.float64]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    levels: NDArray[np.float64]
    factors: NDArray[np.float64]
    noise: Noise

    def at(self, estimate: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the standard error of a frame, in standard deviations of the noise.

        Parameters
        ----------
        estimate, guide
            The frame after and before the groups, axes ZYX or YX, float32.
        """
        usual = _predicted(self, _features(estimate, guide))
        factors = self.factors
        if self.noise.offset_sd == 0:  # errors that voxels have in common keep their order
            some = slice(None, None, estimate.size // MOST_SAMPLES + 1)
            bright = estimate.ravel()[some]
            sd = usual[some] * np.interp(bright, self.levels, factors)
            frequent = by_frequency(bright, sd.astype(np.float32))
            factors = factors * np.interp(self.levels, *frequent)
        error = usual * np.interp(estimate.ravel(), self.levels, factors)
        return error.reshape(estimate.shape).astype(np.float32)


def learn_errors(
    estimates: NDArray[np.float32],
    values: NDArray[np.float32],
    kernels: Kernels,
    config: CellINRConfig,
    noise: Noise,
    budget: EstimateBudget,
) -> SeriesErrors:
    """Return what tells the standard errors of a series.

    Noise is drawn onto the estimates of the frame in the middle and of those whose patches its
    groups hold, and the same estimate is made of them. Its errors are known. Their logarithms
    are a sum of the brightness, the logarithm of the slope, and that of how much the groups have
    changed, by least squares. What that leaves out at any brightness is calibrated as for a
    network.

    Parameters
    ----------
    estimates
        Of all frames, axes TZYX or TYX, float32, in standard deviations of the noise.
    values
        Recorded values of the frame in the middle, of number T // 2.
    kernels
        Those that improve the guides.
    config
        The settings, of which `held_out` and `seed` are used.
    noise
        The noise in grey levels.
    budget
        Threads and device.
    """
    middle = len(estimates) // 2
    first = first_shared(middle)
    numbers = range(first, min(len(estimates), middle + SHARED + 1))
    shown = _volume(estimates[middle])
    most = VOLUME if len(shown) > 1 else PLANE
    lengths = [min(pair) for pair in zip(shown.shape, most, strict=True)]
    box = choose_boxes(shown, lengths)[0][-values.ndim :]
    truths = estimates[(slice(first, numbers.stop), *box)]
    own = kernels.cropped(box)
    noisy, inputs, guides = [], [], []
    for number, truth in zip(numbers, truths, strict=True):
        seed = (config.seed, STREAM, number)
        drawn = sample_noise(unstabilise(truth, noise), noise, np.random.default_rng(seed))
        noisy.append(stabilise(drawn, noise))
        held = held_places(truth.shape, config.held_out, seed, (0,) * truth.ndim)
        inputs.append(without_held(noisy[-1], held))
        found = finish(initial_estimate(inputs[-1], "groups", None, budget, Monitor()))
        guides.append(own.applied(found.estimate, budget.device))
    place = middle - first
    made, _ = finish(
        group_series(np.stack(inputs), np.stack(guides), budget, Monitor(), range(place, place + 1))
    )
    result, truth = made[place], truths[place]
    drawn_residual = Residual(*map(_volume, (result, noisy[place] - result, truth - result)))
    real = Residual(_volume(truth), _volume(values[box] - truth))
    return _learnt(_features(result, guides[place]), drawn_residual, real, noise)


def _learnt(
    features: NDArray[np.float32], drawn: Residual, real: Residual, noise: Noise
) -> SeriesErrors:
    """Return what the errors of a synthetic frame tell, beside the residual of the real one."""
    assert drawn.errors is not None
    some = slice(None, None, len(features) // LEARNT + 1)
    squared = np.log(np.maximum(drawn.errors.ravel() ** 2, SMALLEST))
    weights = np.linalg.lstsq(features[some].astype(np.float64), squared[some], rcond=None)[0]
    span = features.min(axis=0), features.max(axis=0)
    found = SeriesErrors(weights, *span, np.zeros(0), np.zeros(0), noise)
    ratios = np.abs(drawn.errors.ravel()) / _predicted(found, features)
    levels, factors = calibrate(ratios.astype(np.float32), drawn.results.ravel())
    larger = relative_error([real], [drawn], correlated=noise.grain > 0)
    factors = factors * np.interp(levels, *larger) * REMAINING
    return SeriesErrors(weights, *span, levels, factors, noise)


def _predicted(errors: SeriesErrors, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return standard errors that are not calibrated, shape (voxel,)."""
    known = np.clip(features, errors.lowest, errors.highest)
    predicted: NDArray[np.float64] = np.exp(known @ errors.weights / 2)
    return predicted


def _features(estimate: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what an error may depend on, shape (voxel, feature)."""
    width = [1.0 if size > 1 else 0.0 for size in estimate.shape]
    slope = gaussian_gradient_magnitude(estimate, width)
    changed = gaussian_filter(np.abs(guide - estimate), width)
    columns = (
        np.ones_like(estimate),
        estimate,
        np.log(slope + FLATTEST[0]),
        np.log(changed + FLATTEST[1]),
    )
    return np.stack([column.ravel() for column in columns], axis=1)


def _volume(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image of axes ZYX; a plane is one of a volume."""
    return image if image.ndim == 3 else image[None]


def learning_seconds(shape: Sequence[int], n_frames: int, budget: EstimateBudget) -> float:
    """Return the estimated seconds of `learn_errors`.

    Parameters
    ----------
    shape
        Voxels of a frame along each axis.
    n_frames
        Of the series.
    budget
        Threads and device.
    """
    most = VOLUME if len(shape) == 3 else PLANE[1:]
    part, workers = tuple(map(min, shape, most)), budget.n_workers
    one = nlm_seconds(part, search_distance("groups", part), n_workers=workers)
    return min(n_frames, 2 * SHARED + 2) * (one + groups_seconds(part, workers))
