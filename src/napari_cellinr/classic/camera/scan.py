"""The shift between odd and even rows of a scan in both directions, and what to say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["scan_shift", "scan_warnings"]

_FARTHEST = 8  # pixels by which rows may be shifted
_STRIPS = 4  # parts of a plane, each with a shift of its own
_FEWEST_ROWS, _FEWEST_STRIPS = 8, 4  # odd rows in a strip, and strips with a shift
_MOST = 16  # planes that are looked at
_SEEN = 0.15  # least correlation of odd rows with the means of the rows beside them
_LEAST = 0.4  # pixels from which a shift counts
_AGREE, _NEAR = 0.75, 0.4  # least part of the strips within so many pixels of the median


class Planes(Protocol):
    """Planes of which only those are read that are looked at, as an array or a list has them."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: slice, /) -> Any: ...


def scan_shift(planes: Planes) -> float | None:
    """Return by how many pixels odd rows are shifted to the right against even ones; None for none.

    Each odd row is compared with the mean of the even rows beside it, so that slanted structures
    have no shift. Strips of all planes have to agree.

    Parameters
    ----------
    planes
        Grey levels, axes Y, X each, real and finite.
    """
    shifts = [
        shift
        for plane in planes[:: -(-len(planes) // _MOST)]
        for strip in np.array_split(_pairs(plane), _STRIPS, axis=1)
        if (shift := _shift_of(*strip)) is not None
    ]
    if len(shifts) < _FEWEST_STRIPS:
        return None
    middle = float(np.median(shifts))
    agree = float((np.abs(np.array(shifts) - middle) < _NEAR).mean())
    return middle if abs(middle) >= _LEAST and agree >= _AGREE else None


def scan_warnings(planes: Planes, channel: int | None = None) -> list[str]:
    """Return a sentence if odd rows are shifted.

    Parameters
    ----------
    planes
        Grey levels, axes Y, X each, real and finite.
    channel
        Number of the channel from 0, if there are several.
    """
    if not len(planes) or (shift := scan_shift(planes)) is None:
        return []
    of_channel = "" if channel is None else f" of channel {channel + 1}"
    return [
        f"Every second row{of_channel} is shifted by {abs(shift):.1f} pixels to the "
        f"{'right' if shift > 0 else 'left'} (rows 1, 3, …, counted from 0), as by the phase of a "
        "scan in both directions. It was not corrected, and edges look like combs: adjust the scan "
        "phase of the microscope, or shift these rows back before."
    ]


def _pairs(plane: NDArray[Any]) -> NDArray[np.float64]:
    """Return odd rows and the means of the even rows beside them, (2, row, X), each of mean 0."""
    values = np.asarray(plane, np.float64)
    n_rows = (len(values) - 1) // 2
    even, odd = values[0 : 2 * n_rows + 1 : 2], values[1 : 2 * n_rows : 2]
    pairs = np.stack([odd, (even[:-1] + even[1:]) / 2])
    return np.asarray(pairs - pairs.mean(axis=-1, keepdims=True))


def _shift_of(odd: NDArray[np.float64], beside: NDArray[np.float64]) -> float | None:
    """Return the shift at which rows correlate best; None if they hardly do."""
    n_columns = odd.shape[1]
    if len(odd) < _FEWEST_ROWS or n_columns < 4 * _FARTHEST:
        return None
    norm = float(np.sqrt((odd**2).sum() * (beside**2).sum()))
    if norm == 0:
        return None
    spectrum = (np.fft.rfft(odd) * np.conj(np.fft.rfft(beside))).sum(axis=0)
    lags = np.arange(-_FARTHEST, _FARTHEST + 1)
    correlation = np.fft.irfft(spectrum, n_columns)[lags] / norm
    best = int(np.argmax(correlation))
    if correlation[best] < _SEEN or best in {0, len(lags) - 1}:
        return None
    left, top, right = correlation[best - 1 : best + 2]
    return float(lags[best] + (right - left) / 2 / max(2 * top - left - right, 1e-12))
