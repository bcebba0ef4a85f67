"""Brightness that denoising takes from the brightest structures where there is little light."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.field.left import Left

__all__ = ["lost_brightness"]

SHARES = (0.93, 0.97, 0.985, 0.995, 0.999)
"""Fractions of the voxels that are darker than each class of the brightest ones."""

FEWEST = 20
"""Voxels from which a mean is taken."""

RESTORED = 0.8
"""Part of the lost brightness that is given back: some of it is noise that is not as drawn."""


def lost_brightness(
    real: Left, synthetic: Sequence[Left]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return levels of brightness, rising, and how much too dark the result is there.

    Small bright structures are mixed with their dark surroundings. What is left of the recorded
    values is then positive on average; so it is also because the brightest results are those
    whose noise was positive, and by how much is known of synthetic images. The difference counts
    as far as it is larger than its standard error.

    Parameters
    ----------
    real
        The image.
    synthetic
        Synthetic images, with errors.

    Returns
    -------
    tuple
        Both in standard deviations of the noise, shape (level,); linear between the levels, and 0
        below the first.
    """
    edges = [*np.quantile(real.results, SHARES).tolist(), np.inf]
    results, noise = (
        np.concatenate(parts)
        for parts in zip(*((one.results.ravel(), _noise(one)) for one in synthetic), strict=True)
    )
    ends = [*np.quantile(results, SHARES).tolist(), np.inf]
    levels, lost = [edges[0]], [0.0]
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        own = (real.results >= low) & (real.results < high)
        if np.count_nonzero(own) < FEWEST:
            continue
        left = real.left[own].astype(np.float64)
        alike = (results >= low) & (results < high)
        if np.count_nonzero(alike) < FEWEST:  # none is as bright: its brightest ones
            alike = (results >= ends[number]) & (results < ends[number + 1])
        more = float(left.mean() - noise[alike].mean())
        chance = float(left.std()) / len(left) ** 0.5
        levels.append(float(real.results[own].mean()))
        lost.append(RESTORED * more * max(0.0, 1 - (chance / more) ** 2) if more > 0 else 0.0)
    return np.asarray(levels), np.asarray(lost)


def _noise(synthetic: Left) -> NDArray[np.float32]:
    """Return the noise that was drawn: what is left, without the error."""
    assert synthetic.errors is not None
    return (synthetic.left - synthetic.errors).ravel()
