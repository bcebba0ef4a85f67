"""What the inverse of the Anscombe transform is wrong by, where noise is not as the model says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["mean_bias"]

_BLOCK = 8  # side of a block in voxels
_FEWEST = 16  # blocks from which a mean is computed
_SIGNIFICANT = 2.5  # standard errors up to which the mean is chance; it counts more and more above
_OUTLYING = 8.0  # robust standard deviations beyond which a block does not count


def mean_bias(residuals: Iterable[NDArray[np.float32]]) -> float:
    """Return by how much restored images are too dark, in grey levels; 0 if it may be chance.

    It begins at 0 where it is significant (James and Stein 1961): similar images get similar
    values.

    The recorded values are unbiased: over many voxels, their mean is that of the light. Noise of
    another kind than the model's, as of an electron-multiplying camera, makes the inverse of the
    Anscombe transform wrong by nearly the same amount everywhere.

    Parameters
    ----------
    residuals
        Recorded minus restored grey levels of each image of one camera, axes ZYX or YX; NaN where
        they do not count.
    """
    means = np.concatenate([_block_means(residual) for residual in residuals])
    if len(means) < _FEWEST:
        return 0.0
    middle = np.median(means)
    spread = 1.4826 * np.median(np.abs(means - middle))
    usual = means[np.abs(means - middle) <= _OUTLYING * spread]
    bias, error = usual.mean(), usual.std() / max(len(usual) - 1, 1) ** 0.5
    if abs(bias) <= _SIGNIFICANT * error:
        return 0.0
    return float(bias * (1 - (_SIGNIFICANT * error / bias) ** 2))


def _block_means(residual: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of each block, shape (block,); those without a value are left out."""
    sums = np.where(np.isfinite(residual), residual, 0).astype(np.float64)
    counts = np.isfinite(residual).astype(np.float64)
    for axis, size in enumerate(residual.shape):
        firsts = np.arange(0, max(size - _BLOCK // 2, 1), _BLOCK)
        sums, counts = (np.add.reduceat(part, firsts, axis) for part in (sums, counts))
    full = (counts > 0) & (counts >= counts.max() / 2)
    means: NDArray[np.float64] = sums[full] / counts[full]
    return means
