"""Finer planes from coarse ones, learnt within planes, where the image is fine already.

As in isotropic reconstruction (Weigert et al. 2017, "Isotropic reconstruction of 3D fluorescence
microscopy images using convolutional neural networks"): rows of a plane are blurred and averaged
like planes along Z, and a network learns to undo that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.estimate import nlm
from napari_cellinr.fitting.problem import Problem
from napari_cellinr.methods.spatime.between.noise import is_plausible, white_noise
from napari_cellinr.methods.spatime.finer.correction import Correction
from napari_cellinr.methods.spatime.finer.sections import KINDS, MEANS, NOISY_MEANS, Samples
from napari_cellinr.methods.spatime.model import PlaneModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.methods.spatime.finer.sections import Sections
    from napari_cellinr.methods.spatime.series import Series

    Floats = NDArray[np.float32]

__all__ = [
    "FEWEST",
    "PlanesProblem",
    "TrainingPlanes",
    "best_interpolation",
    "examples_of",
    "training_planes",
    "with_noise",
]

FEWEST = 5
"""Planes that are needed for learning: one of so many is held out."""

MOST_EXAMPLES = 6
"""Largest number of frames from which finer planes are learnt."""

_SEARCHED = (1, 5, 5)  # neighbourhood in which similar voxels are sought, in voxels
_BATCH = 12
_ROWS, _COLUMNS = 14, 48  # of a patch: coarse rows, columns
_BLURS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # candidates for the extra blur along Z, pixels


@dataclass(frozen=True)
class TrainingPlanes:
    """Planes to learn from: their rows are degraded like planes along Z.

    Parameters
    ----------
    planes
        (planes, rows, columns), about 0 to 1.
    ratio
        Pixels per coarse row: the step along Z divided by that in the plane.
    blur
        Standard deviation in pixels by which the image is more blurred along Z.
    sections
        What a plane along Z is, and so a coarse row.
    noise
        Standard deviation of the noise of a coarse row: that of planes is not blurred with them.
    added
        Standard deviation of the noise that coarse rows get, if the planes have none: of planes
        that were denoised to be what is sought.
    """

    planes: Floats
    ratio: float
    blur: float
    sections: Sections = MEANS
    noise: float = 0.0
    added: float = 0.0

    def pair(
        self, plane: Floats, factor: float, generator: np.random.Generator
    ) -> tuple[Floats, Floats, Floats, NDArray[np.float64], float]:
        """Return an example: what the network gets, and what it should return.

        Parameters
        ----------
        plane
            (rows, columns), float32, about 0 to 1.
        factor
            How many times finer the rows of the truth are than the coarse ones.
        generator
            Draws noise.

        Returns
        -------
        coarse, base, truth : numpy.ndarray
            Coarse rows, the same interpolated, and the rows that are sought; float32.
        places : numpy.ndarray
            Where the rows of the truth lie, in coarse rows, float64.
        cell : float
            Their distance, in coarse rows.
        """
        blurred = (
            gaussian_filter1d(plane, self.blur, axis=0, mode="nearest") if self.blur else plane
        )
        n_coarse = int(len(plane) // self.ratio)
        coarse = self._as_noisy(self.sections.rows(blurred, self.ratio, n_coarse), generator)
        n_fine = round(n_coarse * factor)
        truth = self.sections.rows(blurred, self.ratio * n_coarse / n_fine, n_fine)
        cell = n_coarse / n_fine
        places = (np.arange(n_fine, dtype=np.float64) + 0.5) * cell - 0.5
        return coarse, self.sections.whole(coarse, n_fine), truth, places, cell

    def _as_noisy(self, rows: Floats, generator: np.random.Generator) -> Floats:
        """Return rows with as much noise as the blur, or denoising, took from them."""
        if self.added:
            sd = np.float32(self.added)
            return rows + sd * generator.standard_normal(rows.shape, dtype=np.float32)
        if not (self.noise and self.blur):
            return rows
        left = min(1.0, 1 / (2 * np.sqrt(np.pi) * self.blur))  # of its variance, by a Gaussian
        lost = np.float32(self.noise * np.sqrt(1 - left))
        return rows + lost * generator.standard_normal(rows.shape, dtype=np.float32)


def training_planes(
    volumes: Sequence[Floats], ratio: float, sections: Sections = MEANS, added: float = 0.0
) -> TrainingPlanes:
    """Return planes of some volumes to learn from, with the blur along Z that is measured.

    The blur is that with which neighbouring coarse rows differ as much as neighbouring planes.

    Parameters
    ----------
    volumes
        (z, y, x) each, float32, about 0 to 1.
    ratio
        The step along Z divided by that in the plane, more than 1.
    sections
        What a plane along Z is.
    added
        As in `TrainingPlanes`: of volumes that were denoised.
    """
    stacked = np.concatenate([v.reshape(-1, *v.shape[-2:]) for v in volumes])
    active = np.argsort([-float(p.std()) for p in stacked])[: max(8, len(stacked) * 3 // 4)]
    planes = stacked[np.sort(active)]
    both = np.concatenate([planes, planes.transpose(0, 2, 1)]) if _square(planes) else planes
    along = np.mean([_steepness(v, 0) for v in volumes])
    noise = white_noise(planes) if isinstance(sections, Samples) and not added else 0.0
    found = {}
    for blur in _BLURS:
        trial, random = (
            TrainingPlanes(planes, ratio, blur, sections, noise),
            np.random.default_rng(0),
        )
        sample = [trial.pair(p, 1.0, random)[0] for p in planes[:: max(1, len(planes) // 12)]]
        found[blur] = abs(np.log(np.mean([_steepness(s, 0) for s in sample]) / along))
    best = min(found, key=lambda b: found[b])
    return TrainingPlanes(both, ratio, best, sections, noise, added)


def examples_of(series: Series, factor: float, noise: Noise | None = None) -> TrainingPlanes | None:
    """Return planes of a series to learn finer ones from; None if they are too small.

    Parameters
    ----------
    series
        The channel.
    factor
        Number of planes of the result per plane of the source.
    noise
        Of the series, in grey levels, if it can be seen: then denoised planes are sought.
    """
    ratio = series.aspect[-1] / series.aspect[series.axes.index("Z")]
    if ratio < 1.05:  # planes are as close as pixels: no finer detail within them
        ratio = factor
    count = min(len(series.frames), MOST_EXAMPLES)
    chosen = np.linspace(0, len(series.frames) - 1, count).round().astype(int)
    frames = [series.frames[i] for i in sorted(set(chosen))]
    if min(frames[0].shape[1:]) < 6 * ratio:
        return None
    if noise is not None:
        denoised = [_denoised(frame, noise) for frame in frames]
    if noise is None or not is_plausible(noise, np.stack(frames), np.stack(denoised)):
        return training_planes([series.scaled(f) for f in frames], ratio, series.sections)
    added = float(np.sqrt(np.mean(noise.sd(frames[0]) ** 2))) / series.span
    volumes = [series.scaled(frame) for frame in denoised]
    return training_planes(volumes, ratio, series.sections, added)


def _denoised(frame: Floats, noise: Noise) -> Floats:
    """Return a stack without noise, each plane with the help of its neighbours."""
    return unstabilise(nlm(stabilise(frame, noise), distance=_SEARCHED, grain=noise.grain), noise)


def with_noise(examples: TrainingPlanes, factor: float) -> TrainingPlanes:
    """Return examples of noisy means as they are interpolated better: smoothly, or linearly.

    Parameters
    ----------
    examples
        Denoised planes, with the noise that is added to coarse rows.
    factor
        How many times finer the planes of the result are.
    """
    device, linear = torch.device("cpu"), replace(examples, sections=NOISY_MEANS)
    errors = [_error(None, e, e.planes, factor, device) for e in (examples, linear)]
    return linear if errors[1] < errors[0] else examples


def best_interpolation(examples: TrainingPlanes, factor: float) -> Samples:
    """Return how thin planes are interpolated best: with the lowest error on rows left out.

    Parameters
    ----------
    examples
        Planes whose rows are left out and interpolated.
    factor
        How many times finer the planes of the result are.
    """
    device, found = torch.device("cpu"), {}
    for kind in KINDS:
        trial = replace(examples, sections=Samples(kind))
        found[kind] = _error(None, trial, trial.planes, factor, device)
    return Samples(min(found, key=lambda k: found[k]))


class PlanesProblem(Correction, Problem):
    """The network that corrects interpolated planes, and planes to learn from.

    It learns from four of five planes. The held-out error is the mean squared error on the fifth;
    before the first step it is that of interpolation, as the network adds nothing then. The best
    parameters are the result: if the error is unchanged after the fit, there was no gain.

    Parameters
    ----------
    examples
        Planes to learn from; at least `FEWEST`.
    factor
        How many times finer the planes of the result are; factors from 0.8 to 1.2 of it are
        learnt with it.
    latent
        Length of the latent code.
    steps, rate
        Number of steps and step size of Adam.
    seed
        Of the first weights, and of the random patches.
    device
        Where to compute.
    """

    model: PlaneModel

    def __init__(
        self,
        examples: TrainingPlanes,
        factor: float,
        *,
        latent: int,
        steps: int,
        rate: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self._examples, self._factor = examples, factor
        super().__init__(steps=steps, rate=rate, seed=seed, device=device)
        with torch.random.fork_rng(devices=[]):  # the first weights of the network
            torch.manual_seed(seed)
            pinned = isinstance(examples.sections, Samples)
            self.model = PlaneModel(latent, pinned).to(device)
        self._held = examples.planes[FEWEST - 1 :: FEWEST]
        self._training = np.delete(examples.planes, np.s_[FEWEST - 1 :: FEWEST], axis=0)

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the mean squared error on random patches, in squares of the range.

        Every other step has another factor than that of the result.
        """
        factor = self._factor * (self._random.uniform(0.8, 1.2) if step % 2 else 1.0)
        coarse, base, truth, places, cell = _batch(
            self._examples, self._training, max(factor, 1.1), self._random
        )
        low, guess, aim = (torch.from_numpy(a).to(self._device) for a in (coarse, base, truth))
        rows = torch.from_numpy(places.astype(np.float32)).to(self._device)
        return {"planes": ((self.model(low, guess, rows, cell) - aim) ** 2).mean()}

    def held_out(self) -> float:
        """Return the mean squared error on held-out planes, in squares of the range."""
        return _error(self.model, self._examples, self._held, self._factor, self._device)


