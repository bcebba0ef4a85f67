"""Photon and camera noise, the generalised Anscombe transform and its exact unbiased inverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    import torch
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
        Brightness without light, in grey levels. The variance of one image tells only the
        difference read_noise² − gain · offset; which of the two it is, the estimate takes from the
        skewness of the noise, as far as that is significant.
    grain
        Spatial correlation of the noise, as after resizing or filtering: standard deviation in
        voxels of a Gaussian that blurs white noise; 0 for white noise.
    offset_sd
        Standard deviation of an error that many voxels have in common, in grey levels: where
        offsets of the camera were subtracted, which are known so well only.
    bias
        Grey levels by which restored images are too dark, since the noise is not quite as this
        model says; `unstabilise` adds them.
    """

    gain: float
    read_noise: float
    offset: float = 0.0
    grain: float = 0.0
    offset_sd: float = 0.0
    bias: float = 0.0

    def sd(self, mean: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation in grey levels where the brightness is `mean`."""
        brightness = np.maximum(np.asarray(mean, np.float64) - self.offset, 0)
        deviation: NDArray[np.float64] = np.sqrt(self.gain * brightness + self.read_noise**2)
        return deviation


@overload
def stabilise(array: NDArray[Any], noise: Noise) -> NDArray[np.float32]: ...
@overload
def stabilise(array: torch.Tensor, noise: Noise) -> torch.Tensor: ...
def stabilise(array: NDArray[Any] | torch.Tensor, noise: Noise) -> Any:
    """Return variance-stabilised values, float32, no unit: the noise has standard deviation 1.

    The generalised Anscombe transform (Starck, Murtagh and Bijaoui 1998), shifted so that
    `noise.offset` becomes 0: with c = read_noise² + 3/8 gain² and y = array − offset it is
    2 y / (√(gain · y + c) + √c), which tends to y / read_noise for gain → 0. Values too dark
    for the square root continue along the tangent, so that the transform is strictly increasing.

    Parameters
    ----------
    array
        Grey levels, any axes, real; an array, or a tensor on any device.
    noise
        Noise of the image, estimated or from a camera calibration.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        Of the kind and on the device that was given.
    """
    gain, pedestal = _constants(noise)
    brightness = _float32(array) - np.float32(noise.offset).item()
    root = math.sqrt(pedestal)
    darkest = -0.75 * pedestal / gain if gain > 0 else -math.inf  # the square root is root / 2
    usual = brightness.clip(darkest)
    values = 2 * usual / ((gain * usual + pedestal) ** 0.5 + root)
    values += (brightness - usual) * (2 / root)
    return values


@overload
def unstabilise(values: NDArray[Any], noise: Noise) -> NDArray[np.float32]: ...
@overload
def unstabilise(values: torch.Tensor, noise: Noise) -> torch.Tensor: ...
def unstabilise(values: NDArray[Any] | torch.Tensor, noise: Noise) -> Any:
    """Return grey levels from denoised stabilised values, float32.

    The closed form of the exact unbiased inverse (Mäkitalo and Foi 2013, eq. 10). The algebraic
    inverse of a mean of stabilised values would be too dark by about a quarter of a photon.

    Parameters
    ----------
    values
        Stabilised values after averaging or denoising, any axes, no unit; an array, or a tensor
        on any device.
    noise
        The noise that `stabilise` was given.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        Of the kind and on the device that was given.
    """
    gain, pedestal = _constants(noise)
    root = math.sqrt(pedestal)
    smooth = _float32(values)
    if gain == 0:
        return smooth * root + (noise.offset + noise.bias)
    usual = smooth.clip(-root / gain)
    brightness = usual * (root + gain / 4 * usual)
    brightness += (smooth - usual) * (root / 2)
    brightness += gain * _bias(smooth + 2 * root / gain)
    brightness += noise.offset + noise.bias
    return brightness


def _bias(values: Any) -> Any:
    """Return the bias of the algebraic inverse, in photons, for values of the usual transform."""
    inverse = 1 / values.clip(math.sqrt(1.5))  # below it there is no light
    root = math.sqrt(1.5)
    bias: Any = 0.25 + inverse * (root / 4 + inverse * (-11 / 8 + inverse * (5 / 8 * root)))
    return bias


def _float32(values: NDArray[Any] | torch.Tensor) -> Any:
    """Return values as float32, of their own kind."""
    if isinstance(values, np.ndarray) or np.isscalar(values):
        return np.asarray(values, np.float32)
    return values.float()


def _constants(noise: Noise) -> tuple[float, float]:
    """Return the gain and the constant c = read_noise² + 3/8 gain², which is never 0."""
    pedestal = noise.read_noise**2 + 0.375 * noise.gain**2
    return noise.gain, max(pedestal, 1e-12)
