"""Finer pixels along Y and X, learnt across scales of the image itself.

Zero-shot super-resolution (Shocher et al. 2018) learns from the image and the image made coarser.
A recorded image is less blurred, in its own pixels, than the finer one that is sought, so that the
image is first blurred until it looks like the finer one would: until, made coarser, it has the
share of fine detail that the recorded image has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise
from napari_cellinr.classic.estimate import nlm
from napari_cellinr.classic.sampling import sampling
from napari_cellinr.fitting.problem import Problem
from napari_cellinr.methods.spatime.between.noise import is_plausible
from napari_cellinr.methods.spatime.finer.blur import coarser, measured_blur
from napari_cellinr.methods.spatime.finer.correction import Correction
from napari_cellinr.methods.spatime.finer.sections import MEANS, NOISY_MEANS
from napari_cellinr.methods.spatime.model import MARGIN, PixelModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.methods.spatime.finer.sections import Means

    Floats: TypeAlias = NDArray[np.float32]
    Factors: TypeAlias = tuple[int, int]

__all__ = [
    "PixelExamples",
    "PixelsProblem",
    "pixel_examples",
    "stein_weight",
    "training_factors",
]

SMALLEST: Final = 20
"""Coarse pixels that a plane needs along Y and X."""

LARGEST_FACTOR: Final = 4
"""Largest factor that is learnt; the polynomials are rendered at larger ones."""

TILE: Final = 512
"""Largest size of the parts of planes that are learnt from, in pixels."""

MOST_PIXELS: Final = 2**20
"""Largest number of pixels that are learnt from."""

MOST_FRAMES: Final = 6
"""Largest number of frames that are learnt from."""

MOST_GRAIN: Final = 0.3
"""Largest grain of noise, in pixels, with which finer pixels are learnt."""

PERTURBATION: Final = 0.1
"""Size of the perturbation of Stein's estimate, in standard deviations of the noise."""

STRIPS: Final = 5
"""Each plane is divided into so many strips, of which the middle one is held out."""

_BATCH, _PATCH = 8, 24  # patches of a step, and their coarse pixels along each axis
_COPIES = 2  # of noise


@dataclass(frozen=True)
class PixelExamples:
    """Planes, and what they would be if they had been recorded with coarser pixels.

    Parameters
    ----------
    coarse
        (planes, rows, columns), float32, about 0 to 1, with the noise of the recording.
    base
        The same interpolated, (planes, fine rows, fine columns).
    truth
        What is sought, as `base`.
    sections
        How `base` was interpolated.
    factors
        Pixels of the truth per coarse one along Y and X.
    blur
        Standard deviation of the microscope's blur, in recorded pixels.
    recorded, sd, grain
        Of a noisy image: the recorded planes, about 0 to 1, the standard deviation of their noise
        at each pixel, both float32, and its grain in pixels.
    """

    coarse: Floats
    base: Floats
    truth: Floats
    sections: Means
    factors: Factors
    blur: float
    recorded: Floats | None = None
    sd: Floats | None = None
    grain: float = 0.0


def training_factors(steps: Sequence[float]) -> Factors:
    """Return the whole factors along Y and X from which a result is learnt; 1 where it is coarse.

    Parameters
    ----------
    steps
        Distance of pixels of the result along Y and X, in recorded pixels.
    """
    down, right = (
        min(int(np.ceil(1 / step - 0.05)), LARGEST_FACTOR) if step < 1 else 1 for step in steps
    )
    return down, right


