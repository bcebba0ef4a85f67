"""Small views of frames, in which the frames of a series are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["correlation_at", "overlap", "parts_of", "shift_of", "view_of"]

_SIZE: Final = 64
"""Most pixels along each axis of a view."""


def view_of(frame: NDArray[Any]) -> NDArray[np.float64]:
    """Return the means over Z, and over squares of pixels such that few are left.

    Parameters
    ----------
    frame
        Axes [Z,] Y, X, real.
    """
    plane = np.asarray(frame, np.float64)
    plane = plane.mean(axis=0) if plane.ndim > 2 else plane
    rows, columns = (max(1, -(-size // _SIZE)) for size in plane.shape)
    plane = plane[: plane.shape[0] // rows * rows, : plane.shape[1] // columns * columns]
    means = plane.reshape(plane.shape[0] // rows, rows, -1, columns).mean(axis=(1, 3))
    return np.asarray(means)


def parts_of(view: NDArray[np.float64], least: int, most: int) -> list[NDArray[np.float64]]:
    """Return parts of a view.

    Parameters
    ----------
    view
        Axes Y, X.
    least
        Pixels that each part has at least along each axis.
    most
        Parts along each axis at most.
    """
    counts = [int(np.clip(size // least, 1, most)) for size in view.shape]
    rows = np.array_split(view, counts[0], axis=0)
    return [part for row in rows for part in np.array_split(row, counts[1], axis=1)]


def shift_of(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the shift from a view to another one at which they correlate best, in pixels.

    Parameters
    ----------
    one, other
        Views without their means.
    """
    product = np.fft.irfft2(np.conj(np.fft.rfft2(one)) * np.fft.rfft2(other), one.shape)
    peak = np.unravel_index(int(np.argmax(product)), one.shape)
    return tuple((int(p) + n // 2) % n - n // 2 for p, n in zip(peak, one.shape, strict=True))


def overlap(
    one: NDArray[np.float64], other: NDArray[np.float64], shift: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the parts of two views that show the same if the second has moved by a shift.

    Parameters
    ----------
    one, other
        Views of the same shape.
    shift
        In pixels along each axis.
    """
    size = one.shape
    first = one[tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(shift, size, strict=True))]
    second = other[
        tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(shift, size, strict=True))
    ]
    return first, second


def correlation_at(
    one: NDArray[np.float64], other: NDArray[np.float64], shift: Sequence[int]
) -> float:
    """Return the correlation of two views if the second has moved by a shift; 0 without structure.

    Parameters
    ----------
    one, other
        Views of the same shape.
    shift
        In pixels along each axis.
    """
    first, second = overlap(one, other, shift)
    if first.size < 2 or min(first.std(), second.std()) == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
