"""Smooth background found by conventional means: opening, and wavelets (WBNS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, grey_opening

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["background", "opening", "physical_widths", "wbns"]

_SMOOTHING = 0.25  # standard deviation of the smoothing as a part of the width of the opening
_FINEST = 1.0  # standard deviation in voxels along the finest axis, against the bias of minima


def physical_widths(width: float, scale: Sequence[float]) -> tuple[int, ...]:
    """Return widths in voxels per axis that are the same length in space.

    Parameters
    ----------
    width
        Width in voxels along the last axis.
    scale
        Voxel size along each axis, in any one unit.

    Raises
    ------
    ConfigError
        If the width or a voxel size is not positive.
    """
    if not (width > 0 and all(step > 0 for step in scale)):
        raise ConfigError(f"width {width} and voxel size {tuple(scale)} must be positive.")
    return tuple(max(1, round(width * scale[-1] / step)) for step in scale)


def opening(array: NDArray[Any], widths: int | Sequence[int] = 11) -> NDArray[np.float32]:
    """Return the smoothed grey opening: what remains of bright things wider than a box, float32.

    The plain baseline. On a noisy image it lies below the background, because it is a minimum;
    see `background`.

    Parameters
    ----------
    array
        Grey levels, axes ZYX or YX, real.
    widths
        Width of the box in voxels, for all axes or for each; 1 leaves an axis alone.

    Raises
    ------
    ConfigError
        If there is not one width of at least 1 per axis.
    """
    values = np.asarray(array, np.float32)
    box = _box(values, widths)
    opened = grey_opening(values, size=box, mode="nearest")
    smooth = gaussian_filter(opened, [_SMOOTHING * width * (width > 1) for width in box])
    return np.asarray(smooth, np.float32)


def background(estimate: NDArray[Any], widths: int | Sequence[int] = 21) -> NDArray[np.float32]:
    """Return the background of a denoised image, float32: the opening after a slight smoothing.

    The smoothing takes away the bias of the minimum, which remaining noise and the uneven
    floor between cells cause. On simulated embryos it lowers the error by 4 dB. The width
    should be that of a cell.

    Parameters
    ----------
    estimate
        Denoised grey levels, axes ZYX or YX, real.
    widths
        Width above which brightness counts as background, in voxels, for all axes or for each.

    Raises
    ------
    ConfigError
        If there is not one width of at least 1 per axis.
    """
    values = np.asarray(estimate, np.float32)
    box = _box(values, widths)
    finest = [_FINEST * width / max(box) * (width > 1) for width in box]
    return opening(gaussian_filter(values, finest), box)


def wbns(array: NDArray[Any], width: float = 8, noise_levels: int = 1) -> NDArray[np.float32]:
    """Return the signal by wavelet-based background and noise subtraction, float32, from 0.

    Hüpfel et al., Biomedical Optics Express 12, 969 (2021), written from the paper, plane by
    plane. With Haar wavelets the approximation of level n is the mean of blocks of 2ⁿ pixels:
    smoothed, it is the background; what is finer than `noise_levels` is the noise, of which
    the positive part is subtracted up to two standard deviations above its mean.

    Parameters
    ----------
    array
        Grey levels, real; the last two axes are a plane.
    width
        Full width at half maximum of the finest structure, in pixels.
    noise_levels
        Number of wavelet levels that are noise.

    Raises
    ------
    ConfigError
        If the width is less than 2 pixels or there is no level of noise.
    """
    if width < 2 or noise_levels < 1:
        raise ConfigError(
            f"width {width} and {noise_levels} noise levels were given; "
            "at least 2 and 1 are needed."
        )
    values = np.asarray(array, np.float32)
    planes = values.reshape(-1, *values.shape[-2:])
    n_levels = math.ceil(math.log2(width))
    signal = np.stack([_wbns_plane(plane, n_levels, noise_levels) for plane in planes])
    return signal.reshape(values.shape)


def _wbns_plane(plane: NDArray[Any], n_levels: int, noise_levels: int) -> NDArray[np.float32]:
    """Return one plane without background and noise."""
    smooth = gaussian_filter(_block_mean(plane, 2**n_levels), 2.0**n_levels)
    noise = np.maximum(plane - _block_mean(plane, 2**noise_levels), 0)
    noise = np.minimum(noise, noise.mean() + 2 * noise.std())
    return np.asarray(np.maximum(np.maximum(plane - smooth, 0) - noise, 0), np.float32)


def _block_mean(plane: NDArray[Any], length: int) -> NDArray[Any]:
    """Return a plane of the same size that has in each square block the mean of the block."""
    padding = [(0, -size % length) for size in plane.shape]
    padded = np.pad(plane, padding, mode="symmetric")
    rows, columns = (size // length for size in padded.shape)
    means = padded.reshape(rows, length, columns, length).mean(axis=(1, 3))
    full: NDArray[Any] = means.repeat(length, axis=0).repeat(length, axis=1)
    return full[: plane.shape[0], : plane.shape[1]]


def _box(values: NDArray[Any], widths: int | Sequence[int]) -> tuple[int, ...]:
    """Return one odd width per axis, so that the box has a centre, not longer than the axis."""
    given = tuple(widths) if isinstance(widths, Sequence) else (widths,) * values.ndim
    if len(given) != values.ndim or min(given) < 1:
        raise ConfigError(
            f"widths {given} were given for an array of shape {values.shape}; "
            "one width of at least 1 voxel per axis is needed."
        )
    pairs = zip(given, values.shape, strict=True)
    return tuple(min(width // 2 * 2 + 1, 2 * size - 1) for width, size in pairs)
