"""Interpolation that preserves means: voxels are means over their extent, not point samples.

The cumulative sums of voxel values are point values at the voxel borders. A spline through them
(Schoenberg 1973, "Splines and histograms") gives the mean over any other interval (cell), and
the means of the output over the input voxels are exactly the input.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import make_interp_spline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling

__all__ = ["cell_means", "means_weights", "spline_weights"]

DEGREE = 5
"""Degree of the spline through the sums; the brightness is a spline of one degree less."""

MARGIN = 8
"""Mirrored cells on either side; those further away have weights below 1e-4."""


def means_weights(edges: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return the weights of input cells in means over other cells, (cells, size), float32.

    The input is constant within each cell; outside, the nearest cell continues.

    Parameters
    ----------
    edges
        Increasing borders of the other cells, (cells + 1,), in input cells; 0 is the outer edge
        of the first one.
    size
        Number of input cells.
    """
    left = np.arange(size, dtype=np.float64)
    right = left + 1
    left[0], right[-1] = -np.inf, np.inf
    overlap = np.minimum(edges[1:, None], right) - np.maximum(edges[:-1, None], left)
    weights = np.maximum(overlap, 0) / np.diff(edges)[:, None]
    return np.asarray(weights, np.float32)


def spline_weights(edges: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return the weights for means of the spline that has the means of the input.

    Parameters
    ----------
    edges, size
        As for `means_weights`; outside, the input is mirrored.

    Returns
    -------
    numpy.ndarray
        Weights, (cells, size), float32.
    """
    reach = MARGIN + max(0, int(np.ceil(max(-edges[0], edges[-1] - size))))
    columns = np.mod(np.arange(-reach, size + reach), 2 * size)
    columns = np.where(columns >= size, 2 * size - 1 - columns, columns)
    sums = np.concatenate([np.zeros((1, size)), np.cumsum(np.eye(size)[columns], axis=0)])
    curve = make_interp_spline(np.arange(-reach, size + reach + 1.0), sums, k=DEGREE)
    weights = np.diff(curve(edges), axis=0) / np.diff(edges)[:, None]
    return np.asarray(weights, np.float32)


def edges_of(sampling: Sampling) -> NDArray[np.float64]:
    """Return the borders of the output cells, in input cells, (n_out + 1,); 0 is the outer edge."""
    first = sampling.start + 0.5 - sampling.step / 2
    return first + sampling.step * np.arange(sampling.n_out + 1, dtype=np.float64)


@lru_cache(maxsize=64)
def _spline_weights(sampling: Sampling) -> NDArray[np.float32]:
    return spline_weights(edges_of(sampling), sampling.n_in)


def cell_means(data: NDArray[np.float32], sampling: Sampling, axis: int) -> NDArray[np.float32]:
    """Return the means over output cells along one axis, float32.

    Parameters
    ----------
    data
        Any axes, float32.
    sampling
        Position and size of the output cells. With more output than input cells, the means of
        the output over the input cells are the input.
    axis
        The axis to resample.
    """
    moved = np.moveaxis(data, axis, 0)
    found = np.tensordot(_spline_weights(sampling), moved, axes=1)
    return np.ascontiguousarray(np.moveaxis(found, 0, axis), np.float32)
