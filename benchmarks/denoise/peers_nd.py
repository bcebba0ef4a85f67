"""BMND and NDSafir, for volumes and planes, by the packages of their authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_cellinr.classic.camera.anscombe import Noise


def block_matching(raw: np.ndarray, noise: Noise) -> dict[str, np.ndarray]:
    """Return the result of BMND, which denoises counts of photons.

    Read noise is added to the counts as the photons that have its variance (shifted Poisson noise).
    """
    from bmnd import BM3DProfile, BM4DProfile, NoiseModel, bmnd

    make = BM4DProfile if raw.ndim == 3 else BM3DProfile
    added = (noise.read_noise / noise.gain) ** 2
    counts = np.maximum((raw - noise.offset) / noise.gain + added, 0).astype(np.float32)
    smooth = bmnd(counts, make(noise_model=NoiseModel.POISSON))
    kept = (smooth - added) * noise.gain + noise.offset
    return {"kept": kept.astype(np.float32)}


def safir(raw: np.ndarray, noise: Noise) -> dict[str, np.ndarray]:
    """Return the result of NDSafir with its defaults and the noise of the image."""
    from ndsafir import denoise_poisson_gaussian

    smooth = denoise_poisson_gaussian(
        np.asarray(raw, np.float32),
        axes="ZYX"[-raw.ndim :],
        gains=[noise.gain],
        offsets=[noise.read_noise**2 - noise.gain * noise.offset],
        nthreads=1,
    )
    return {"kept": np.asarray(smooth, np.float32)}
