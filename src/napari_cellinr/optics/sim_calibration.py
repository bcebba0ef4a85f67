"""Illumination patterns estimated from raw frames: bands, carriers, phases and contrasts.

After Gustafsson et al. (2008), Biophysical Journal 94, 4957. A raw frame is the sum of the bands
B_0 + sum_o [ exp(i phi) B_o + exp(-i phi) B_o* ] / 2: the factor 1/2 of the cosine is part of the
separation, so that the strength of a band is the contrast itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.sim import fine_size
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Order",
    "find_carrier",
    "fit_order",
    "full_transfer",
    "ramp",
    "separate",
    "taper",
    "upsample",
    "without_blur",
]

COARSE = 3.5
"""Periods per frame below which light leaks from the faded edges."""

HAZE = 0.2
"""Part of the finest frequency below which most light may come from out of focus."""


@dataclass(frozen=True)
class Order:
    """The estimate of one order of the illumination.

    Parameters
    ----------
    carrier
        Wave vector (y, x) in cycles per camera pixel.
    phase
        Phase of the order where its phases are 0, in radians.
    contrast
        Strength of the order, 0 to 1.
    agreement
        Correlation of its band with that of order 0 where both are seen, 0 to 1.
    """

    carrier: tuple[float, float]
    phase: float
    contrast: float
    agreement: float


def separate(frames: torch.Tensor, phases: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    """Return the bands of order 0 and of all others, (1 + orders, [Z,] Y, X), complex128.

    Least squares, for any phases; those of a standard set give the usual means.

    Parameters
    ----------
    frames
        One frame per pattern, or the mean of several, (patterns, [Z,] Y, X).
    phases
        Phase in radians of every order in every pattern, (patterns, orders).
    active
        Whether the order is on in the pattern, (patterns, orders) bool.

    Raises
    ------
    ConfigError
        If the phases do not tell the orders apart.
    """
    waves = torch.exp(1j * phases.double()) * active / 2
    mixing = torch.cat([torch.ones_like(waves[:, :1]), waves, waves.conj()], dim=1)
    if int(torch.linalg.matrix_rank(mixing, rtol=1e-3)) < mixing.shape[1]:
        raise ConfigError(
            f"{n_of(phases.shape[0], 'frame')} with these phases given for "
            f"{n_of(phases.shape[1], 'order')}; "
            "the phases do not tell the orders apart: different phases or more frames are needed."
        )
    unmixing = torch.linalg.pinv(mixing)[: 1 + phases.shape[1]]
    flat = frames.double().reshape(len(frames), -1).to(unmixing.dtype)
    bands: torch.Tensor = (unmixing @ flat).reshape(-1, *frames.shape[1:])
    return bands


def taper(frames: torch.Tensor, width: int = 100_000) -> torch.Tensor:
    """Return frames that fade to 0 towards the edges, so that they are periodic.

    Parameters
    ----------
    frames
        Values (…, Y, X).
    width
        Pixels over which they fade. By default all up to the middle: then the window adds to the
        coarsest frequencies only.
    """
    result = frames
    for axis in (-2, -1):
        size = frames.shape[axis]
        edge = min(width, size // 2)
        place = torch.arange(size, device=frames.device)
        inside = torch.minimum(place, size - 1 - place).clamp(max=edge) + 0.5
        window = torch.sin(0.5 * math.pi * (inside / (edge + 0.5)).clamp(max=1)) ** 2
        result = result * window.reshape((-1, 1) if axis == -2 else (1, -1))
    return result


def upsample(values: torch.Tensor, fine: Sequence[int]) -> torch.Tensor:
    """Return values on a finer grid of the same extent: zero-padded in frequency space.

    Parameters
    ----------
    values
        Complex values (…, Y, X).
    fine
        Number of pixels along y and x of the result, not less than those of the values.

    Returns
    -------
    torch.Tensor
        Complex values (…, *fine) with the same mean.
    """
    size = values.shape[-2:]
    spectrum = torch.fft.fftshift(torch.fft.fft2(values), dim=(-2, -1))
    padded = spectrum.new_zeros((*values.shape[:-2], *fine))
    start = [f // 2 - n // 2 for f, n in zip(fine, size, strict=True)]
    padded[..., start[0] : start[0] + size[0], start[1] : start[1] + size[1]] = spectrum
    share = math.prod(fine) / math.prod(size)
    result: torch.Tensor = torch.fft.ifft2(torch.fft.ifftshift(padded, dim=(-2, -1))) * share
    return result


def ramp(
    carrier: Sequence[float], fine: Sequence[int], zoom: Sequence[float], *, centred: bool = False
) -> torch.Tensor:
    """Return exp(2 pi i k . r) on the fine grid (Y, X), complex128.

    Parameters
    ----------
    carrier
        k as (y, x) in cycles per camera pixel.
    fine, zoom
        Size of the fine grid, and its pixels per camera pixel.
    centred
        Whether r is negative in the second half of each axis.
    """
    waves = []
    for k, n, z in zip(carrier, fine, zoom, strict=True):
        place = torch.arange(n, dtype=torch.float64)
        if centred:
            place = place - n * (place >= n / 2)
        waves.append(torch.exp(2j * math.pi * k * place / z))
    return waves[0][:, None] * waves[1][None, :]


def find_carrier(
    bands: torch.Tensor, guess: Sequence[float], *, reach: float = 3.0
) -> tuple[float, float]:
    """Return the wave vector (y, x) at which two bands agree best, in cycles per camera pixel.

    Parameters
    ----------
    bands
        Order 0 and the other one, both freed from the blur, (2, [Z,] Y, X), complex.
    guess
        Where to look.
    reach
        How far from it, in steps of the frequency grid.
    """
    fine = upsample(bands, fine_size(bands.shape[-2:], 2.0))
    product = fine[1] * fine[0].conj()
    if product.ndim == 3:
        product = product.sum(0)
    zoom = [f / n for f, n in zip(product.shape, bands.shape[-2:], strict=True)]
    window = taper(product - product.mean(), 8)
    best, centre = 0.0, (float(guess[0]), float(guess[1]))
    step = [reach / n / 4 for n in bands.shape[-2:]]
    for level in range(8):
        middle = centre
        offsets = range(-4, 5) if level == 0 else range(-2, 3)
        for dy in offsets:
            for dx in offsets:
                k = (middle[0] + dy * step[0], middle[1] + dx * step[1])
                strength = _strength(window, k, zoom)
                if strength > best:
                    best, centre = strength, k
        step = [s / 2 for s in step]
    return centre


def _strength(product: torch.Tensor, k: Sequence[float], zoom: Sequence[float]) -> float:
    """Return the magnitude of one frequency of a product, (Y, X)."""
    waves = [
        torch.exp(-2j * math.pi * k_axis * torch.arange(n, dtype=torch.float64) / z)
        for k_axis, n, z in zip(k, product.shape, zoom, strict=True)
    ]
    return float((waves[0] @ product @ waves[1]).abs())


def fit_order(
    bands: torch.Tensor,
    transfers: torch.Tensor,
    carrier: Sequence[float],
    *,
    least: float = 0.005,
) -> Order:
    """Return phase, contrast and agreement of an order, from where its band overlaps order 0.

    There, the band times the transfer function of order 0, moved, is order 0 times that of the
    band, moved, times contrast and phase. Each is weighted by what both transmit.

    Parameters
    ----------
    bands
        Order 0 and the other one as they are recorded, (2, [Z,] Y, X), complex.
    transfers
        Transfer functions of both on the full grid of an FFT, (2, [Z,] Y, X), complex.
    carrier
        Wave vector (y, x) in cycles per camera pixel.
    least
        Part of the largest transmission below which a frequency is left out.
    """
    axes = tuple(range(1 - bands.ndim, 0))
    size = fine_size(bands.shape[-2:], 2.0)
    fine = [upsample(values, size) for values in (*bands, *torch.fft.ifftn(transfers, dim=axes))]
    zoom = [f / n for f, n in zip(size, bands.shape[-2:], strict=True)]
    back = ramp(carrier, size, zoom).conj()
    transmitted = torch.fft.fftn(fine[2], dim=axes)
    moved = torch.fft.fftn(fine[3] * ramp(carrier, size, zoom, centred=True).conj(), dim=axes)
    limit = least * transmitted.abs().max(), least * moved.abs().max()
    overlap = (transmitted.abs() > limit[0]) & (moved.abs() > limit[1])
    steps = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in size]
    radius = torch.hypot(steps[0][:, None], steps[1][None, :]).expand(overlap.shape)
    lit = transmitted.abs() > limit[0]
    # Below, light from out of focus is in order 0 but not in the fringes.
    overlap &= radius > max(COARSE, HAZE * float(radius[lit].max()))
    first = (torch.fft.fftn(fine[0], dim=axes) * moved)[overlap]
    second = (torch.fft.fftn(fine[1] * back, dim=axes) * transmitted)[overlap]
    cross = (second * first.conj()).sum()
    power = (first.abs() ** 2).sum(), (second.abs() ** 2).sum()
    if not overlap.any() or float(power[0]) == 0 or float(power[1]) == 0:
        return Order((carrier[0], carrier[1]), 0.0, 0.0, 0.0)
    # Noise in order 0 would make the contrast look smaller (regression dilution).
    noise = _noise_power(bands[0], transfers[0]) * (moved.abs() ** 2)[overlap].sum()
    clean = torch.maximum(power[0] - noise, 0.1 * power[0])
    contrast = float(cross.abs() / clean)
    agreement = float(cross.abs() / torch.sqrt(power[0] * power[1]))
    return Order((carrier[0], carrier[1]), float(cross.angle()), contrast, agreement)


def _noise_power(band: torch.Tensor, transfer: torch.Tensor) -> float:
    """Return the power of one frequency of the finer grid that is noise: what no lens transmits."""
    dark = transfer.abs() < 1e-6 * transfer.abs().max()
    if int(dark.sum()) < 16:
        return 0.0
    axes = tuple(range(-band.ndim, 0))
    share = math.prod(fine_size(band.shape[-2:], 2.0)) / math.prod(band.shape[-2:])
    return (
        float((torch.fft.fftn(band, dim=axes)[dark].abs() ** 2).median() / math.log(2)) * share**2
    )


def without_blur(bands: torch.Tensor, transfers: torch.Tensor, noise: float = 0.3) -> torch.Tensor:
    """Return bands freed from their blur where it transmits, coarse structures held back.

    Parameters
    ----------
    bands, transfers
        As for `fit_order`.
    noise
        Transmission below which a frequency counts little, as a part of the usual one.
    """
    axes = tuple(range(1 - bands.ndim, 0))
    strongest = transfers.abs().amax(dim=axes, keepdim=True)
    relative = transfers / strongest
    power = relative.abs() ** 2
    lit = power > 1e-5
    usual = (power * lit).sum(dim=axes, keepdim=True) / lit.sum(dim=axes, keepdim=True)
    weight = relative.conj() / (power + noise**2 * usual)
    steps = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in bands.shape[-2:]]
    weight = weight * (torch.hypot(steps[0][:, None], steps[1][None, :]) >= COARSE)
    result: torch.Tensor = torch.fft.ifftn(torch.fft.fftn(bands, dim=axes) * weight, dim=axes)
    return result


def full_transfer(transfers: torch.Tensor, n_columns: int) -> torch.Tensor:
    """Return transfer functions on all frequencies from the half that `rfft` returns.

    Parameters
    ----------
    transfers
        Complex values (groups, [Z,] Y, X // 2 + 1).
    n_columns
        Number of columns X of the full grid.

    Returns
    -------
    torch.Tensor
        Complex values (groups, [Z,] Y, X).
    """
    n_axes = transfers.ndim - 1
    shape = (*transfers.shape[1:-1], n_columns)
    axes = tuple(range(-n_axes, 0))
    result: torch.Tensor = torch.fft.fftn(torch.fft.irfftn(transfers, s=shape, dim=axes), dim=axes)
    return result
