"""A better guide for the patch groups of a plane."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr.classic.collaborative import iter_collaborative
from napari_cellinr.fitting.problem import finish

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.methods.cellinr.initial.estimate import EstimateBudget, Guides

__all__ = ["THRESHOLD", "with_pilot"]

THRESHOLD = 2.7
"""Standard deviations of the noise above which a coefficient is kept."""

SMALLEST = 8
"""Pixels along an axis below which a plane has no patches."""


def with_pilot(values: NDArray[np.float32], guides: Guides, budget: EstimateBudget) -> Guides:
    """Return guides that keep fine regular structure, which non-local means smooth away.

    They are the means of the guides and of the plane filtered by a hard threshold (the first step
    of BM3D), whose similar patches are searched for in the guide. Volumes keep their guides.

    Parameters
    ----------
    values
        Stabilised values, axes ZYX or YX, float32, in standard deviations of the noise.
    guides
        Of the groups.
    budget
        Grain of the noise and device.
    """
    shape = values.shape
    if values.size != shape[-1] * shape[-2] or min(shape[-2:]) < SMALLEST:
        return guides
    flat = [None if a is None else a.reshape(shape[-2:]) for a in (values, guides.variance)]
    assert flat[0] is not None
    hard = finish(
        iter_collaborative(
            flat[0],
            guides.first.reshape(shape[-2:]),
            variance=flat[1],
            grain=budget.grain,
            device=budget.device,
            threshold=THRESHOLD,
        )
    ).reshape(shape)
    half = np.float32(0.5)
    return replace(guides, first=half * (guides.first + hard), second=half * (guides.second + hard))