def _batch(
    examples: TrainingPlanes, planes: Floats, factor: float, generator: np.random.Generator
) -> tuple[Floats, Floats, Floats, NDArray[np.float64], float]:
    """Return examples of random patches of planes, stacked; each is mirrored by chance."""
    rows = min(planes.shape[1], int(np.ceil(_ROWS * examples.ratio)))
    columns = min(planes.shape[2], _COLUMNS)
    patches = []
    for _ in range(_BATCH):
        plane = planes[generator.integers(len(planes))]
        top = generator.integers(planes.shape[1] - rows + 1)
        left = generator.integers(planes.shape[2] - columns + 1)
        patch = plane[top : top + rows, left : left + columns]
        patch = patch[::-1] if generator.random() < 0.5 else patch
        patches.append(patch[:, ::-1] if generator.random() < 0.5 else patch)
    made = [examples.pair(np.ascontiguousarray(p), factor, generator) for p in patches]
    coarse, base, truth = (np.stack([m[i] for m in made]) for i in range(3))
    return coarse, base, truth, made[0][3], made[0][4]


def _error(
    model: PlaneModel | None,
    examples: TrainingPlanes,
    planes: Floats,
    factor: float,
    device: torch.device,
) -> float:
    """Return the mean squared error on some planes, of interpolation if there is no model.

    The noise is the same for every model.
    """
    found, random = [], np.random.default_rng(0)
    for plane in planes[:: max(1, len(planes) // 16)]:
        coarse, base, truth, places, cell = examples.pair(plane, factor, random)
        if model is not None:
            tensors = [torch.from_numpy(a[None]).to(device) for a in (coarse, base)]
            rows = torch.from_numpy(places.astype(np.float32)).to(device)
            with torch.no_grad():
                base = model(*tensors, rows, cell)[0].cpu().numpy()
        found.append(float(np.mean((base - truth) ** 2)))
    return float(np.mean(found))


def _steepness(values: Floats, axis: int) -> float:
    """Return how much neighbours differ, against how much everything varies."""
    return float(np.mean(np.diff(values, axis=axis) ** 2) / max(float(values.var()), 1e-12))


def _square(planes: Floats) -> bool:
    return bool(planes.shape[1] == planes.shape[2])
