"""From an image to all that the CellINR field starts from."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from napari_cellinr.checkpoint import keeper
from napari_cellinr.classic.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.background import opening, physical_widths
from napari_cellinr.classic.noise import uneven_variance
from napari_cellinr.classic.pixels import odd_pixels
from napari_cellinr.classic.structure import find_kind, structure
from napari_cellinr.fields.lattice import block_means
from napari_cellinr.methods.cellinr import Sample
from napari_cellinr.methods.kernels import no_kernels, solve
from napari_cellinr.methods.start import Guides, Start, Work, group, hold_out, start
from napari_cellinr.stages import in_background

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fit import Message, Progress
    from napari_cellinr.image import Image

__all__ = ["Part", "choose_width", "prepare_sample", "without_odd_pixels"]

ESTIMATE_SHARE = 0.5
"""Largest part of the time limit for the classical estimate."""

LEAST_TRUST = 0.5
"""Part of the kernels that held-out voxels have to confirm: below, their error is misjudged."""

REMAINING_NOISE = 0.4
"""Noise that the classical estimate leaves, in standard deviations of the noise before."""

WIDTH_PER_THICKNESS = {"sheet": 2.7, "filament": 2.7, "blob": 1.2}
"""Width of the opening per thickness of the structures; chosen on simulated embryos 0 and 1."""

USUAL_WIDTH, NARROWEST = 21.0, 7.0
"""Width of the opening where no structure was found, and the smallest one, in voxels."""

NODES_PER_WIDTH = 6
"""Nodes of the background grid per width of the structures."""


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
        sample = part.build(plain=True)
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
        return self.build(plain=True)

    def build(self, *, plain: bool = False) -> Sample:
        """Return the sample; a plain one in a second, for a job that was stopped.

        The plain one has no kernels but the estimate itself, and haze of the usual width.
        """
        estimate, scale, spacing = self.found.estimate, self.image.scale, self.config.kernel_spacing
        if plain:
            kernels = no_kernels(estimate, spacing)
            best, confidence, width = estimate, np.zeros_like(estimate), USUAL_WIDTH
        else:
            kernels = solve(
                self.found, self.stabilised, self.held, spacing, self.variance, LEAST_TRUST
            )
            best = kernels.result()
            confidence, kind = _structure(estimate, self.config, scale, self.noise.grain)
            width = _choose_width(confidence, kind, scale)
        width = self.config.background_width or width
        sign = -1 if self.config.dark else 1
        haze, haze_stride = _haze(unstabilise(best, self.noise), width, scale, sign)
        return Sample(
            image=self.image,
            values=self.stabilised,
            held=self.held,
            basis=kernels.basis,
            basis_scale=kernels.divisors,
            centre=kernels.centre,
            sensitivity=kernels.sensitivity,
            kernels=kernels.weights,
            background=haze,
            background_stride=haze_stride,
            structure=confidence,
            stride=kernels.stride,
            trust=kernels.trust,
            noise=self.noise,
            plain=plain,
            n_odd=self.n_odd,
            complete=self.found.complete,
        )


def _structure(
    estimate: NDArray[np.float32], config: CellINRConfig, scale: tuple[float, ...], grain: float
) -> tuple[NDArray[np.float32], str]:
    """Return the confidence that each voxel belongs to a structure, 0 to 1, and its kind."""
    if config.structure == "none":
        return np.zeros_like(estimate), "none"
    kind, sign = config.structure, -1 if config.dark else 1
    if kind == "auto":
        kind = find_kind(estimate, scale, sign=sign, noise_sd=REMAINING_NOISE, grain=grain)
    confidence = structure(
        estimate, scale, kind=kind, sign=sign, noise_sd=REMAINING_NOISE, grain=grain
    )
    return confidence, kind


def _haze(
    estimate: NDArray[np.float32], width: float, scale: tuple[float, ...], sign: int
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Return the opening of the estimate in grey levels on the nodes of a grid, and its stride.

    For dark structures, `sign` −1, it is the closing.
    """
    widths = physical_widths(width, scale)
    stride = tuple(
        min(size, max(1, wide // NODES_PER_WIDTH))
        for wide, size in zip(widths, estimate.shape, strict=True)
    )
    opened = torch.from_numpy(sign * opening(sign * estimate, widths))
    return block_means(opened[None], stride)[0].numpy(), stride


def choose_width(part: Part) -> float:
    """Return the width, in voxels of the last axis, above which brightness counts as haze."""
    scale = part.image.scale
    confidence, kind = _structure(part.found.estimate, part.config, scale, part.noise.grain)
    return _choose_width(confidence, kind, scale)


def _choose_width(confidence: NDArray[np.float32], kind: str, scale: tuple[float, ...]) -> float:
    """Return a width, in voxels of the last axis, that no structure fills.

    Blobs are taken for what they are; sheets and filaments meet in junctions, which are
    thicker than they are themselves.
    """
    inside = confidence > 0.5
    if not inside.any() or inside.all():
        return USUAL_WIDTH
    depth = distance_transform_edt(inside, sampling=[step / scale[-1] for step in scale])
    thickness = 2 * float(np.quantile(depth[inside], 0.98))
    return max(NARROWEST, thickness * WIDTH_PER_THICKNESS[kind])
