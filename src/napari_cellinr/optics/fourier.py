"""Frequency grids, Fourier transforms of real values, convolutions, ideal transfer functions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "centred",
    "convolve",
    "crop",
    "fast_shape",
    "frequencies",
    "gaussian_psf",
    "incoherent_transfer",
    "irfft",
    "rfft",
    "rfrequencies",
    "transfer_of",
]


def fast_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the next sizes whose only prime factors are 2, 3 and 5: quick to transform."""
    return tuple(_fast(size) for size in shape)


def _fast(size: int) -> int:
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def frequencies(
    shape: Sequence[int], steps: Sequence[float], *, device: torch.device | None = None
) -> tuple[torch.Tensor, ...]:
    """Return the frequency along each axis, in the order of `torch.fft.fftn`: 0 first.

    Parameters
    ----------
    shape
        Size of the grid along each axis.
    steps
        Voxel size along each axis; frequencies are in cycles per unit of it.
    device
        Where to make them; None is the CPU.

    Returns
    -------
    tuple of torch.Tensor
        One float64 array per axis, of size 1 along all others.
    """
    axes = [
        torch.fft.fftfreq(size, step, dtype=torch.float64, device=device)
        for size, step in zip(shape, steps, strict=True)
    ]
    return tuple(_open(axis, place, len(shape)) for place, axis in enumerate(axes))


def rfrequencies(shape: Sequence[int], steps: Sequence[float]) -> tuple[torch.Tensor, ...]:
    """Return the frequency along each axis, in the order of `torch.fft.rfftn`.

    Parameters
    ----------
    shape, steps
        As for `frequencies`; `shape` is that of the real values.

    Returns
    -------
    tuple of torch.Tensor
        One float64 array per axis; the last has shape[-1] // 2 + 1 elements.
    """
    full = frequencies(shape, steps)
    last = torch.fft.rfftfreq(shape[-1], steps[-1], dtype=torch.float64)
    return (*full[:-1], _open(last, len(shape) - 1, len(shape)))


def _open(axis: torch.Tensor, place: int, n_axes: int) -> torch.Tensor:
    """Return a vector as an array that varies along `place` only."""
    return axis.reshape(tuple(-1 if other == place else 1 for other in range(n_axes)))


def rfft(values: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the Fourier transform of real values along the last axes.

    Parameters
    ----------
    values
        Real values (…, axes).
    shape
        Size to which the last axes are padded with 0.

    Returns
    -------
    torch.Tensor
        Complex values (…, *shape[:-1], shape[-1] // 2 + 1).
    """
    axes = tuple(range(-len(shape), 0))
    result: torch.Tensor = torch.fft.rfftn(values, s=tuple(shape), dim=axes)
    return result


def irfft(spectrum: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the real values of a Fourier transform, the inverse of `rfft`.

    Parameters
    ----------
    spectrum
        Complex values (…, *shape[:-1], shape[-1] // 2 + 1).
    shape
        Size of the last axes of the result.
    """
    axes = tuple(range(-len(shape), 0))
    result: torch.Tensor = torch.fft.irfftn(spectrum, s=tuple(shape), dim=axes)
    return result


def crop(values: torch.Tensor, padding: Sequence[int], shape: Sequence[int]) -> torch.Tensor:
    """Return values without their padding, a view.

    Parameters
    ----------
    values
        Values (…, axes).
    padding
        First index to keep along each of the last axes.
    shape
        Size to keep along each of the last axes.
    """
    for axis, (pad, size) in enumerate(zip(padding, shape, strict=True), start=-len(shape)):
        values = values.narrow(axis, pad, size)
    return values


def centred(kernel: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return a kernel on a larger periodic grid, its centre at index 0.

    Parameters
    ----------
    kernel
        Values of odd size along every axis.
    shape
        Size of the grid, padded with 0.
    """
    padded = kernel.new_zeros(tuple(shape))
    padded[tuple(slice(0, size) for size in kernel.shape)] = kernel
    shifts = tuple(-(size // 2) for size in kernel.shape)
    return torch.roll(padded, shifts, dims=tuple(range(kernel.ndim)))


def transfer_of(kernel: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the transfer function of a kernel, complex (*shape[:-1], shape[-1] // 2 + 1).

    Parameters
    ----------
    kernel
        Real values of odd size along every axis, the origin in the middle.
    shape
        Size of the periodic grid.
    """
    return rfft(centred(kernel, shape), shape)


def convolve(values: torch.Tensor, transfer: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return the periodic convolution of real values with a kernel.

    Parameters
    ----------
    values
        Real values (…, axes), padded with 0 to `shape`.
    transfer
        Transfer function of the kernel, as `transfer_of` returns it.
    shape
        Size of the periodic grid, and of the last axes of the result.
    """
    return irfft(rfft(values, shape) * transfer, shape)


def gaussian_psf(sigmas: Sequence[float], limits: Sequence[int]) -> torch.Tensor:
    """Return a Gaussian of sum 1 with odd sizes, float64, cut at 3.5 standard deviations.

    Parameters
    ----------
    sigmas
        Standard deviations along each axis, in pixels; 0 for no blur.
    limits
        Largest half size along each axis, in pixels.
    """
    result = torch.ones((), dtype=torch.float64)
    for sigma, limit in zip(sigmas, limits, strict=True):
        half = min(math.ceil(3.5 * sigma), limit)
        places = torch.arange(-half, half + 1, dtype=torch.float64)
        profile = torch.exp(-0.5 * (places / max(sigma, 1e-9)) ** 2)
        result = result[..., None] * (profile / profile.sum())
    return result


def incoherent_transfer(radius: torch.Tensor, cutoff: float) -> torch.Tensor:
    """Return the transfer function of an ideal lens in incoherent light, 1 at 0, 0 from `cutoff`.

    The autocorrelation of a disc (Goodman, Introduction to Fourier Optics, eq. 6-31).

    Parameters
    ----------
    radius
        Distance from the centre of frequency space, in any unit.
    cutoff
        2 NA / wavelength, in the same unit.
    """
    share = (radius / cutoff).clamp(max=1)
    return (2 / math.pi) * (torch.arccos(share) - share * torch.sqrt(1 - share**2))
