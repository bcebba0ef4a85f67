"""Conventional reconstruction without motion: Tikhonov, Wiener, total variation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_cellinr.optics.fourier import crop, irfft, rfft
from napari_cellinr.optics.sim_calibration import full_transfer, ramp, separate, taper, upsample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_cellinr.optics.base import ForwardModel
    from napari_cellinr.optics.dpc import DPCModel
    from napari_cellinr.optics.sim import SIMModel

__all__ = ["FADED", "moving_window", "tikhonov", "total_variation", "wiener", "windows"]

FADED = 10
"""Pixels along each edge over which frames fade to 0 before they are filtered."""


def tikhonov(model: DPCModel, frames: torch.Tensor, weight: float = 1e-4) -> torch.Tensor:
    """Return absorption and phase in radians, (2, Y, X), of one set of contrast frames.

    Least squares with an L2 penalty on both (Tian & Waller 2015, Optics Express 23, 11394,
    eq. 9), in closed form for every frequency.

    Parameters
    ----------
    model
        Forward model of differential phase contrast.
    frames
        Contrast of each illumination pattern, (patterns, Y, X).
    weight
        Weight of the penalties.
    """
    grid = model.grid(model.data_shape[1:], model.padding[0])
    a, p = model.absorption, model.phase
    y = rfft(frames, grid)
    aa, pp = (a.abs() ** 2).sum(0) + weight, (p.abs() ** 2).sum(0) + weight
    ap = (a.conj() * p).sum(0)
    ay, py = (a.conj() * y).sum(0), (p.conj() * y).sum(0)
    determinant = aa * pp - ap.abs() ** 2
    absorption = (pp * ay - ap * py) / determinant
    phase = (aa * py - ap.conj() * ay) / determinant
    scene = irfft(torch.stack([absorption, phase]), grid)
    return crop(scene, (0, 0), model.data_shape[1:])


def wiener(model: SIMModel, frames: torch.Tensor, noise: float = 0.05) -> torch.Tensor:
    """Return the scene of one set of raw frames by a generalised Wiener filter, ([Z,] Y, X).

    Every band is shifted to its position in frequency space and weighted by its transfer function
    (Gustafsson et al. 2008, Biophysical Journal 94, 4957, eq. 11); a cosine apodisation
    attenuates the highest frequencies.

    Parameters
    ----------
    model
        Forward model of structured illumination, with phases and contrasts.
    frames
        One raw frame per pattern, in the order of the model, (patterns, [Z,] Y, X).
    noise
        Wiener parameter: transfer below which a frequency is suppressed.
    """
    size = model.data_shape[1:]
    phases, contrasts = model.phases.double(), model.contrasts.double()
    active = contrasts > 0
    bands = separate(_padded(model, taper(frames, FADED)), phases, active)
    transfers = full_transfer(model.transfers.to(torch.complex128), size[-1])
    axes = tuple(range(-len(size), 0))
    blurs = upsample(torch.fft.ifftn(transfers, dim=axes), model.scene_shape[-2:])
    fine = upsample(bands, model.scene_shape[-2:])
    # The contrast of each order, the same in all patterns in which the order is on.
    strengths = (contrasts.sum(0) / active.sum(0)).tolist()
    sums = torch.zeros_like(fine[0]), torch.zeros(fine[0].shape, dtype=torch.float64)
    sums = _add_band(sums, fine[0], blurs[0], [0.0, 0.0], model)
    for order, strength in enumerate(strengths):
        carrier, blur = model.carriers[order].tolist(), blurs[int(model.groups[order])] * strength
        # The scene is real: the second side band is the conjugate of the first.
        for side, band in ((1, fine[1 + order]), (-1, fine[1 + order].conj())):
            sums = _add_band(sums, band, blur, [side * k for k in carrier], model)
    mask = _apodisation(model, fine.shape[-2:])
    spectrum = sums[0] / (sums[1] + noise**2) * mask
    # Blurs have the values of coarser pixels, so that their sum is larger by this factor than 1.
    scene = math.prod(model.zoom[-2:]) * torch.fft.ifftn(spectrum, dim=axes).real
    return crop(scene, (*model.padding[:-2], 0, 0), (*size[:-2], *scene.shape[-2:]))


def _padded(model: SIMModel, frames: torch.Tensor) -> torch.Tensor:
    """Return frames with the model's margin in z, filled with the first and the last plane."""
    if frames.ndim == 3:
        return frames
    pad = model.padding[0]
    places = torch.arange(-pad, model.grid(model.data_shape[1:], pad)[0] - pad)
    return frames[:, places.clamp(0, frames.shape[1] - 1)]


