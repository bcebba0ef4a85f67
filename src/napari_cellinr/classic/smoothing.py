"""Gaussian filters of images on any device, and images between NumPy and a device."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["CPU", "as_array", "as_tensor", "cosines", "gaussian_filter", "mirrored"]

CPU = torch.device("cpu")

_CUT = 4.0  # standard deviations at which a Gaussian is cut off


def as_tensor(array: NDArray[Any] | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return an image as float32 tensor on a device; it may share memory with the image.

    Parameters
    ----------
    array
        Any axes, real.
    device
        Where the tensor is to be.
    """
    if isinstance(array, torch.Tensor):
        return array.to(device, torch.float32)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device)


def as_array(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return a tensor of any device as an array in the memory of the computer."""
    array: NDArray[np.float32] = tensor.detach().contiguous().cpu().numpy()
    return array


def mirrored(
    image: torch.Tensor, margins: Sequence[int], *, at_voxels: bool = False
) -> torch.Tensor:
    """Return an image with a mirrored margin, in which the outermost voxels occur twice.

    Parameters
    ----------
    image
        Any axes.
    margins
        Width of the margin on either side along each axis, in voxels.
    at_voxels
        Whether the image is mirrored at the outermost voxels, which then occur once.
    """
    for axis, margin in enumerate(margins):
        if margin > 0:
            size, once = image.shape[axis], int(at_voxels)
            period = max(2 * size - 2 * once, 1)
            place = torch.arange(-margin, size + margin).remainder(period)
            place = torch.minimum(place, period - 1 + once - place)
            image = image.index_select(axis, place.to(image.device))
    return image.contiguous()


def gaussian_filter(
    image: torch.Tensor, sigmas: float | Sequence[float], orders: Sequence[int] | None = None
) -> torch.Tensor:
    """Return the image smoothed by a Gaussian, or a derivative of that, same shape.

    Beyond the borders the image is mirrored. The same as `scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    image
        Any axes, float32.
    sigmas
        Standard deviation in voxels, one for all axes or one per axis; 0 for no smoothing.
    orders
        Order of the derivative along each axis, 0 to 2; 0 if not given.
    """
    wide = sigmas if not isinstance(sigmas, float | int) else [float(sigmas)] * image.ndim
    for axis, sigma in enumerate(wide):
        order = 0 if orders is None else orders[axis]
        if sigma > 0:
            image = _along(image, axis, _weights(float(sigma), order), order)
    return image


@lru_cache(maxsize=64)
def _weights(sigma: float, order: int) -> tuple[float, ...]:
    """Return the weights of the voxel itself and of those at a distance of 1, 2, … voxels."""
    reach = int(_CUT * sigma + 0.5)
    normal = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(reach + 1)]
    total = normal[0] + 2 * sum(normal[1:])
    weights = [part / total for part in normal]
    if order == 1:
        weights = [part * step / sigma**2 for step, part in enumerate(weights)]
    if order == 2:
        weights = [part * (step**2 / sigma**4 - 1 / sigma**2) for step, part in enumerate(weights)]
    return tuple(weights)


def _along(image: torch.Tensor, axis: int, weights: tuple[float, ...], order: int) -> torch.Tensor:
    """Return an image filtered along an axis by a symmetric or, for order 1, odd filter."""
    reach, size = len(weights) - 1, image.shape[axis]
    margins = [reach if other == axis else 0 for other in range(image.ndim)]
    wide = mirrored(image, margins)
    result = wide.narrow(axis, reach, size) * weights[0]
    sign = -1 if order == 1 else 1
    for step in range(1, reach + 1):
        result.add_(wide.narrow(axis, reach + step, size), alpha=weights[step])
        result.add_(wide.narrow(axis, reach - step, size), alpha=sign * weights[step])
    return result


def cosines(size: int) -> torch.Tensor:
    """Return the orthonormal discrete cosine transform (DCT-II), (frequencies, pixels), float32."""
    wave, place = torch.arange(size)[:, None].double(), torch.arange(size)[None].double()
    waves = torch.cos(math.pi * (2 * place + 1) * wave / (2 * size)) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves.float()
