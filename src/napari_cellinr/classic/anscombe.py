"""Photon and camera noise, the transform that makes it even, and the exact way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Noise", "stabilise", "unstabilise"]


@dataclass(frozen=True)
class Noise:
    """Photon and camera noise: variance = gain · (mean − offset) + read_noise².

    Parameters
    ----------
    gain
        Grey levels per photon; 0 if the noise does not depend on the brightness.
    read_noise
        Standard deviation of the noise at `offset`, in grey levels.
    offset
        Brightness without light in grey levels. One image only shows the difference
        read_noise² − gain · offset: the estimate puts it into one of the two.
    grain
        Standard deviation in voxels of the Gaussian with which the noise seems to be blurred,
        by resizing or filtering; 0 if it is independent from voxel to voxel.
    """

    gain: float
    read_noise: float
    offset: float = 0.0
    grain: float = 0.0

    def sd(self, mean: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation in grey levels where the brightness is `mean`."""
        brightness = np.maximum(np.asarray(mean, np.float64) - self.offset, 0)
        deviation: NDArray[np.float64] = np.sqrt(self.gain * brightness + self.read_noise**2)
        return deviation


def stabilise(array: NDArray[Any], noise: Noise) -> NDArray[np.float32]:
    """Return values whose noise has standard deviation 1 everywhere, float32, without unit.

    The generalised Anscombe transform (Starck, Murtagh and Bijaoui 1998), shifted so that
    `noise.offset` becomes 0: with c = read_noise² + 3/8 gain² and y = array − offset it is
    2 y / (√(gain · y + c) + √c), which goes smoothly to y / read_noise for gain → 0.
    Values so dark that photons cannot explain them go on along the tangent, so that the
    transform rises everywhere and loses nothing.

    Parameters
    ----------
    array
        Grey levels, any axes, real.
    noise
        The noise as estimated, or what is known of the camera.
    """
    gain, pedestal = _constants(noise)
    brightness = np.asarray(array, np.float32) - np.float32(noise.offset)
    root = math.sqrt(pedestal)
    darkest = -0.75 * pedestal / gain if gain > 0 else -math.inf  # there the root is halved
    usual = np.maximum(brightness, np.float32(darkest))
    values = 2 * usual / (np.sqrt(gain * usual + np.float32(pedestal)) + np.float32(root))
    values += (brightness - usual) * np.float32(2 / root)
    return np.asarray(values, np.float32)


def unstabilise(values: NDArray[Any], noise: Noise) -> NDArray[np.float32]:
    """Return the grey levels whose stabilised noisy values have the mean `values`, float32.

    The closed form of the exact unbiased inverse (Mäkitalo and Foi 2013, equation 10): a plain
    inverse of a mean of stabilised values would be too dark by about a quarter of a photon.

    Parameters
    ----------
    values
        Stabilised values after averaging or denoising, any axes, without unit.
    noise
        The noise that `stabilise` was given.
    """
    gain, pedestal = _constants(noise)
    root = math.sqrt(pedestal)
    smooth = np.asarray(values, np.float32)
    if gain == 0:
        return np.asarray(smooth * np.float32(root) + np.float32(noise.offset), np.float32)
    usual = np.maximum(smooth, np.float32(-root / gain))
    brightness = usual * (np.float32(root) + np.float32(gain / 4) * usual)
    brightness += (smooth - usual) * np.float32(root / 2)
    brightness += np.float32(noise.offset) + gain * _bias(smooth + np.float32(2 * root / gain))
    return np.asarray(brightness, np.float32)


def _bias(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the plain inverse lacks, in photons, for values of the unshifted transform."""
    inverse = 1 / np.maximum(values, np.float32(math.sqrt(1.5)))  # below it there is no light
    root = math.sqrt(1.5)
    series = 0.25 + inverse * (root / 4 + inverse * (-11 / 8 + inverse * (5 / 8 * root)))
    return np.asarray(series, np.float32)


def _constants(noise: Noise) -> tuple[float, float]:
    """Return gain and the constant c of the transform; c is never 0."""
    pedestal = noise.read_noise**2 + 0.375 * noise.gain**2
    return noise.gain, max(pedestal, 1e-12)
