"""Where frames are compared: at the same places in a whole frame and in parts of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.methods.spatime.between.flow import coarser_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Values = NDArray[np.floating]

__all__ = ["Places"]

VOXELS: Final = 50
"""Voxels of a frame for each place, at most, so that motion is as well known in large frames as in
those of 500 x 500 voxels, in which the 5000 places of a plane (`motion.motion_settings`) are one
for each 50."""

MOST: Final = 200_000
"""Places of a whole frame with which it still takes steps of full size nearly everywhere."""


@dataclass(frozen=True)
class Places:
    """Places on a lattice that is moved evenly from step to step, so that all are looked at.

    The steps are those of the additive recurrence of M. Roberts ("The unreasonable effectiveness
    of quasirandom sequences", 2018), which leaves no gaps.

    Parameters
    ----------
    shape
        Voxels of a whole frame along each axis.
    seed
        Of the first place.
    corner
        First voxel of the part along each axis; the frame is whole if not given.
    """

    shape: tuple[int, ...]
    seed: int = 0
    corner: tuple[int, ...] = ()

    def axes(self, step: int, count: int, shape: Sequence[int], level: int = 1) -> list[Values]:
        """Return the places along each axis, in voxels of a part of the frame, increasing.

        The places in the part are all combinations of these, which is what makes motion quick to
        interpolate at them (`fields.trajectory.on_lattice`).

        Parameters
        ----------
        step
            Number of the step.
        count
            About how many places a whole frame has: more if it is large, but at most one for each
            voxel of the whole frame at the resolution at which it is compared.
        shape
            Voxels of the part along each axis.
        level
            How many times coarser frames are when they are compared.
        """
        n_voxels = math.prod(self.shape)
        most = math.prod(coarser_size(self.shape, level))
        count = max(1, min(max(count, n_voxels // VOXELS), most))
        moved = (_first(self.seed, len(self.shape)) + (step + 1) * _steps(len(self.shape))) % 1
        corner = self.corner or (0,) * len(shape)
        return [
            _along(part, spacing, start, size)
            for part, spacing, start, size in zip(
                moved, _spacings(self.shape, count), corner, shape, strict=True
            )
        ]

    def share(self, axes: Sequence[Values], step: int, count: int, level: int = 1) -> float:
        """Return what part of the places in a whole frame is in a part of it, of at most `MOST`.

        Adam does not take steps of full size where gradients are less than its constant, which
        those of a whole frame are in places, since they are parts of a mean over all of it.

        Parameters
        ----------
        axes
            The places in the part along each axis.
        step, count, level
            As for `axes`.
        """
        if not self.corner:
            return 1.0
        whole = Places(self.shape, self.seed).axes(step, count, self.shape, level)
        return math.prod(map(len, axes)) / min(math.prod(map(len, whole)), MOST)


@lru_cache(maxsize=8)
def _first(seed: int, n_axes: int) -> Values:
    """Return how far the lattice is moved before the first step, in its spacing along each axis."""
    return np.random.default_rng(seed).random(n_axes)


@lru_cache(maxsize=8)
def _steps(n_axes: int) -> Values:
    """Return how far the lattice is moved in each step, in its spacing along each axis."""
    root = 2.0
    for _ in range(50):  # of x ** (n_axes + 1) = x + 1
        root = (1 + root) ** (1 / (n_axes + 1))
    return (1 / root) ** np.arange(1, n_axes + 1)


@lru_cache(maxsize=8)
def _spacings(shape: tuple[int, ...], count: int) -> list[float]:
    """Return the spacing along each axis: the same, but not more than a frame is long."""
    lengths = [float(n - 1) for n in shape]
    found = [0.0] * len(shape)
    left = [axis for axis, length in enumerate(lengths) if length > 0]
    while left:
        even = (math.prod(lengths[axis] for axis in left) / count) ** (1 / len(left))
        short = [axis for axis in left if lengths[axis] < even]
        for axis in short or left:
            found[axis] = min(lengths[axis], even)
        left = [axis for axis in left if not found[axis]]
    return found


def _along(part: float, spacing: float, corner: int, size: int) -> Values:
    """Return the places along one axis, in voxels from the corner; at least one."""
    if spacing == 0 or size == 1:
        return np.zeros(1)
    first = math.ceil(corner / spacing - part)
    last = math.floor((corner + size - 1) / spacing - part)
    if last < first:  # the part is shorter than the spacing
        nearest = (first + part) * spacing - corner
        return np.array([min(max(nearest, 0.0), size - 1.0)])
    places: Values = (np.arange(first, last + 1) + part) * spacing - corner
    return places
