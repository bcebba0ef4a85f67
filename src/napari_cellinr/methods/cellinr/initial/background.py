"""Signal and background (out-of-focus light) of one image, separated by where structures are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum_filter

from napari_cellinr.classic.background import opening, physical_widths
from napari_cellinr.classic.structure import find_kind, structure
from napari_cellinr.fields.grids.nodes import block_means, interpolate, node_weights
from napari_cellinr.methods.cellinr.initial.estimate import THIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise
    from napari_cellinr.config import CellINRConfig

__all__ = [
    "USUAL_WIDTH",
    "Denoised",
    "Levels",
    "Separated",
    "choose_width",
    "find_structure",
    "is_dim",
    "separate",
    "separate_by_opening",
]

REMAINING_NOISE = 0.4
"""Noise that the initial estimate leaves, in standard deviations of the noise of the image."""

WIDTH_PER_THICKNESS = {"sheet": 2.7, "filament": 2.7, "blob": 1.2}
"""Width of the opening per thickness of the structures; chosen on simulated embryos 0 and 1."""

USUAL_WIDTH, NARROWEST = 21.0, 7.0
"""Width of the opening where no structure was found, and the smallest one, in voxels."""

NODES_PER_WIDTH = 6
"""Nodes of the background grid per width of the structures."""

ROUNDS = 4
"""Times that the background is corrected by the voxels away from structures."""

REACH, SPREADS = 5.0, 2.0
"""Width in voxels of the margin around structures, and how many standard deviations a voxel may lie
from the background to count for it."""

SMOOTHNESS = 0.4
"""Standard deviation of the Gaussian mean that corrects the background, as a part of the width."""

WEIGHT_OF_BEFORE = 0.05
"""Fraction of voxels away from structures at which the background before counts as much as they."""

OFF = 0.2
"""Confidence below which a voxel belongs to no structure."""

SURE, SURE_IF_DIM = 4.0, 0.3
"""Energy of the signal, in that of the remaining noise, below which it is taken for noise."""

DIM = 2.5
"""Contrast of a denoised image, in standard deviations of the noise before, below which structures
and background can hardly be told apart."""

WIDER_IF_DIM, LOWER_IF_DIM = 2.0, 0.8
"""Factor of the width of the opening in a dim image, whose structures are blurred by denoising;
and how far below the middle its background is, in standard deviations of what is off structures."""

NEXT_TO_NOTHING = 0.02
"""Standard deviations of the noise from the background up to which voxels are taken for masked."""

MOST_LEFT = {2: 0.3, 3: 0.16}
"""Noise that denoising leaves at most, by the number of axes, in standard deviations of the noise.

