"""Noisy images drawn from a noise model, to try a method on images whose truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.camera.anscombe import Noise

__all__ = ["sample_noise"]

MOST_PHOTONS = 1e6
"""Photons of a voxel above which a normal distribution replaces that of Poisson."""


def sample_noise(
    clean: NDArray[Any], noise: Noise, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return a noisy image with the mean `clean`, float32, in grey levels.

    Photons have a Poisson distribution, the read noise a normal one. Noise with a grain was
    averaged over neighbours, so that it is nearly normal: it is white normal noise, blurred by a
    Gaussian, with the standard deviation that the model has at each brightness.

    Parameters
    ----------
    clean
        Grey levels without noise, axes ZYX or YX. Values below the offset have read noise only.
    noise
        Gain, read noise, offset and grain.
    generator
        Random numbers.
    """
    mean = np.asarray(clean, np.float64)
    white = generator.standard_normal(mean.shape)
    if noise.grain > 0:
        blurred = gaussian_filter(
            white, [noise.grain if size > 1 else 0.0 for size in mean.shape], mode="wrap"
        )
        return np.asarray(mean + noise.sd(mean) * blurred / blurred.std(), np.float32)
    noisy = mean + noise.read_noise * white
    if noise.gain > 0:
        photons = np.maximum(mean - noise.offset, 0) / noise.gain
        noisy += noise.gain * (_poisson(photons, generator) - photons)
    return np.asarray(noisy, np.float32)


def _poisson(photons: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return numbers of photons with these means."""
    counts = generator.poisson(np.minimum(photons, MOST_PHOTONS)).astype(np.float64)
    many = photons > MOST_PHOTONS
    counts[many] = generator.normal(photons[many], np.sqrt(photons[many]))
    return counts
