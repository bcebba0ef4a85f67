"""Interpolation that preserves means: voxels are means over their extent, not point samples.

The cumulative sums of voxel values are point values at the voxel borders. A spline through them
(Schoenberg 1973, "Splines and histograms") gives the mean over any other interval (cell), and
the means of the output over the input voxels are exactly the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import make_interp_spline

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Edges = NDArray[np.float64]

__all__ = ["overlap_means", "spline_means"]

DEGREE = 5
"""Degree of the spline through the sums; the brightness is a spline of one degree less."""

MARGIN = 8
"""Mirrored cells on either side; those further away have weights below 1e-4."""

LARGEST_MATRIX = 2**18
"""Most weights in a matrix; below it, its product with many columns is faster than as many splines.
"""

AT_ONCE = 2**21
"""Cells that are computed at once, in double precision."""


def overlap_means(data: Floats, edges: Edges) -> Floats:
    """Return means over other cells along the first axis, (cells, ...), float32.

    The input is constant within each cell; outside, the nearest cell continues.

    Parameters
    ----------
    data
        Means over the input cells, (size, ...), float32.
    edges
        Increasing borders of the other cells, (cells + 1,), in input cells; 0 is the outer edge
        of the first one.
    """
    return _column_by_column(_overlap_means, data, edges)


def spline_means(data: Floats, edges: Edges) -> Floats:
    """Return means over other cells along the first axis, of the spline with the means of the data.

    Parameters
    ----------
    data, edges
        As for `overlap_means`; outside, the input is mirrored.

    Returns
    -------
    numpy.ndarray
        Means, (cells, ...), float32.
    """
    if len(data) * len(edges) > LARGEST_MATRIX or data.size <= len(data) ** 2:
        return _column_by_column(_spline_means, data, edges)
    weights = _spline_means(np.eye(len(data)), edges).astype(np.float32)
    return np.tensordot(weights, data, axes=1)


def _column_by_column(means: Callable[[Edges, Edges], Edges], data: Floats, edges: Edges) -> Floats:
    """Return what a function of columns returns, computed for some columns at a time."""
    columns = data.reshape(len(data), -1)
    found = np.empty((len(edges) - 1, columns.shape[1]), np.float32)
    count = max(1, AT_ONCE // max(columns.shape[0], found.shape[0]))
    for first in range(0, columns.shape[1], count):
        part = slice(first, first + count)
        found[:, part] = means(columns[:, part].astype(np.float64), edges)
    return found.reshape(-1, *data.shape[1:])


def _overlap_means(columns: Edges, edges: Edges) -> Edges:
    inside = np.clip(edges, 0, len(columns))
    cells = np.minimum(inside.astype(int), len(columns) - 1)
    sums = _sums(columns)[cells] + (inside - cells)[:, None] * columns[cells]
    sums += np.minimum(edges, 0)[:, None] * columns[0]
    sums += np.maximum(edges - len(columns), 0)[:, None] * columns[-1]
    return _over_widths(sums, edges)


def _spline_means(columns: Edges, edges: Edges) -> Edges:
    size = len(columns)
    reach = MARGIN + max(0, int(np.ceil(max(-edges[0], edges[-1] - size))))
    cells = np.mod(np.arange(-reach, size + reach), 2 * size)
    mirrored = columns[np.where(cells >= size, 2 * size - 1 - cells, cells)]
    borders = np.arange(-reach, size + reach + 1.0)
    return _over_widths(make_interp_spline(borders, _sums(mirrored), k=DEGREE)(edges), edges)


def _sums(columns: Edges) -> Edges:
    """Return the sum of all cells left of each border, (cells + 1, columns)."""
    return np.concatenate([np.zeros((1, columns.shape[1])), np.cumsum(columns, axis=0)])


def _over_widths(sums: Edges, edges: Edges) -> Edges:
    means: Edges = np.diff(sums, axis=0) / np.diff(edges)[:, None]
    return means
