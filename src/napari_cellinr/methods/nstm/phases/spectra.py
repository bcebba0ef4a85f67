"""Covariance of the frames of a random phase, for each frequency."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "TRANSFORM_SIDE",
    "Transfer",
    "inverse_covariance",
    "products_at_rest",
    "smaller_transfer",
]

Transfer: TypeAlias = "tuple[NDArray[np.complexfloating], NDArray[np.complexfloating]]"
"""Transfer functions of absorption and phase for each frame, each (frames, Y, X // 2 + 1)."""

POWERS = tuple(np.geomspace(1e-2, 3.0, 6))
LENGTHS = (1.2, 2.0, 3.0)
ABSORBED = ((0.1, 0.0), (0.3, 0.0), (0.05, 0.95), (0.1, 0.95), (0.2, 0.95))
"""Power of the phase per pixel, width of its structures in pixels, absorption relative to phase and
correlation of both, of which the most likely ones are taken
(docs/decisions/motion-layers.md)."""

TRANSFORM_SIDE = 64
"""Pixels along a side of what is transformed for each part of larger frames: seven widths."""


def smaller_transfer(transfer: Transfer, grid: tuple[int, int]) -> tuple[Transfer, tuple[int, int]]:
    """Return transfer functions on a smaller grid, by their point responses, and that grid.

    Parameters
    ----------
    transfer
        Transfer functions of absorption and phase, each (frames, Y, X // 2 + 1).
    grid
        Size of their transform, (Y, X); the new one has `TRANSFORM_SIDE` pixels at most.
    """
    small = tuple(min(TRANSFORM_SIDE, n) for n in grid)
    places = [
        np.r_[: (n + 1) // 2, n_all - n // 2 : n_all] for n, n_all in zip(small, grid, strict=True)
    ]
    parts = []
    for part in transfer:
        response = np.fft.irfft2(part, grid)[:, places[0]][..., places[1]]
        parts.append(np.fft.rfft2(response))
    return (parts[0], parts[1]), (small[0], small[1])


def _tiles(frames: NDArray[np.floating], grid: tuple[int, int]) -> Iterator[NDArray[np.floating]]:
    """Yield parts of the frames that a transform can hold."""
    for y in range(0, frames.shape[1], grid[0]):
        for x in range(0, frames.shape[2], grid[1]):
            yield frames[:, y : y + grid[0], x : x + grid[1]]


def products_at_rest(
    frames: NDArray[np.floating], grid: tuple[int, int]
) -> NDArray[np.complexfloating]:
    """Return the mean products of the spectra of all frames, per pixel.

    Parameters
    ----------
    frames
        Contrast, (frames, Y, X).
    grid
        Size of the transform, (Y, X).

    Returns
    -------
    numpy.ndarray
        (Y, X // 2 + 1, frames, frames), complex.
    """
    tiles = list(_tiles(frames, grid))
    spectra = [np.moveaxis(np.fft.rfft2(tile, grid), 0, -1) for tile in tiles]
    total = sum(one[..., :, None] * one[..., None, :].conj() for one in spectra)
    products: NDArray[np.complexfloating] = total / frames[0].size
    return products


def inverse_covariance(
    products: NDArray[np.complexfloating], transfer: Transfer, grid: tuple[int, int], noise: float
) -> NDArray[np.complexfloating]:
    """Return the inverse covariance of the frames at rest for each frequency.

    Spectra are Gaussian; of those that are tried, that with which the products are most likely.

    Parameters
    ----------
    products
        Mean products of the spectra of frames, (Y, X // 2 + 1, frames, frames), per pixel.
    transfer
        Transfer functions of absorption and phase, each (frames, Y, X // 2 + 1).
    grid
        Size of the transform, (Y, X).
    noise
        Standard deviation of the noise, in the unit of the frames.

    Returns
    -------
    numpy.ndarray
        (Y, X // 2 + 1, frames, frames), complex.
    """
    absorption, phase = (np.moveaxis(part, 0, -1) for part in transfer)
    ky, kx = np.fft.fftfreq(grid[0])[:, None], np.fft.rfftfreq(grid[1])[None]
    squared = (2 * np.pi) ** 2 * (ky**2 + kx**2)
    twice = np.full(absorption.shape[1], 2.0)  # negative frequencies are not stored
    twice[0] = 1.0
    if grid[1] % 2 == 0:
        twice[-1] = 1.0
    of_phase, of_absorption = (
        part[..., None] * part[..., None, :].conj() for part in (phase, absorption)
    )
    of_both = phase[..., None] * absorption[..., None, :].conj()
    of_both = of_both + absorption[..., None] * phase[..., None, :].conj()
    rest = noise**2 * np.eye(products.shape[-1])
    best, kept = -np.inf, np.linalg.inv(rest + of_phase)
    for length, (part, alike), power in product(LENGTHS, ABSORBED, POWERS):
        shape = power * np.exp(-squared * length**2)[..., None, None]
        covariance = rest + shape * (of_phase + part**2 * of_absorption + alike * part * of_both)
        inverse = np.linalg.inv(covariance)
        misfit = np.einsum("yxkl,yxlk->yx", inverse, products).real
        spread = np.linalg.slogdet(covariance)[1]
        likely = -0.5 * float(((misfit + spread) * twice).sum())
        if likely > best:
            best, kept = likely, inverse
    return kept
