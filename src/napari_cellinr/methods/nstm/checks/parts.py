"""Which pixels the two fits see that check a motion, and which error their differences tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_cellinr.methods.nstm.plan import held_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.methods.nstm.problem import NSTMProblem

__all__ = ["HALF", "THREE_QUARTERS", "error_of", "part_seen", "parts_of", "usual_part"]

HALF, THREE_QUARTERS = 0.5, 0.75
"""Part of the pixels that each of the fits sees."""

USUAL = 0.62
"""Usual error of the motion relative to one that nine of ten points do not reach."""

AROUND = 3.0
"""Standard deviation in pixels of the neighbourhood in which the error of a phase is averaged."""


def part_seen(layers: int, *, nonnegative: bool) -> float:
    """Return which part of the pixels each fit sees.

    Halves share no pixel. A phase, of which each frame shows a part of the directions only, and
    several images that add up need more pixels: from half of them they end in optima of their own.

    Parameters
    ----------
    layers
        Images that add up.
    nonnegative
        Whether the scene is light, not a phase.
    """
    return HALF if layers == 1 and nonnegative else THREE_QUARTERS


def parts_of(whole: NSTMProblem) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the pixels that either fit sees, in random blocks, shape of the frames, bool.

    No pixel is unseen by both.

    Parameters
    ----------
    whole
        What was fitted to all pixels.
    """
    generator = np.random.default_rng(whole.config.seed + 1)
    shape = tuple(whole.frames.shape)
    margin = (0,) * (len(shape) - 1)
    first = torch.from_numpy(held_blocks(shape, margin, 0.5, generator)).to(whole.device)
    if whole.part_seen == HALF:
        return first, ~first
    other = torch.from_numpy(held_blocks(shape, margin, 0.5, generator)).to(whole.device)
    return ~(first & other), ~(~first & other)


def usual_part(*, seen: float, layers: int) -> float:
    """Return the usual error of the motion relative to what `error_of` returns.

    The mean square, of a phase, is a usual error itself. Its fits share half of their pixels, and
    often a wrong optimum, so that it is too small rather than too large.

    Parameters
    ----------
    seen
        Part of the pixels that each fit sees.
    layers
        Images that add up.
    """
    return USUAL if seen == HALF or layers > 1 else 1.0


def error_of(
    apart: NDArray[np.float32], *, seen: float, layers: int, zoom: tuple[float, ...]
) -> NDArray[np.float32]:
    """Return how far the motion may be wrong where the fits differ from it.

    Nine of ten points are nearer to the truth. Variances are inverse to the number of pixels, so
    that a difference to a fit of three quarters of them counts √3 times. Of a phase, the mean
    square of both differences in a neighbourhood counts, else the larger one; see
    docs/decisions/motion-reliability.md.

    Parameters
    ----------
    apart
        Differences to the motion, (2, T, [Z,] Y, X), in pixels.
    seen
        Part of the pixels that each fit sees.
    layers
        Images that add up.
    zoom
        Voxels of the scene per pixel of the frames.
    """
    if seen == HALF or layers > 1:
        more = 1.0 if seen == HALF else math.sqrt(3)
        largest: NDArray[np.float32] = (more * apart.max(0)).astype(np.float32)
        return largest
    sigma = (*(0.0,) * (apart.ndim - 3), AROUND * zoom[-2], AROUND * zoom[-1])
    squares = gaussian_filter(np.square(apart).mean(0), sigma)
    error: NDArray[np.float32] = np.sqrt(3 * np.maximum(squares, 0)).astype(np.float32)
    return error