def _add_band(
    sums: tuple[torch.Tensor, torch.Tensor],
    band: torch.Tensor,
    blur: torch.Tensor,
    carrier: list[float],
    model: SIMModel,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return numerator and denominator with one more band, shifted by its carrier."""
    axes = tuple(range(-band.ndim, 0))
    size = band.shape[-2:]
    zoom = model.zoom[-2:]
    moved = torch.fft.fftn(band * ramp(carrier, size, zoom).conj(), dim=axes)
    weight = torch.fft.fftn(blur * ramp(carrier, size, zoom, centred=True).conj(), dim=axes)
    return sums[0] + weight.conj() * moved, sums[1] + weight.abs() ** 2


def _apodisation(model: SIMModel, size: tuple[int, ...]) -> torch.Tensor:
    """Return a weight (Y, X) from 1 at frequency 0 to 0 at the cutoff of the outermost band."""
    zoom = model.zoom[-2:]
    k = [torch.fft.fftfreq(n, 1 / z, dtype=torch.float64) for n, z in zip(size, zoom, strict=True)]
    first = model.transfers[0].abs()
    lit = (first > 1e-4 * first.max()).reshape(-1, *first.shape[-2:]).any(0)
    rows = torch.fft.fftfreq(lit.shape[0], dtype=torch.float64)
    columns = torch.arange(lit.shape[1], dtype=torch.float64) / model.data_shape[-1]
    cutoff = float((torch.hypot(rows[:, None], columns[None, :]) * lit).max())
    finest = cutoff + float(model.carriers.double().norm(dim=1).max())
    radius = torch.hypot(k[0][:, None], k[1][None, :]) / finest
    return torch.cos(0.5 * math.pi * radius.clamp(max=1))


def windows(n_frames: int, n_patterns: int, step: int) -> list[list[int]]:
    """Return for each moving window the indices of its frames, in the order of the patterns.

    Parameters
    ----------
    n_frames, n_patterns
        Number of raw frames in all, and in one set.
    step
        Frames by which the window moves, such as the number of phases of one direction.
    """
    sets = []
    for start in range(0, n_frames - n_patterns + 1, step):
        newest = {frame % n_patterns: frame for frame in range(start, start + n_patterns)}
        sets.append([newest[pattern] for pattern in range(n_patterns)])
    return sets


def moving_window(model: SIMModel, frames: torch.Tensor, step: int) -> Iterator[torch.Tensor]:
    """Yield the Wiener reconstruction of every window of raw frames, each ([Z,] Y, X).

    Parameters
    ----------
    model
        Forward model of structured illumination.
    frames
        All raw frames, (frames, [Z,] Y, X).
    step
        Frames by which the window moves.
    """
    for window in windows(len(frames), len(model.phases), step):
        yield wiener(model, frames[window])


def total_variation(
    model: ForwardModel, frames: torch.Tensor, weight: float = 1e-3, *, steps: int = 60
) -> Iterator[torch.Tensor]:
    """Yield a static scene (channels, [Z,] Y, X) after every step of the optimisation.

    Least squares with a smoothed total-variation penalty, for any forward model, by accelerated
    gradient steps (FISTA, Beck & Teboulle 2009, SIAM J. Imaging Sci. 2, 183); nonnegative if the
    model's scene is.

    Parameters
    ----------
    model
        Forward model of the microscope.
    frames
        Raw frames, (shots, [Z,] Y, X).
    weight
        Weight of the total variation relative to the mean squared error.
    steps
        Number of steps.
    """
    n = len(frames)
    shots = torch.arange(n, device=frames.device)
    shape = (model.channels, *model.scene_shape)
    scene = frames.new_zeros(shape)
    rate = 1 / _largest_gain(model, shots, shape, frames)
    previous, momentum, place = scene, 1.0, scene
    for _ in range(steps):
        point = place.detach().requires_grad_()
        predicted = model(point.expand(n * model.samples, *shape), shots)
        loss = 0.5 * ((predicted - frames) ** 2).sum() + weight * frames.numel() * _variation(point)
        (slope,) = torch.autograd.grad(loss, point)
        scene = place - rate * slope
        scene = scene.clamp(min=0) if model.nonnegative else scene
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        place = scene + (momentum - 1) / following * (scene - previous)
        previous, momentum = scene, following
        yield scene


def _largest_gain(
    model: ForwardModel, shots: torch.Tensor, shape: tuple[int, ...], like: torch.Tensor
) -> float:
    """Return an upper estimate of the largest eigenvalue of A*A by power iteration."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.rand(shape, generator=generator).to(like)
    gain = 1.0
    for _ in range(6):
        point = (vector / vector.norm()).requires_grad_()
        frames = model(point.expand(len(shots) * model.samples, *shape), shots)
        (vector,) = torch.autograd.grad(0.5 * (frames**2).sum(), point)
        gain = float(vector.norm())
    return 1.2 * max(gain, 1e-12)


def _variation(scene: torch.Tensor, smooth: float = 1e-2) -> torch.Tensor:
    """Return the mean norm of the gradient, smoothed near 0."""
    squares = torch.full_like(scene, smooth**2)
    for axis in range(1, scene.ndim):
        last = scene.narrow(axis, scene.shape[axis] - 1, 1)
        squares = squares + torch.diff(scene, dim=axis, append=last) ** 2
    return (torch.sqrt(squares) - smooth).mean()
