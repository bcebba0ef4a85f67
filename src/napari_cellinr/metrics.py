"""How near a result is to the truth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage.metrics import structural_similarity

from napari_cellinr.errors import AxesError, ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["dice", "psnr", "ssim", "value_range"]

_SSIM_WINDOW = 7  # voxels; the usual size of the uniform window of Wang et al. 2004


def psnr(result: ArrayLike, truth: ArrayLike, data_range: float | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite if the arrays are equal.

    Parameters
    ----------
    result, truth
        Arrays of one shape, any axes, real.
    data_range
        Peak in the units of the arrays; maximum minus minimum of `truth` if not given.

    Raises
    ------
    AxesError
        If the shapes differ or the arrays are empty.
    ConfigError
        If the range is not positive, which it is not for a constant truth.
    """
    values, reference = _pair(result, truth)
    peak = value_range(reference) if data_range is None else data_range
    _check_range(peak)
    error = float(np.mean((values - reference) ** 2))
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def ssim(result: ArrayLike, truth: ArrayLike, data_range: float | None = None) -> float:
    """Return the structural similarity (Wang et al. 2004), mean of the 2-D values of all planes.

    Parameters
    ----------
    result, truth
        Arrays of one shape, real; the last two axes are a plane and have 3 elements or more.
        The window is 7 × 7, or the largest odd one that fits into a smaller plane.
    data_range
        Range of the values in their units; maximum minus minimum of `truth` if not given.

    Raises
    ------
    AxesError
        If the shapes differ, the arrays are empty, or a plane is smaller than 3 × 3.
    ConfigError
        If the range is not positive, which it is not for a constant truth.
    """
    values, reference = _pair(result, truth)
    if reference.ndim < 2 or min(reference.shape[-2:]) < 3:
        raise AxesError(
            f"arrays of shape {reference.shape} were given; SSIM needs planes of at least 3 × 3."
        )
    span = value_range(reference) if data_range is None else data_range
    _check_range(span)
    smallest = min(_SSIM_WINDOW, *reference.shape[-2:])
    window = smallest - (smallest + 1) % 2
    planes = zip(_planes(values), _planes(reference), strict=True)
    similarities = [
        structural_similarity(a, b, win_size=window, data_range=span)  # type: ignore[no-untyped-call]
        for a, b in planes
    ]
    return float(np.mean(similarities))


def dice(first: ArrayLike, second: ArrayLike) -> float:
    """Return the overlap 2|A∩B| / (|A|+|B|) of two masks, 0 to 1; 1 if both are empty.

    Parameters
    ----------
    first, second
        Arrays of one shape, any axes; everything but zero is inside.

    Raises
    ------
    AxesError
        If the shapes differ or the arrays are empty.
    """
    a, b = np.asarray(first) != 0, np.asarray(second) != 0
    _check_shapes(a, b)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def value_range(array: ArrayLike) -> float:
    """Return maximum minus minimum, in the units of the array."""
    values = np.asarray(array, np.float64)
    return float(values.max() - values.min())


def _pair(result: ArrayLike, truth: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both arrays as float64, so that sums over many voxels stay exact."""
    values, reference = np.asarray(result, np.float64), np.asarray(truth, np.float64)
    _check_shapes(values, reference)
    return values, reference


def _planes(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1, *array.shape[-2:])


def _check_shapes(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape:
        raise AxesError(
            f"arrays of shape {first.shape} and {second.shape} were given; "
            "they can only be compared if they are equal. Crop or transpose one of them."
        )
    if first.size == 0:
        raise AxesError(f"arrays of shape {first.shape} were given; they hold nothing to compare.")


def _check_range(span: float) -> None:
    if not (math.isfinite(span) and span > 0):
        raise ConfigError(
            f"the data range is {span}; it must be positive. Give one if the truth is constant."
        )