def pixel_examples(
    frames: Floats,
    factors: Factors,
    low: float,
    span: float,
    noise: Noise | None = None,
    blur: float | None = None,
    *,
    keeps: bool = False,
) -> PixelExamples | None:
    """Return examples from a series; None if its planes are too small, or its noise has a grain.

    Noise with a grain tells that the image was resampled or filtered; its blur cannot be measured.

    Parameters
    ----------
    frames
        Grey levels, (T, Y, X) or (T, Z, Y, X), float32.
    factors
        Of `training_factors`.
    low, span
        The grey level that counts as 0, and the grey levels from 0 to 1.
    noise
        Of the frames, in grey levels, if it can be seen.
    blur
        Standard deviation of the microscope's blur in recorded pixels, if it is known.
    keeps
        Whether the means over recorded pixels are to be kept, and with them their noise.
    """
    if min(frames.shape[-2:]) < SMALLEST * max(factors):
        return None
    tiles = _tiles(frames, factors)
    recorded = np.asarray((tiles - low) / span, np.float32)
    if noise is not None:
        denoised = _denoised(tiles, noise)
        if is_plausible(noise, tiles, denoised):
            if noise.grain > MOST_GRAIN:
                return None
            tiles, noise = (tiles, None) if keeps else (denoised, noise)
        else:  # it is texture
            noise = None
    truth = (tiles - low) / span
    known = measured_blur(truth, factors) if blur is None else blur
    widths = [known * np.sqrt(factor**2 - 1) for factor in factors]
    truth = np.asarray(gaussian_filter(truth, (0, *widths), mode="nearest"), np.float32)
    coarse = coarser(truth, factors)
    if noise is None:
        return PixelExamples(coarse, _base(coarse, factors, MEANS), truth, MEANS, factors, known)
    random = np.random.default_rng(0)
    coarse, truth = np.tile(coarse, (_COPIES, 1, 1)), np.tile(truth, (_COPIES, 1, 1))
    sd = np.asarray(noise.sd(low + span * coarse) / span, np.float32)
    noisy = coarse + sd * _grainy(random, coarse.shape, noise.grain)
    here = np.asarray(noise.sd(tiles) / span, np.float32)
    made = [
        PixelExamples(
            noisy, _base(noisy, factors, s), truth, s, factors, known, recorded, here, noise.grain
        )
        for s in (MEANS, NOISY_MEANS)
    ]
    return min(made, key=lambda e: float(np.mean((e.base - e.truth) ** 2)))


