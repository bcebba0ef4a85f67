"""From an image to all that the CellINR field starts from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_cellinr.classic.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.classic.background import opening, physical_widths
from napari_cellinr.classic.features import features
from napari_cellinr.classic.structure import find_kind, structure
from napari_cellinr.fields.kernel import solve_kernels
from napari_cellinr.fields.lattice import (
    block_lengths,
    block_means,
    interpolate,
    n_nodes,
    node_weights,
)
from napari_cellinr.methods.cellinr import Sample
from napari_cellinr.methods.start import PROBE, hold_out, start
from napari_cellinr.stages import in_background

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_cellinr.config import CellINRConfig
    from napari_cellinr.fit import Message, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.methods.start import Start

__all__ = ["prepare_sample"]

PLANE_FACTOR = 8
"""More voxels per node in a plane, by the held-out error of real and simulated planes."""

THIN = 4
"""Voxels along an axis up to which a volume counts as a plane."""

SMOOTHING = 0.5
"""Standard deviation, in nodes, of the neighbourhood in which the kernels are solved for."""

RIDGE = 0.005
"""Ridge for features of mean square 1."""

ESTIMATE_SHARE = 0.4
"""Largest part of the time limit for the classical estimate."""

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
    stabilised = stabilise(image.array(), noise)
    held, values = hold_out(stabilised, config.held_out, generator)
    left = None if deadline is None else ESTIMATE_SHARE * (deadline - time.monotonic())
    found = yield from start(
        values,
        config.estimate,
        generator,
        grain=noise.grain,
        n_workers=torch.get_num_threads(),
        started=started,
        seconds=left,
    )
    part = _Part(image, config, noise, stabilised, held, found)
    sample = None
    if found.complete:
        sample = yield from in_background("preparing the fit", part.build, started=started)
    if sample is None:
        sample = part.build(plain=True)
    return sample, config.replace(estimate=found.name)


@dataclass(frozen=True)
class _Part:
    """What the preparation starts from."""

    image: Image
    config: CellINRConfig
    noise: Noise
    stabilised: NDArray[np.float32]
    held: NDArray[np.bool_]
    found: Start

    def build(self, *, plain: bool = False) -> Sample:
        """Return the sample; a plain one in a second, for a job that was stopped.

        The plain one has no kernels but the estimate itself, and haze of the usual width.
        """
        estimate, scale = self.found.estimate, self.image.scale
        basis, divisors, centre = _basis(estimate, full=not plain)
        stride = _node_lengths(estimate.shape, self.config.kernel_spacing)
        if plain:
            sensitivity = kernels = np.zeros(
                (len(basis), *map(n_nodes, estimate.shape, stride)), np.float32
            )
            best, confidence, width = estimate, np.zeros_like(estimate), USUAL_WIDTH
        else:
            sensitivity, kernels = _solve(
                self.found, basis, divisors, self.stabilised, self.held, stride
            )
            best = _convolved(estimate, basis, kernels, stride)
            confidence, kind = _structure(estimate, self.config, scale, self.noise.grain)
            width = _choose_width(confidence, kind, scale)
        width = self.config.background_width or width
        haze, haze_stride = _haze(unstabilise(best, self.noise), width, scale)
        return Sample(
            image=self.image,
            values=self.stabilised,
            held=self.held,
            basis=basis,
            basis_scale=divisors,
            centre=centre,
            sensitivity=sensitivity,
            kernels=kernels,
            background=haze,
            background_stride=haze_stride,
            structure=confidence,
            stride=stride,
            noise=self.noise,
            plain=plain,
        )


def _node_lengths(shape: tuple[int, ...], spacing: int) -> tuple[int, ...]:
    """Return the voxels per node along each axis: cubes of side `spacing` in a volume.

    A plane has fewer voxels of each structure: its nodes hold `PLANE_FACTOR` times as many.
    """
    is_volume = sum(size > THIN for size in shape) > 2
    return block_lengths(shape, spacing**3 * (1 if is_volume else PLANE_FACTOR))


def _basis(
    estimate: NDArray[np.float32], *, full: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return the convolutions with mean square 1, what they were divided by, and the mean."""
    centre = float(estimate.mean(dtype=np.float64))
    parts = features(estimate) if full else estimate[None].copy()
    parts[0] -= centre
    parts = np.concatenate([parts, np.ones_like(parts[:1])])
    spatial = tuple(range(1, parts.ndim))
    scale = np.sqrt((parts.astype(np.float64) ** 2).mean(axis=spatial)).astype(np.float32)
    scale = np.maximum(scale, 1e-6)
    return parts / scale.reshape(-1, *(1,) * estimate.ndim), scale, centre


