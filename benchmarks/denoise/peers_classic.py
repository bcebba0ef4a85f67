"""Peers by scikit-image and SciPy. Each returns the named results, float32, in grey levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.restoration import (
    cycle_spin,
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
)

from napari_cellinr.classic.background import wbns
from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise

if TYPE_CHECKING:
    from napari_cellinr.classic.camera.anscombe import Noise

Results = dict[str, np.ndarray]


def identity(raw: np.ndarray, noise: Noise) -> Results:
    return {"kept": raw}


def gaussian(raw: np.ndarray, noise: Noise, sigma: float) -> Results:
    return {"kept": gaussian_filter(raw, sigma)}


def total_variation(raw: np.ndarray, noise: Noise, weight: float) -> Results:
    values = stabilise(raw, noise)
    smooth = denoise_tv_chambolle(values, weight=weight, eps=1e-5, max_num_iter=300)
    return {"kept": unstabilise(smooth, noise)}


def wavelet(raw: np.ndarray, noise: Noise, wavelet: str, rule: str) -> Results:
    """Return the mean over shifted transforms, without which blocks show."""
    values = stabilise(raw, noise)
    settings = {"sigma": 1.0, "wavelet": wavelet, "method": rule, "rescale_sigma": False}
    smooth = cycle_spin(values, func=denoise_wavelet, max_shifts=2, func_kw=settings, num_workers=1)
    return {"kept": unstabilise(smooth, noise)}


def non_local_means(
    raw: np.ndarray, noise: Noise, patch: int, distance: int, strength: float
) -> Results:
    values = stabilise(raw, noise)
    smooth = denoise_nl_means(
        values, patch_size=patch, patch_distance=distance, h=strength, sigma=1.0, fast_mode=True
    )
    return {"kept": unstabilise(smooth, noise)}


def wavelet_background(raw: np.ndarray, noise: Noise, width: float, noise_levels: int) -> Results:
    return {"clean": wbns(raw, width, noise_levels)}
