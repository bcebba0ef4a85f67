"""The noise of each pixel of raw frames, by which errors are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["noise_map", "noise_sd"]

LEAST = 0.01
"""Smallest noise that is assumed, relative to the contrast of the frames."""

AROUND = 1.0
"""Standard deviation in pixels of the Gaussian mean from which the photon noise is computed."""


def noise_sd(frames: NDArray[np.float32]) -> float:
    """Return the standard deviation of white noise in frames whose structures are smooth.

    The median over the frames of the median absolute second difference along both axes of the
    plane (Immerkær 1996, "Fast noise variance estimation"). Frames that are mostly exactly the
    same have none; a hundredth of their contrast is the least that is returned.

    Parameters
    ----------
    frames
        Axes (…, Y, X), real.
    """
    values = frames.astype(np.float64)
    second = values[..., 2:, :] - 2 * values[..., 1:-1, :] + values[..., :-2, :]
    both = second[..., 2:] - 2 * second[..., 1:-1] + second[..., :-2]
    flat = np.abs(both).reshape(len(values), -1)
    medians = [np.median(row[row > 0]) if (row > 0).any() else 0.0 for row in flat]
    return float(max(np.median(medians) / 0.6745 / 6, LEAST * values.std(), 1e-9))


def noise_map(frames: NDArray[np.float32], *, counts: bool) -> NDArray[np.float32]:
    """Return the standard deviation of the noise of every pixel, float32, shape of the frames.

    Parameters
    ----------
    frames
        Axes (shots, [Z,] Y, X), real.
    counts
        Whether the values are light, with photon noise; if not, the noise is the same everywhere.
    """
    if not counts:
        return np.full(frames.shape, noise_sd(frames), np.float32)
    from scipy.ndimage import gaussian_filter

    from napari_cellinr.classic.camera.noise import estimate_noise

    planes = frames.reshape(-1, 1, *frames.shape[-2:])
    camera = estimate_noise(planes)
    around = (*(0,) * (frames.ndim - 2), AROUND, AROUND)
    light = np.clip(gaussian_filter(frames, around) - camera.offset, 0, None)
    least = max(LEAST * float(frames.std()), 1e-9)
    variance = camera.gain * light + max(camera.read_noise, least) ** 2
    sigmas: NDArray[np.float32] = np.sqrt(variance).astype(np.float32)
    return sigmas