class PixelsProblem(Correction, Problem):
    """The network that corrects interpolated pixels, and examples to learn from.

    The held-out error is the mean squared error on the middle strip of each plane; before the first
    step it is that of interpolation. The best parameters are the result.

    Parameters
    ----------
    examples
        What it learns from.
    steps, rate
        Number of steps and step size of Adam.
    seed
        Of the first weights, and of the random patches.
    device
        Where to compute.
    """

    model: PixelModel

    def __init__(
        self, examples: PixelExamples, *, steps: int, rate: float, seed: int, device: torch.device
    ) -> None:
        self._examples = examples
        super().__init__(steps=steps, rate=rate, seed=seed, device=device)
        self._error = max(float((examples.truth - examples.base).std()), 1e-9)
        level, contrast = float(examples.coarse.mean()), float(examples.coarse.std())
        with torch.random.fork_rng(devices=[]):  # the first weights of the network
            torch.manual_seed(seed)
            self.model = PixelModel(
                level=level, contrast=max(contrast, 1e-9), error=self._error
            ).to(device)
        strip = examples.coarse.shape[1] // STRIPS
        self._held = slice(2 * strip, 3 * strip)
        sizes = [min(_PATCH, n) for n in (2 * strip, examples.coarse.shape[2])]
        self._sizes = sizes
        self._tops = [
            *range(2 * strip - sizes[0] + 1),
            *range(3 * strip, examples.coarse.shape[1] - sizes[0] + 1),
        ]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the mean squared error on random patches, in that of interpolation."""
        coarse, base, truth = (torch.from_numpy(a).to(self._device) for a in self._batch())
        found = self.model(coarse, base, *self.model.weights(coarse.shape[1:], base.shape[1:]))
        return {"pixels": ((found - truth) ** 2).mean() / self._error**2}

    def held_out(self) -> float:
        """Return the mean squared error on held-out strips, in squares of the range."""
        examples, down = self._examples, self._examples.factors[0]
        first, last = self._held.start - MARGIN, self._held.stop + MARGIN  # rows it depends on
        coarse, fine = np.s_[first:last], np.s_[first * down : last * down]
        made = self.model.refined(examples.coarse[:, coarse], examples.base[:, fine])
        held = np.s_[:, MARGIN * down : -MARGIN * down]
        return float(np.mean((made - examples.truth[:, fine])[held] ** 2))

    def _batch(self) -> list[Floats]:
        """Return patches of coarse, interpolated and true planes, mirrored by chance."""
        examples, random = self._examples, self._random
        (down, right), (rows, columns) = examples.factors, self._sizes
        patches = []
        for _ in range(_BATCH):
            plane = random.integers(len(examples.coarse))
            top = int(random.choice(self._tops))
            left = int(random.integers(examples.coarse.shape[2] - columns + 1))
            fine = np.s_[
                plane,
                top * down : (top + rows) * down,
                left * right : (left + columns) * right,
            ]
            patch = [
                examples.coarse[plane, top : top + rows, left : left + columns],
                examples.base[fine],
                examples.truth[fine],
            ]
            mirrored = tuple(slice(None, None, int(s)) for s in random.choice((-1, 1), 2))
            patch = [p[mirrored] for p in patch]
            if down == right and rows == columns and random.random() < 0.5:
                patch = [p.T for p in patch]
            patches.append(patch)
        return [np.ascontiguousarray(np.stack(kind)) for kind in zip(*patches, strict=True)]


def stein_weight(model: PixelModel, examples: PixelExamples) -> float:
    """Return how much of the correction of a noisy image lowers its error, 0 to 1.

    The error of means over the recorded pixels is estimated without the truth (Stein 1981), with
    the divergence by a random perturbation (Ramani et al. 2008). It is a parabola in the weight.

    Parameters
    ----------
    model
        The network.
    examples
        Of a noisy image.
    """
    given, sd = examples.recorded, examples.sd
    assert given is not None
    assert sd is not None
    random = np.random.default_rng(0)
    noise = sd * _grainy(random, given.shape, examples.grain)

    def parts(planes: Floats) -> tuple[Floats, Floats]:
        base = _base(planes, examples.factors, examples.sections)
        added = model.refined(planes, base) - base
        return coarser(base, examples.factors), coarser(added, examples.factors)

    (base, added), (_, changed) = parts(given), parts(given + PERTURBATION * noise)
    overlap = float(np.mean(noise * (changed - added))) / PERTURBATION
    best = -(float(np.mean((base - given) * added)) + overlap)
    return float(np.clip(best / max(float(np.mean(added**2)), 1e-20), 0, 1))


def _tiles(frames: Floats, factors: Factors) -> Floats:
    """Return the parts of planes with most contrast, (tiles, rows, columns), grey levels."""
    count = min(len(frames), MOST_FRAMES)
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    planes = frames[chosen].reshape(-1, *frames.shape[-2:])
    sizes = [min(n, TILE) // f * f for n, f in zip(planes.shape[1:], factors, strict=True)]
    corners = [range(0, n - m + 1, m) for n, m in zip(planes.shape[1:], sizes, strict=True)]
    found = [
        plane[top : top + sizes[0], left : left + sizes[1]]
        for plane in planes
        for top in corners[0]
        for left in corners[1]
    ]
    most = max(1, MOST_PIXELS // (sizes[0] * sizes[1]))
    best = np.argsort([-float(tile.std()) for tile in found])[:most]
    return np.stack([found[i] for i in sorted(best)]).astype(np.float32)


def _denoised(planes: Floats, noise: Noise) -> Floats:
    """Return planes without noise, each for itself."""
    return np.stack(
        [unstabilise(nlm(stabilise(plane, noise), grain=noise.grain), noise) for plane in planes]
    )


def _grainy(random: np.random.Generator, shape: tuple[int, ...], grain: float) -> Floats:
    """Return normal noise of unit variance, blurred in each plane by the grain."""
    white = random.standard_normal(shape, dtype=np.float32)
    if grain > 0:
        white = gaussian_filter(white, (0, grain, grain), mode="wrap")
        white /= white.std()
    return np.asarray(white, np.float32)


def _base(coarse: Floats, factors: Factors, sections: Means) -> Floats:
    result = coarse
    for axis, factor in enumerate(factors, 1):
        if factor > 1:
            one = sampling(coarse.shape[axis], factor, "Y")
            result = sections.between(result, one.positions, one.step, axis)
    return result
