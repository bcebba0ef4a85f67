"""Transfer functions of fluorescence microscopes, ideal or from a table, on grids for rfft."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.fourier import frequencies, incoherent_transfer, rfrequencies

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_pixel", "from_table", "ideal_bands", "ideal_plane"]


def check_pixel(pixel: float, na: float, wavelength: float) -> None:
    """Refuse camera pixels that alias the finest frequencies, 2 NA / wavelength.

    Parameters
    ----------
    pixel, wavelength
        Micrometres.
    na
        Numerical aperture.

    Raises
    ------
    ConfigError
        If the pixel is larger than wavelength / (4 NA).
    """
    if 2 * na / wavelength > 0.5 / pixel * (1 + 1e-9):
        raise ConfigError(
            f"na {na:g} at {wavelength:g} µm and a pixel size of {pixel:g} µm were given; these "
            f"alias: pixels of at most {wavelength / (4 * na):.4g} µm are needed."
        )


def ideal_plane(shape: Sequence[int], pixel: float, na: float, wavelength: float) -> torch.Tensor:
    """Return the transfer function of an ideal lens for planes in focus, 1 at frequency 0.

    Parameters
    ----------
    shape
        Size (Y, X) of the grid.
    pixel, wavelength
        Micrometres.
    na
        Numerical aperture.

    Returns
    -------
    torch.Tensor
        Real values (Y, X // 2 + 1), float64.
    """
    ky, kx = rfrequencies(shape, (pixel, pixel))
    return incoherent_transfer(torch.hypot(ky, kx), 2 * na / wavelength)


def ideal_bands(
    shape: Sequence[int],
    voxel: Sequence[float],
    optics: tuple[float, float, float],
    axial_shift: float,
) -> torch.Tensor:
    """Return the transfer functions of orders 0, 1 and 2, (3, Z, Y, X // 2 + 1), complex128.

    From the intensity of a scalar wave in focus and out of it. The first order of three-beam
    illumination is modulated along z too, and so shifted both ways in kz (Gustafsson et al.
    2008, Biophysical Journal 94, 4957). With one plane a thin specimen in focus is meant.

    Parameters
    ----------
    shape
        Size (Z, Y, X) of the grid.
    voxel
        Steps along z, y, x in micrometres.
    optics
        Numerical aperture, wavelength in micrometres, refractive index.
    axial_shift
        Axial frequency of the first order, in cycles per micrometre.
    """
    na, wavelength, index = optics
    ky, kx = frequencies(shape[1:], voxel[1:])
    radius = torch.hypot(ky, kx)
    pupil = (radius <= na / wavelength).double()
    axial = torch.sqrt(((index / wavelength) ** 2 - radius**2).clamp(min=0))
    depth = torch.fft.fftfreq(shape[0], 1 / (shape[0] * voxel[0]), dtype=torch.float64)
    wave = pupil * torch.exp(2j * math.pi * axial * depth[:, None, None])
    psf = torch.fft.ifft2(wave).abs() ** 2
    psf = psf / psf.sum()
    fringe = torch.cos(2 * math.pi * axial_shift * depth)[:, None, None]
    bands = torch.stack([psf, psf * fringe, psf])
    if shape[0] == 1:
        bands = psf.expand(3, *psf.shape)
    transfer: torch.Tensor = torch.fft.rfftn(bands, dim=(1, 2, 3))
    return transfer


def from_table(
    table: torch.Tensor,
    steps: tuple[float, float],
    shape: Sequence[int],
    voxel: Sequence[float],
    cutoff: float,
) -> torch.Tensor:
    """Return transfer functions from radial averages, (bands, Z, Y, X // 2 + 1), complex128.

    Parameters
    ----------
    table
        Complex values (bands, radii, kz): radii from 0, kz in the order of an FFT.
    steps
        Step of the radius and of kz, in cycles per micrometre.
    shape, voxel
        Size (Z, Y, X) of the grid, and its steps in micrometres.
    cutoff
        Largest radius that a lens transmits, in cycles per micrometre; beyond it is 0.
    """
    kz, ky, kx = rfrequencies(shape, voxel)
    radius = torch.hypot(ky, kx)
    if shape[0] == 1:  # a thin specimen in focus sees all axial frequencies together
        table = table.sum(dim=2, keepdim=True) / table[0, 0].sum()
    values = _between(table, 1, (radius / steps[0]).reshape(-1), wrap=False)  # (bands, points, kz)
    n_kz = table.shape[2]
    half = (n_kz - 1) // 2
    place = (kz / steps[1]).reshape(-1)
    inside = place.abs() <= half
    values = _between(values, 2, place % n_kz, wrap=True) * inside
    grid = values.permute(0, 2, 1).reshape(len(table), shape[0], *radius.shape[1:])
    return grid * (radius <= cutoff)


def _between(values: torch.Tensor, axis: int, places: torch.Tensor, *, wrap: bool) -> torch.Tensor:
    """Return values at real places along an axis, by linear interpolation; 0 beyond the end."""
    size = values.shape[axis]
    low = torch.floor(places).long()
    weight = (places - low).to(values.dtype)
    high = low + 1
    inside = (low < size) | torch.tensor(wrap)
    low, high = (low % size, high % size) if wrap else (low.clamp(max=size - 1), high)
    last = high >= size
    high = high.clamp(max=size - 1)
    view = [1] * values.ndim
    view[axis] = -1
    upper = values.index_select(axis, high) * (~last).reshape(view)
    lower = values.index_select(axis, low)
    weight = weight.reshape(view)
    return (lower * (1 - weight) + upper * weight) * inside.reshape(view)
