"""Frames of a random phase by DPC, of which each half of the rows moves."""

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_cellinr.optics.dpc import half_discs, transfer_functions

TIMES = np.linspace(0, 1, 4)
NOISE = 0.02


def transfers(side):
    sources = half_discs((side, side), 0.454, 0.525, (0, 180, 90, 270), 0.25)
    found = transfer_functions(sources, 0.454, 0.525, 0.25)
    return tuple(part.numpy() for part in found)


def recording(speeds, side=64, noise=NOISE, seed=0):
    """Return frames of a random phase of which each half of the rows moves, and the transfer."""
    rng = np.random.default_rng(seed)
    transfer = transfers(side)
    phase = gaussian_filter(rng.standard_normal((side, side)), 2, mode="wrap")
    phase *= 0.3 / phase.std()
    ky, kx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    upper = (np.arange(side) < side // 2)[:, None]
    frames = []
    for time, transmitted in zip(TIMES, transfer[1], strict=True):
        moved = [
            np.fft.irfft2(
                np.fft.rfft2(phase) * np.exp(-2j * np.pi * (time - 0.5) * (ky * v[0] + kx * v[1])),
                (side, side),
            )
            for v in speeds
        ]
        scene = np.where(upper, *moved)
        frames.append(np.fft.irfft2(np.fft.rfft2(scene) * transmitted, (side, side)))
    return np.stack(frames) + noise * rng.standard_normal((4, side, side)), transfer