Where structures fill the image, dim ones that were not recognised would be taken for noise.
"""

MOST_SAMPLES = 200_000
"""Voxels from which a median is taken."""


@dataclass(frozen=True)
class Levels:
    """What is measured in a whole image to separate it, so that its parts are separated alike.

    Parameters
    ----------
    dim
        Whether the contrast is so low that structures are rather to be kept than noise removed.
    rounds
        Middle and spread of what is above the background away from structures, in each round, in
        standard deviations of the noise.
    left
        Standard deviation of the noise that denoising has left, in the same unit.
    """

    dim: bool
    rounds: tuple[tuple[float, float], ...]
    left: float


@dataclass(frozen=True)
class Denoised:
    """A denoised image that is to be separated; arrays of axes ZYX or YX.

    Parameters
    ----------
    values
        Denoised grey levels, float32.
    confidence
        That a voxel belongs to a structure, 0 to 1, float32.
    noise
        The noise before denoising.
    scale
        Voxel size along each axis.
    sign
        −1 if structures are darker than what is around them, else 1.
    dim
        Whether the contrast is so low that structures are rather to be kept than noise removed.
    levels
        Of the whole image, if this is a part of one.
    """

    values: NDArray[np.float32]
    confidence: NDArray[np.float32]
    noise: Noise
    scale: tuple[float, ...]
    sign: int = 1
    dim: bool = False
    levels: Levels | None = None


@dataclass(frozen=True)
class Separated:
    """The background, and how much of what is above it is signal.

    Parameters
    ----------
    background
        Out-of-focus light in grey levels, on the nodes of a coarse grid, float32.
    stride
        Voxels per node of that grid.
    amplification
        What the signal is multiplied by at each voxel, 255 for 1, uint8.
    levels
        What was measured; None if only an opening was made.
    widths
        Of the opening, in voxels; empty if only an opening was made.
    """

    background: NDArray[np.float32]
    stride: tuple[int, ...]
    amplification: NDArray[np.uint8]
    levels: Levels | None = None
    widths: tuple[int, ...] = ()


def find_structure(
    estimate: NDArray[np.float32], config: CellINRConfig, scale: tuple[float, ...], grain: float
) -> tuple[NDArray[np.float32], str]:
    """Return the confidence that each voxel belongs to a structure, 0 to 1, and its kind.

    Parameters
    ----------
    estimate
        Denoised stabilised values, axes ZYX or YX.
    config
        The settings, of which `structure` and `dark` are used.
    scale
        Voxel size along each axis, all in one unit.
    grain
        Standard deviation of the blur in the noise, in voxels.

    Returns
    -------
    tuple
        The confidence, axes of `estimate`, float32, and `sheet`, `filament`, `blob` or `none`.
    """
    if config.structure == "none":
        return np.zeros_like(estimate), "none"
    kind, sign = config.structure, -1 if config.dark else 1
    if kind == "auto":
        kind = find_kind(estimate, scale, sign=sign, noise_sd=REMAINING_NOISE, grain=grain)
    confidence = structure(
        estimate, scale, kind=kind, sign=sign, noise_sd=REMAINING_NOISE, grain=grain
    )
    return confidence, kind


def is_dim(estimate: NDArray[np.float32], *, dark: bool = False) -> bool:
    """Return whether the contrast of an image is so low that it may hide structures.

    Parameters
    ----------
    estimate
        Denoised stabilised values, axes ZYX or YX.
    dark
        Whether structures are darker than what is around them.
    """
    some = estimate.reshape(-1)[:: estimate.size // MOST_SAMPLES + 1]
    low, middle, high = np.quantile(some, (0.001, 0.5, 0.999))
    return float(middle - low if dark else high - middle) < DIM


def choose_width(
    confidence: NDArray[np.float32], kind: str, scale: tuple[float, ...], *, dim: bool = False
) -> float:
    """Return the width of an opening that removes all structures, in voxels of the last axis.

    Sheets and filaments meet in junctions, which are thicker than they are; so they need a wider
    opening for their thickness than blobs.

    Parameters
    ----------
    confidence
        That each voxel belongs to a structure, 0 to 1, axes ZYX or YX.
    kind
        `sheet`, `filament` or `blob`.
    scale
        Voxel size along each axis, all in one unit.
    dim
        Whether the contrast of the image is low.
    """
    inside, factor = confidence > 0.5, WIDER_IF_DIM if dim else 1.0
    if not inside.any() or inside.all():
        return factor * USUAL_WIDTH
    thickness = 2 * float(np.quantile(_depths(inside, scale), 0.98))
    return factor * max(NARROWEST, thickness * WIDTH_PER_THICKNESS[kind])


def _depths(inside: NDArray[np.bool_], scale: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the distance of each voxel inside to the nearest one outside, in voxels along X.

    The same as `distance_transform_edt(…)[inside]` with distances, but these are computed plane by
    plane: those of a whole image would be in memory several times.
    """
    sampling = np.array([step / scale[-1] for step in scale])
    nearest = distance_transform_edt(
        inside, sampling=sampling, return_distances=False, return_indices=True
    )
    depths = []
    for number, plane in enumerate(inside):
        own = np.nonzero(plane)
        apart = [nearest[0, number][own] - number]
        apart += [places[number][own] - at for places, at in zip(nearest[1:], own, strict=True)]
        squares = [(step * far) ** 2 for step, far in zip(sampling, apart, strict=True)]
        depths.append(np.sqrt(sum(squares[1:], squares[0])))
    return np.concatenate(depths)


def separate_by_opening(image: Denoised, width: float) -> Separated:
    """Return the opening of an image as its background, and all that is above it as signal.

    For dark structures it is the closing.

    Parameters
    ----------
    image
        The denoised image.
    width
        Width above which brightness counts as background, in voxels of the last axis.
    """
    nodes, stride = _opened(image, physical_widths(width, image.scale))
    return Separated(image.sign * nodes, stride, np.full(image.values.shape, 255, np.uint8))


