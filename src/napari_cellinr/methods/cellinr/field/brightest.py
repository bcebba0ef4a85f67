"""Brightness that denoising takes from the brightest structures where there is little light."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.field.residuals import Residual

__all__ = ["lost_brightness"]

SHARES = (0.93, 0.97, 0.985, 0.995, 0.999)
"""Fractions of the voxels that are darker than each class of the brightest ones: what is lost rises
with the brightness, and classes below these take noise for structure."""

FEWEST = 20
"""Voxels from which a mean is taken: of fewer, its standard error is not known either."""

RESTORED = 0.8
"""Part of the lost brightness that is given back: some of it is noise that is not as drawn, and
with all of it membranes lose 0.05 dB (docs/decisions/residual-field.md)."""


def lost_brightness(
    real: Residual, synthetic: Sequence[Residual]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return levels of brightness, rising, and how much too dark the result is there.

    Small bright structures are mixed with their dark surroundings. The residual is
    then positive on average; so it is also because the brightest results are those
    whose noise was positive, and by how much is known of synthetic images. The difference counts
    as far as it is larger than its standard error. Classes of few voxels are left out.

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
        residual = real.residual[own].astype(np.float64)
        alike = (results >= low) & (results < high)
        if np.count_nonzero(alike) < FEWEST:  # none is as bright: its brightest ones
            alike = (results >= ends[number]) & (results < ends[number + 1])
        if np.count_nonzero(alike) < FEWEST:
            continue
        drawn = noise[alike].astype(np.float64)
        more = float(residual.mean() - drawn.mean())
        chance = np.hypot(residual.std() / len(residual) ** 0.5, drawn.std() / len(drawn) ** 0.5)
        levels.append(float(real.results[own].mean()))
        sure = max(0.0, 1 - float(chance / more) ** 2) if more > 0 else 0.0
        lost.append(RESTORED * more * sure)
    return np.asarray(levels), np.asarray(lost)


def _noise(synthetic: Residual) -> NDArray[np.float32]:
    """Return the noise that was drawn: the residual without the error."""
    assert synthetic.errors is not None
    return (synthetic.residual - synthetic.errors).ravel()
