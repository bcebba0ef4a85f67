"""Conventional interpolation along any axes: the baseline of super-resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from scipy.ndimage import spline_filter1d
from scipy.sparse import csr_array

from napari_cellinr.classic.sampling import placed, samplings
from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["Interpolation", "interpolate", "resample"]

Interpolation: TypeAlias = Literal["linear", "cubic", "spline"]
"""Linear; cubic convolution (Keys 1981); interpolating cubic B-spline (Unser 1999)."""


def interpolate(image: Image, factors: Mapping[str, float], kind: Interpolation) -> Image:
    """Return an image resampled along some axes, float32, at the same physical position.

    Parameters
    ----------
    image
        Axes T, C, Z, Y, X or some of them, real.
    factors
        Factor by axis letter; see `classic.sampling` for the positions of the samples.
    kind
        Kind of interpolation, the same along all axes.

    Raises
    ------
    AxesError
        If the image lacks a named axis.
    ConfigError
        If a factor or the kind is not allowed.
    """
    maps = samplings(image, factors)
    data = np.asarray(image.array(), np.float32)
    for i, axis in enumerate(image.axes):
        if axis in maps and (maps[axis].step != 1 or maps[axis].start != 0):
            data = resample(data, maps[axis].positions, i, kind)
    return placed(image, data, maps)


def resample(
    data: NDArray[Any], positions: NDArray[np.float64], axis: int, kind: Interpolation
) -> NDArray[np.float32]:
    """Return the values at any positions along one axis, float32.

    Beyond the outermost samples, linear and cubic interpolation are constant, and the spline is
    mirrored. A single sample is constant everywhere.

    Parameters
    ----------
    data
        Real, any axes.
    positions
        Positions in samples, shape (n,); 0 is the centre of the first one.
    axis
        The axis to resample.
    kind
        Kind of interpolation.

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    if kind not in get_args(Interpolation):
        raise ConfigError(
            f"interpolation {kind!r} was given; {', '.join(get_args(Interpolation))} are allowed."
        )
    values = np.moveaxis(np.asarray(data, np.float32), axis, 0)
    size = values.shape[0]
    if kind == "spline" and size > 1:
        values = spline_filter1d(values, 3, axis=0, output=np.float32, mode="mirror")
    flat = values.reshape(size, -1)
    found = _weights(np.asarray(positions, np.float64), size, kind) @ flat
    result = found.reshape(len(positions), *values.shape[1:])
    return np.ascontiguousarray(np.moveaxis(result, 0, axis), np.float32)


def _weights(positions: NDArray[np.float64], size: int, kind: Interpolation) -> csr_array:
    """Return the weight of each sample at each position, sparse, shape (positions, size)."""
    if kind == "spline":
        inside = np.clip(positions, -(size - 1.0), 2 * (size - 1.0))
        left = np.floor(inside)
    else:
        inside = np.clip(positions, 0, size - 1)
        left = np.minimum(np.floor(inside), max(size - 2, 0))
    part = inside - left
    shares = {"linear": _linear, "cubic": _keys, "spline": _basis}[kind](part)
    reach = len(shares) // 2
    rows = np.tile(np.arange(len(positions)), len(shares))
    columns = np.concatenate([left + 1 - reach + i for i in range(len(shares))]).astype(int)
    weights = np.concatenate(shares)
    if kind == "spline" or size == 1:
        columns = _mirrored(columns, size)
    else:
        rows, columns, weights = _extended(rows, columns, weights, size)
    shape = (len(positions), size)
    return csr_array((weights.astype(np.float32), (rows, columns)), shape=shape)


def _linear(t: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the weights of the two neighbouring samples."""
    return [1 - t, t]


def _keys(t: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the weights of four samples by cubic convolution with a = −1/2 (Keys 1981)."""
    return [
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t**2 + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t**2,
    ]


def _basis(t: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the weights of four coefficients of a cubic B-spline (Unser 1999)."""
    return [(1 - t) ** 3 / 6, (3 * t - 6) * t**2 / 6 + 2 / 3, _rising(t), t**3 / 6]


def _rising(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight of the coefficient that follows the position."""
    return ((-3 * t + 3) * t + 3) * t / 6 + 1 / 6


def _mirrored(columns: NDArray[np.int_], size: int) -> NDArray[np.int_]:
    """Return the indices of samples outside, mirrored about the outermost samples."""
    if size == 1:
        return np.zeros_like(columns)
    turn = 2 * (size - 1)
    folded: NDArray[np.int_] = np.abs(columns) % turn
    return np.where(folded >= size, turn - folded, folded)


def _extended(
    rows: NDArray[np.int_], columns: NDArray[np.int_], weights: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.float64]]:
    """Return weights of inside samples only: one just outside is replaced by 2 f(0) − f(1).

    With this linear extrapolation, cubic interpolation reproduces straight lines up to the
    outermost samples.
    """
    below, above = columns < 0, columns >= size
    outside = below | above
    edge = np.where(below, 0, size - 1)[outside]
    inner = np.where(below, min(1, size - 1), max(size - 2, 0))[outside]
    kept = np.where(outside, np.where(below, 0, size - 1), columns)
    return (
        np.concatenate([rows, rows[outside], rows[outside]]),
        np.concatenate([kept, edge, inner]),
        np.concatenate([weights, weights[outside], -weights[outside]]),
    )