def _solve(
    found: Start,
    basis: NDArray[np.float32],
    scale: NDArray[np.float32],
    values: NDArray[np.float32],
    held: NDArray[np.bool_],
    stride: tuple[int, ...],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the sensitivity of the convolutions on the nodes and the least-squares kernels."""
    seen = torch.from_numpy((~held).astype(np.float32))
    sensitivity = torch.zeros(len(basis), *block_means(seen[None], stride).shape[1:])
    probe = torch.from_numpy(found.probe) * seen / PROBE
    estimate = torch.from_numpy(found.estimate)
    for index, shifted in enumerate(torch.from_numpy(features(found.shifted))):
        here = estimate if index == 0 else torch.from_numpy(basis[index]) * float(scale[index])
        product = (shifted - here) * probe / float(scale[index])
        sensitivity[index] = block_means(product[None], stride)[0]
    residual = torch.from_numpy(values - found.estimate) * seen
    parts = torch.from_numpy(basis)
    moments = torch.zeros(len(basis), *sensitivity.shape)
    targets = torch.zeros_like(sensitivity)
    for i, part in enumerate(parts):
        targets[i] = block_means((part * residual)[None], stride)[0] - sensitivity[i]
        weighted = part * seen
        for j in range(i, len(parts)):
            moments[i, j] = moments[j, i] = block_means((weighted * parts[j])[None], stride)[0]
    kernels = solve_kernels(_smooth(moments, values.ndim), _smooth(targets, values.ndim), RIDGE)
    return sensitivity.numpy(), kernels.numpy()


def _smooth(means: torch.Tensor, n_spatial: int) -> torch.Tensor:
    """Return means over the neighbourhood of each node; the last `n_spatial` axes are spatial."""
    sigma = (0.0,) * (means.ndim - n_spatial) + (SMOOTHING,) * n_spatial
    return torch.from_numpy(gaussian_filter(means.numpy(), sigma, mode="nearest"))


def _convolved(
    estimate: NDArray[np.float32],
    basis: NDArray[np.float32],
    kernels: NDArray[np.float32],
    stride: tuple[int, ...],
) -> NDArray[np.float32]:
    """Return the estimate convolved with the least-squares kernels."""
    weights = [
        node_weights(torch.arange(size), size, step)
        for size, step in zip(estimate.shape, stride, strict=True)
    ]
    result = torch.from_numpy(estimate).clone()
    for part, grid in zip(torch.from_numpy(basis), torch.from_numpy(kernels), strict=True):
        result += part * interpolate(grid[None], weights)[0]
    return result.numpy()


def _structure(
    estimate: NDArray[np.float32], config: CellINRConfig, scale: tuple[float, ...], grain: float
) -> tuple[NDArray[np.float32], str]:
    """Return the confidence that each voxel belongs to a structure, 0 to 1, and its kind."""
    if config.structure == "none":
        return np.zeros_like(estimate), "none"
    kind = config.structure
    if kind == "auto":
        kind = find_kind(estimate, scale, noise_sd=REMAINING_NOISE, grain=grain)
    confidence = structure(estimate, scale, kind=kind, noise_sd=REMAINING_NOISE, grain=grain)
    return confidence, kind


def _haze(
    estimate: NDArray[np.float32], width: float, scale: tuple[float, ...]
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Return the opening of the estimate in grey levels on the nodes of a grid, and its stride."""
    widths = physical_widths(width, scale)
    stride = tuple(
        min(size, max(1, wide // NODES_PER_WIDTH))
        for wide, size in zip(widths, estimate.shape, strict=True)
    )
    opened = torch.from_numpy(opening(estimate, widths))
    return block_means(opened[None], stride)[0].numpy(), stride


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
