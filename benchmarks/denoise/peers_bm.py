"""BM4D for volumes and BM3D for planes, by the packages of their authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from bm3d import bm3d
from bm4d import bm4d

from napari_cellinr.classic.camera.anscombe import stabilise, unstabilise

if TYPE_CHECKING:
    from napari_cellinr.classic.camera.anscombe import Noise


def stabilised(raw: np.ndarray, noise: Noise) -> dict[str, np.ndarray]:
    """Return the result of denoising after variance stabilisation."""
    smooth = _denoise(stabilise(raw, noise), 1.0)
    return {"kept": unstabilise(smooth, noise)}


def plain(raw: np.ndarray, noise: Noise) -> dict[str, np.ndarray]:
    """Return the result with the root mean square of the noise as its one level."""
    sigma = float(np.sqrt(np.mean(noise.sd(raw) ** 2)))
    return {"kept": _denoise(raw, sigma)}


def _denoise(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return denoised values; the packages expect a range of about 0 to 1."""
    low, span = float(values.min()), float(values.max() - values.min())
    scaled = (values.astype(np.float64) - low) / span
    smooth = (bm4d if values.ndim == 3 else bm3d)(scaled, sigma / span)
    return (np.squeeze(smooth) * span + low).astype(np.float32)
