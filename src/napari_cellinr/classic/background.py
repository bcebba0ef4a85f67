"""Conventional background estimation: grey opening and wavelets (WBNS)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, grey_opening

from napari_cellinr.errors import ConfigError
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["background", "opening", "physical_widths", "wbns"]

_SMOOTHING = 0.25  # standard deviation of the smoothing as a fraction of the opening's width
_FINEST = 1.0  # standard deviation in voxels along the finest axis, against the bias of minima


def physical_widths(width: float, scale: Sequence[float]) -> tuple[int, ...]:
    """Return the width in voxels along each axis that is the same physical length.

    Parameters
    ----------
    width
        Width in voxels along the last axis.
    scale
        Voxel size along each axis, all in the same unit.

    Raises
    ------
    ConfigError
        If the width or a voxel size is not positive.
    """
    if not (width > 0 and all(step > 0 for step in scale)):
        raise ConfigError(
            f"width {width} and voxel size {tuple(scale)} were given; positive numbers are needed."
        )
    return tuple(max(1, round(width * scale[-1] / step)) for step in scale)


def opening(array: NDArray[Any], widths: int | Sequence[int] = 11) -> NDArray[np.float32]:
    """Return the smoothed grey opening, float32: only bright areas wider than a box remain.

    A baseline. On a noisy image it is below the background, because it is a minimum; see
    `background`.

    Parameters
    ----------
    array
        Grey levels, axes ZYX or YX, real.
    widths
        Width of the box in voxels, one for all axes or one per axis; 1 skips an axis.

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

    The smoothing reduces the bias of the minimum, caused by residual noise and by uneven
    brightness between cells; on simulated embryos it lowers the error by 4 dB. The width should
    be that of a cell.

    Parameters
    ----------
    estimate
        Denoised grey levels, axes ZYX or YX, real.
    widths
        Width in voxels above which brightness variations count as background, one for all axes
        or one per axis.

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
    """Return the signal by wavelet-based background and noise subtraction (WBNS), float32, ≥ 0.

    Hüpfel et al., Biomedical Optics Express 12, 969 (2021), plane by plane. With Haar wavelets
    the approximation at level n is the mean of blocks of 2ⁿ × 2ⁿ pixels; smoothed, it is the
    background. Detail finer than level `noise_levels` is noise; its positive part is subtracted,
    clipped at two standard deviations above its mean.

    Parameters
    ----------
    array
        Grey levels, real; the last two axes are a plane.
    width
        Full width at half maximum of the finest structure, in pixels.
    noise_levels
        Number of wavelet levels that count as noise.

    Raises
    ------
    ConfigError
        If the width is less than 2 pixels or the number of levels less than 1.
    """
    if width < 2 or noise_levels < 1:
        raise ConfigError(
            f"width {width} and {n_of(noise_levels, 'noise level')} were given; a width of at "
            "least 2 pixels and at least 1 level are needed."
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
    """Return a plane in which each square block is replaced by its mean."""
    padding = [(0, -size % length) for size in plane.shape]
    padded = np.pad(plane, padding, mode="symmetric")
    rows, columns = (size // length for size in padded.shape)
    means = padded.reshape(rows, length, columns, length).mean(axis=(1, 3))
    full: NDArray[Any] = means.repeat(length, axis=0).repeat(length, axis=1)
    return full[: plane.shape[0], : plane.shape[1]]


def _box(values: NDArray[Any], widths: int | Sequence[int]) -> tuple[int, ...]:
    """Return one odd width per axis, so that the box has a centre, limited by the axis length."""
    given = tuple(widths) if isinstance(widths, Sequence) else (widths,) * values.ndim
    if len(given) != values.ndim or min(given) < 1:
        raise ConfigError(
            f"widths {given} were given for an array of shape {values.shape}; "
            "one width of at least 1 voxel per axis is needed."
        )
    pairs = zip(given, values.shape, strict=True)
    return tuple(min(width // 2 * 2 + 1, 2 * size - 1) for width, size in pairs)
