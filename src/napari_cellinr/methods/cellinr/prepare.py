"""From an image to all that the CellINR field starts from."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_cellinr.classic.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.noise import uneven_variance
from napari_cellinr.classic.pixels import odd_pixels
from napari_cellinr.fitting.background import in_background
from napari_cellinr.fitting.checkpoint import keeper
from napari_cellinr.methods.cellinr.background import (
    USUAL_WIDTH,
    Scene,
    Separated,
    choose_width,
    find_structure,
    separated,
    unseparated,
)
from napari_cellinr.methods.cellinr.estimate import Guides, Start, Work, group, hold_out, start
from napari_cellinr.methods.cellinr.kernels import no_kernels, solve
from napari_cellinr.methods.cellinr.problem import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.image import Image

__all__ = ["Part", "prepare_sample", "without_odd_pixels"]

ESTIMATE_SHARE = 0.5
"""Largest part of the time limit for the classical estimate."""

LEAST_TRUST = 0.5
"""Part of the kernels that held-out voxels have to confirm: below, their error is misjudged."""


def prepare_sample(
    image: Image,
    config: CellINRConfig,
    noise: Noise,
    *,
    started: float,
    deadline: float | None = None,
) -> Generator[Progress, Message, tuple[Sample, CellINRConfig]]:
    """Yield `Progress`, return the sample and the settings with the chosen estimate filled in.

    Parameters
    ----------
    image
        One frame of one channel, axes ZYX or YX.
    config
        The settings.
    noise
        The noise in grey levels.
    started, deadline
        `time.monotonic()` at the beginning and the end of the job.
    """
    generator = np.random.default_rng(config.seed)
    odd, stabilised = without_odd_pixels(image, noise)
    held, values = hold_out(stabilised, config.held_out, generator)
    left = None if deadline is None else ESTIMATE_SHARE * (deadline - time.monotonic())
    work = Work(noise.grain, torch.get_num_threads(), started, left)
    place = keeper().place("estimate")
    if (kept := place.load()) is not None:
        found, variance = _restored(*kept)
        part = Part(image, config, noise, stabilised, held, found, variance, odd)
    else:
        found = yield from start(values, config.estimate, generator, work)
        part = Part(image, config, noise, stabilised, held, found, n_odd=odd)
        part = yield from _grouped(part, values, work)
        if part.found.complete and place.is_worth_it:
            place.save({"name": part.found.name}, part.arrays())
    sample = None
    if part.found.complete:
        sample = yield from in_background("preparing the fit", part.build, started=started)
    if sample is None:
        sample = part.build(kernels=False, separate=False)
    return sample, config.replace(estimate=part.found.name)


def without_odd_pixels(image: Image, noise: Noise) -> tuple[int, NDArray[np.float32]]:
    """Return the number of hot and dead pixels, and the stabilised values with these replaced.

    Noise with a grain comes from filtering, after which no pixel is alone.
    """
    stabilised = stabilise(image.array(), noise)
    if noise.grain > 0:
        return 0, stabilised
    odd, replaced = odd_pixels(stabilised)
    return int(odd.sum()), replaced


def _grouped(
    part: Part, values: NDArray[np.float32], work: Work
) -> Generator[Progress, Message, Part]:
    """Return the part with the better estimate from groups of patches, if that was chosen."""
    found = part.found
    if not (found.complete and found.name == "groups"):
        return part
    guides = yield from in_background("preparing the groups", part.guides, started=work.started)
    if guides is None:
        return replace(part, found=replace(found, complete=False))
    grouped = yield from group(values, found, guides, work)
    return replace(part, found=grouped, variance=guides.variance)


def _restored(
    header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[Start, NDArray[np.float32] | None]:
    """Return the estimate of a checkpoint, and the variance of the noise."""
    found = Start(arrays["estimate"], arrays["shifted"], arrays["probe"], header["name"])
    return found, arrays.get("variance")


@dataclass(frozen=True)
class Part:
    """What the preparation starts from."""

    image: Image
    config: CellINRConfig
    noise: Noise
    stabilised: NDArray[np.float32]
    held: NDArray[np.bool_]
    found: Start
    variance: NDArray[np.float32] | None = None
    n_odd: int = 0

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return what took long to compute, for a checkpoint."""
        names = ("estimate", "shifted", "probe")
        arrays = {name: getattr(self.found, name) for name in names}
        return arrays if self.variance is None else {**arrays, "variance": self.variance}

    def guides(self) -> Guides:
        """Return what groups of patches are found by: the estimate, improved by kernels."""
        variance = None
        if self.noise.grain == 0:
            variance = uneven_variance(self.stabilised, self.found.estimate)
        spacing = max(2, self.config.kernel_spacing // 2)
        kernels = solve(self.found, self.stabilised, self.held, spacing, variance)
        return Guides(kernels.result(), kernels.applied(self.found.shifted), variance)

    def settled(self) -> Sample:
        """Return the sample of an estimate that no kernels are to improve."""
        return self.build(kernels=False, separate=self.found.complete)

    def build(self, *, kernels: bool = True, separate: bool = True) -> Sample:
        """Return the sample.

        Parameters
        ----------
        kernels
            Whether kernels are to improve the estimate.
        separate
            Whether structures are told from haze; without both, for a job that was stopped, the
            sample is made in a second, and the haze is of the usual width.
        """
        estimate, spacing = self.found.estimate, self.config.kernel_spacing
        if kernels:
            local = solve(
                self.found, self.stabilised, self.held, spacing, self.variance, LEAST_TRUST
            )
            best = local.result()
        else:
            local, best = no_kernels(estimate, spacing), estimate
        confidence, parts = self._separated(unstabilise(best, self.noise), separate)
        return Sample(
            image=self.image,
            values=self.stabilised,
            held=self.held,
            basis=local.basis,
            basis_scale=local.divisors,
            centre=local.centre,
            sensitivity=local.sensitivity,
            kernels=local.weights,
            background=parts.haze,
            background_stride=parts.stride,
            amplification=parts.amplification,
            structure=confidence,
            stride=local.stride,
            trust=local.trust,
            noise=self.noise,
            plain=not kernels,
            n_odd=self.n_odd,
            complete=self.found.complete,
        )

    def chosen(self) -> CellINRConfig:
        """Return the settings with the kind of structure and the width of the haze filled in."""
        scale = self.image.scale
        confidence, kind = find_structure(self.found.estimate, self.config, scale, self.noise.grain)
        width = self.config.background_width or choose_width(confidence, kind, scale)
        return self.config.replace(structure=kind, background_width=width)

    def _separated(
        self, values: NDArray[np.float32], separate: bool
    ) -> tuple[NDArray[np.float32], Separated]:
        """Return the confidence in structures, and signal and haze of denoised grey levels."""
        scale, sign = self.image.scale, -1 if self.config.dark else 1
        width = self.config.background_width
        if not separate:
            nothing = np.zeros_like(values)
            scene = Scene(values, nothing, self.noise, scale, sign)
            return nothing, unseparated(scene, width or USUAL_WIDTH)
        confidence, kind = find_structure(self.found.estimate, self.config, scale, self.noise.grain)
        width = width or choose_width(confidence, kind, scale)
        scene = Scene(values, confidence, self.noise, scale, sign)
        return confidence, (unseparated if kind == "none" else separated)(scene, width)
