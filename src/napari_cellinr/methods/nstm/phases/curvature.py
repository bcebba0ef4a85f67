"""How well the frames tell the place of a part: the curvature of its likelihood (Laplace)."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Likelihood = Callable[[int, int, NDArray[np.float64]], NDArray[np.float64]]

__all__ = ["FURTHEST", "OFF_UNIFORM", "covariance"]

OFF_UNIFORM = 2.0
"""Standard deviation in pixels of the places in single frames around uniform motion: a single frame
shows one direction only, so that its place is not left free."""

FURTHEST = 10.0
"""Largest standard deviation in pixels, of a part of which the frames tell nothing."""

STEP = 0.3
"""Pixels between the shifts of which the curvature is taken."""


def covariance(
    likely: Likelihood, shifts: NDArray[np.float64], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the covariance of the most likely places of a part, that of both axes added.

    The logarithm of the likelihood is a sum over pairs of frames, so that each pair is like a
    spring between its two places, whose stiffness is the curvature. Another one holds them to
    uniform motion. The covariance is the inverse of the stiffness. What all frames have in common,
    which no pair tells, is left out.

    Parameters
    ----------
    likely
        For two frames and shifts of the second against the first, (2, …) in pixels, their summand
        in the log-likelihood.
    shifts
        Most likely place in each frame, (frames, 2) in pixels.
    times
        Of the frames, as fractions of the recording, (frames,).

    Returns
    -------
    numpy.ndarray
        (frames, frames) in square pixels: the variance of the displacement between two frames k and
        l is that of k and of l, minus twice that of both.
    """
    n = len(shifts)
    stiffness = np.zeros((n, 2, n, 2))
    for one, other in combinations(range(n), 2):
        spring = -_curvature(likely, one, other, shifts[other] - shifts[one])
        for k in (one, other):
            stiffness[k, :, k] += spring
        stiffness[one, :, other] -= spring
        stiffness[other, :, one] -= spring
    uniform = np.stack([np.ones(n), times])
    off = np.eye(n) - np.linalg.pinv(uniform) @ uniform
    stiffness += off[:, None, :, None] * np.eye(2)[:, None] / OFF_UNIFORM**2
    apart = np.linalg.svd(np.ones((1, n)))[2][1:].T  # (frames, frames - 1): no common shift
    basis = np.kron(apart, np.eye(2))
    values, vectors = np.linalg.eigh(basis.T @ stiffness.reshape(2 * n, 2 * n) @ basis)
    ways = basis @ vectors / np.sqrt(np.maximum(values, FURTHEST**-2))
    whole = (ways @ ways.T).reshape(n, 2, n, 2)
    found: NDArray[np.float64] = np.einsum("kcmc->km", whole)
    return found


def _curvature(
    likely: Likelihood, one: int, other: int, shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the second derivatives of what a pair of frames adds to the log-likelihood, (2, 2)."""
    steps = STEP * np.stack(np.meshgrid(*[(-1.0, 0.0, 1.0)] * 2, indexing="ij"))
    values = likely(one, other, shift[:, None, None] + steps)
    along = values[2, 1] + values[0, 1] - 2 * values[1, 1]
    across = values[1, 2] + values[1, 0] - 2 * values[1, 1]
    mixed = (values[2, 2] + values[0, 0] - values[2, 0] - values[0, 2]) / 4
    return np.array([[along, mixed], [mixed, across]]) / STEP**2
