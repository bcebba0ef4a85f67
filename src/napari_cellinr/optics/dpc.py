"""Differential phase contrast: a thin specimen in partially coherent light from one side.

Weak-object transfer functions after Tian & Waller (2015), Optics Express 23, 11394, with the
phase in radians. A specimen transmits exp(-a + i p); to first order the contrast is

    y = I / I_0 - 1 = F^-1[ H_a F(a) + H_p F(p) ],
    H_a(k) = -( C(k) + C(-k) ) / D,    H_p(k) = i ( C(k) - C(-k) ) / D,
    C(k) = sum_q S(q) P*(q) P(q + k),  D = sum_q S(q) |P(q)|^2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_cellinr.errors import ConfigError
from napari_cellinr.optics.base import ForwardModel
from napari_cellinr.optics.fourier import crop, fast_shape, frequencies, irfft, rfft

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DPCModel",
    "check_sampling",
    "half_discs",
    "led_sources",
    "normalise",
    "transfer_functions",
]


class DPCModel(ForwardModel):
    """Contrast of a thin specimen with channels absorption and phase in radians.

    Parameters
    ----------
    data_shape
        Size (shots, Y, X) of the raw frames; shot i has pattern i modulo their number.
    times
        Seconds of every shot, (shots,).
    absorption, phase
        Transfer functions (patterns, Y, X // 2 + 1), complex, on the grid of the next fast size
        of the padded frame: as `transfer_functions` returns them for `DPCModel.grid`.
    padding
        Pixels that the scene has more on each side.
    margin
        Pixels along the edge that the data loss leaves out: the model is periodic.
    """

    times: torch.Tensor
    absorption: torch.Tensor
    phase: torch.Tensor
    channels = 2
    channel_names = ("absorption", "phase")
    nonnegative = False

    def __init__(
        self,
        data_shape: Sequence[int],
        times: torch.Tensor,
        absorption: torch.Tensor,
        phase: torch.Tensor,
        *,
        padding: int = 0,
        margin: int = 5,
    ) -> None:
        super().__init__()
        self.data_shape = tuple(data_shape)
        self.padding, self.loss_margin, self.zoom = (padding,) * 2, (margin,) * 2, (1.0,) * 2
        self.scene_shape = tuple(n + 2 * padding for n in self.data_shape[1:])
        self._fast = self.grid(self.data_shape[1:], padding)
        self.register_buffer("times", times.float())
        self.register_buffer("absorption", absorption.to(torch.complex64))
        self.register_buffer("phase", phase.to(torch.complex64))

    @staticmethod
    def grid(size: Sequence[int], padding: int = 0) -> tuple[int, ...]:
        """Return the size of the grid of the Fourier transform, in pixels.

        Parameters
        ----------
        size
            Rows and columns of the raw frames.
        padding
            Pixels added at each border.
        """
        return fast_shape([n + 2 * padding for n in size])

    def shot_times(self) -> torch.Tensor:
        """Return the seconds of every shot, (shots,)."""
        return self.times

    def forward(self, scene: torch.Tensor, shots: torch.Tensor) -> torch.Tensor:
        """Return the contrast (n, Y, X) of the scene (n, 2, Y, X): absorption and phase."""
        pattern = shots % len(self.absorption)
        spectrum = rfft(scene, self._fast)
        contrast = spectrum[:, 0] * self.absorption[pattern] + spectrum[:, 1] * self.phase[pattern]
        return crop(irfft(contrast, self._fast), self.padding, self.data_shape[1:])


def half_discs(
    shape: Sequence[int],
    pixel_size: float,
    wavelength: float,
    rotations: Sequence[float],
    na: float,
    na_inner: float = 0.0,
) -> torch.Tensor:
    """Return the light source of each pattern on the un-shifted grid, (patterns, Y, X) float64.

    Parameters
    ----------
    shape
        Size (Y, X) of the grid.
    pixel_size, wavelength
        Micrometres.
    rotations
        Degrees: 0 keeps the half with positive y, 90 that with negative x. Both halves of a
        pair hold the line between them.
    na, na_inner
        Largest and smallest numerical aperture of the light.
    """
    ky, kx = frequencies(shape, (pixel_size, pixel_size))
    radius = torch.sqrt(ky**2 + kx**2) * wavelength
    disc = (radius <= na) & (radius >= na_inner)
    halves = []
    for angle in rotations:
        sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        halves.append(disc & (ky * cosine - kx * sine >= -1e-9 / pixel_size))
    return torch.stack(halves).double()


def led_sources(
    shape: Sequence[int],
    pixel_size: float,
    wavelength: float,
    patterns: Sequence[Sequence[tuple[float, float]]],
) -> torch.Tensor:
    """Return the light source of each pattern of LEDs, (patterns, Y, X) float64.

    Parameters
    ----------
    shape
        Size (Y, X) of the grid.
    pixel_size, wavelength
        Micrometres.
    patterns
        For each pattern its LEDs, each by its numerical aperture (y, x); it is distributed over
        the four nearest frequencies.
    """
    sources = torch.zeros((len(patterns), *shape), dtype=torch.float64)
    for source, pattern in zip(sources, patterns, strict=True):
        for led in pattern:
            places = [na / wavelength * n * pixel_size for na, n in zip(led, shape, strict=True)]
            if any(abs(place) > n / 2 for place, n in zip(places, shape, strict=True)):
                continue  # finer than the pixels, and so outside the objective
            low = [math.floor(place) for place in places]
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = 1.0
                    for place, start, more in zip(places, low, (dy, dx), strict=True):
                        weight *= 1 - abs(place - start - more)
                    source[(low[0] + dy) % shape[0], (low[1] + dx) % shape[1]] += weight
    return sources


def transfer_functions(
    sources: torch.Tensor, pixel_size: float, wavelength: float, na: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the transfer functions of absorption and phase, H_a and H_p of the module.

    Both are (patterns, Y, X // 2 + 1), complex128 (Tian & Waller 2015, Optics Express 23, 11394).

    Parameters
    ----------
    sources
        Light source of each pattern on the un-shifted frequency grid, (patterns, Y, X).
    pixel_size, wavelength
        Micrometres.
    na
        Numerical aperture of the objective.

    Raises
    ------
    ConfigError
        If the pixels are too coarse for the light, or a pattern is dark inside the objective.
    """
    shape = tuple(sources.shape[1:])
    ky, kx = frequencies(shape, (pixel_size, pixel_size), device=sources.device)
    radius = torch.sqrt(ky**2 + kx**2) * wavelength
    lit = float((radius * (sources.sum(0) > 0)).max())
    check_sampling(pixel_size, wavelength, na, min(lit, na))
    pupil = (radius <= na).double()
    light = (sources * pupil).sum(dim=(-2, -1), keepdim=True)
    if float(light.min()) <= 0:
        raise ConfigError(
            "a pattern without light inside the aperture of the objective was given; dark-field "
            "frames follow another model: leave them out."
        )
    # C(k) = sum_q S(q) P(q) P(q + k): a correlation, with transforms of frequency space.
    product = torch.fft.fft2(sources * pupil).conj() * torch.fft.fft2(pupil)
    even = -2 * torch.fft.ifft2(product.real).real / light
    odd = -2 * torch.fft.ifft2(1j * product.imag).real / light
    half = shape[1] // 2 + 1
    return even[..., :half].to(torch.complex128), -1j * odd[..., :half]


def check_sampling(pixel_size: float, wavelength: float, na: float, lit: float) -> None:
    """Refuse pixels that alias the finest frequencies, (na + lit) / wavelength.

    Parameters
    ----------
    pixel_size, wavelength
        Micrometres.
    na, lit
        Numerical apertures of the objective and of the light that enters it.

    Raises
    ------
    ConfigError
        If the pixels are too large.
    """
    finest = (na + lit) / wavelength
    if finest > 0.5 / pixel_size * (1 + 1e-9):
        raise ConfigError(
            f"na {na:g} with light up to {lit:.3g} and a pixel size of {pixel_size:g} µm were "
            f"given; these alias: pixels of at most {0.5 / finest:.4g} µm are needed."
        )


def normalise(
    frames: torch.Tensor, window: float, missing: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the contrast of raw frames (shots, Y, X): uneven light divided out, mean 0.

    Parameters
    ----------
    frames
        Grey levels, without the offset of the camera.
    window
        Width of the local mean as a part of the frame; larger keeps coarser structures.
    missing
        Which pixels have no data; shape of the frames. They do not count.

    Returns
    -------
    torch.Tensor
        Shape of the frames. A pixel has the mean of 0 over the pixels with data of its frame; 0.1
        is 10 % more light than its surroundings have. Pixels without data are -1, the contrast of
        no light, and so is a frame without any light.
    """
    there = torch.ones_like(frames) if missing is None else (~missing).to(frames.dtype)
    light, share = frames * there, there
    for axis in (-2, -1):
        width = max(1, round(window * frames.shape[axis]))
        light, share = _box_mean(light, axis, width), _box_mean(share, axis, width)
    mean = light / share.clamp(min=1e-9)
    contrast = frames * there / mean.clamp(min=1e-9)
    count = there.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    level = contrast.sum(dim=(-2, -1), keepdim=True) / count
    return contrast / level.clamp(min=1e-9) - 1


def _box_mean(values: torch.Tensor, axis: int, width: int) -> torch.Tensor:
    """Return the mean over `width` elements along an axis; at the edges over those there are."""
    size = values.shape[axis]
    total = torch.cat([torch.zeros_like(values.narrow(axis, 0, 1)), values], dim=axis)
    total = total.double().cumsum(axis)
    places = torch.arange(size, device=values.device)
    low = (places - width // 2).clamp(min=0)
    high = (places - width // 2 + width).clamp(max=size)
    shape = [1] * values.ndim
    shape[axis] = size
    difference = total.index_select(axis, high) - total.index_select(axis, low)
    return (difference / (high - low).reshape(shape)).to(values.dtype)