def separate(image: Denoised, width: float) -> Separated:
    """Return the background that explains the voxels away from structures, and the amplification.

    The opening is a minimum, which lies below an uneven background. Therefore it is corrected
    four times by the mean of the voxels that are away from structures and near to the background.
    The signal is amplified as in the paper (Zhao et al., eq. 8-11), but softly: it counts fully
    on structures, and elsewhere as far as its energy in the neighbourhood is above that of the
    remaining noise (Wiener's rule). In a dim image, where structures are hardly distinguished
    from noise, the background is assumed lower, and more of the remaining noise is kept.

    Parameters
    ----------
    image, width
        As for `separate_by_opening`.
    """
    widths = physical_widths(width, image.scale)
    nodes, stride = _opened(image, widths)
    weights = [
        node_weights(torch.arange(size), size, step)
        for size, step in zip(image.values.shape, stride, strict=True)
    ]
    values = image.values * np.float32(image.sign)

    def at_voxels(grid: NDArray[np.float32]) -> NDArray[np.float32]:
        voxels: NDArray[np.float32] = interpolate(torch.from_numpy(grid)[None], weights)[0].numpy()
        return voxels

    deviation = at_voxels(nodes)
    for plane in deviation:  # not all at once, in float64
        plane[...] = image.noise.sd(image.sign * plane)
    clear, most = _clear_of_structures(image), _most_left(image)
    sigma = [SMOOTHNESS * wide / step for wide, step in zip(widths, stride, strict=True)]
    rounds: list[tuple[float, float]] = []
    for number in range(ROUNDS if clear.any() else 0):
        excess = values - at_voxels(nodes)
        ratio = excess / deviation
        given = image.levels.rounds if image.levels else ()
        centre, spread = given[number] if given else _middle(ratio[clear])
        rounds.append((centre, spread))
        centre -= LOWER_IF_DIM * spread * image.dim
        centre, spread = float(np.clip(centre, -most / 2, most / 2)), min(spread, most)
        near = (clear & (np.abs(ratio - centre) < SPREADS * spread)).astype(np.float32)
        sums = block_means(torch.from_numpy(np.stack([near * excess, near])), stride).numpy()
        total, weight = (gaussian_filter(part, sigma) for part in sums)
        nodes = nodes + total / (weight + np.float32(WEIGHT_OF_BEFORE))
    excess = values - at_voxels(nodes)
    left = image.levels.left if image.levels else _noise_left(image, excess / deviation)
    factor = _amplification(image, excess, left * deviation)
    levels = Levels(image.dim, tuple(rounds), left)
    return Separated(image.sign * nodes, stride, factor, levels, widths)


def _opened(
    image: Denoised, widths: tuple[int, ...]
) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """Return the opening on the nodes of a grid, times the sign, and voxels per node."""
    stride = tuple(
        min(size, max(1, wide // NODES_PER_WIDTH))
        for wide, size in zip(widths, image.values.shape, strict=True)
    )
    opened = torch.from_numpy(opening(image.sign * image.values, widths))
    return block_means(opened[None], stride)[0].numpy(), stride


def _clear_of_structures(image: Denoised) -> NDArray[np.bool_]:
    """Return which voxels have no structure nearby."""
    box = [wide // 2 * 2 + 1 for wide in physical_widths(REACH, image.scale)]
    clear: NDArray[np.bool_] = maximum_filter(image.confidence, box) < OFF
    return clear


def _most_left(image: Denoised) -> float:
    """Return the largest noise that may be left, in standard deviations of the noise before."""
    if image.noise.grain > 0:
        return REMAINING_NOISE
    return MOST_LEFT[2 if min(image.values.shape) <= THIN else image.values.ndim]


def _noise_left(image: Denoised, ratio: NDArray[np.float32]) -> float:
    """Return the noise that is left off structures, in standard deviations of that before."""
    left = ratio[image.confidence < OFF]
    return min(_middle(left[np.abs(left) > NEXT_TO_NOTHING])[1], _most_left(image))


def _amplification(
    image: Denoised, excess: NDArray[np.float32], left: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return what the signal is to be multiplied by, 255 for 1."""
    confidence = image.confidence
    sigma = [image.scale[-1] / step for step in image.scale]
    energy = gaussian_filter(excess**2, sigma)
    noise = (SURE_IF_DIM if image.dim else SURE) * left**2
    signal = np.maximum(energy - noise, 0) / np.maximum(energy, np.float32(1e-12))
    factor: NDArray[np.float32] = confidence + (1 - confidence) * signal
    return np.asarray(np.rint(255 * factor), np.uint8)


def _middle(values: NDArray[Any]) -> tuple[float, float]:
    """Return median and standard deviation, the latter from the median distance; 0 of nothing."""
    some = values[:: len(values) // MOST_SAMPLES + 1]
    if len(some) == 0:
        return 0.0, 0.0
    centre = float(np.median(some))
    return centre, 1.4826 * float(np.median(np.abs(some - centre)))
