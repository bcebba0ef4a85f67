"""A part of a whole frame, whose points of any spacing are some of those of the whole frame.

A grid that spans a frame from its first voxel to its last one has other points in a part than in
the whole, if it spans the part. So motion in a part would begin elsewhere, be compared at other
places, and end elsewhere: by little, but frames that are made along it move their noise with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from napari_cellinr.fields.trajectory import node_weights, on_lattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["SPACING", "Lattice", "Window", "between", "resized"]

SPACING: Final = 4.0
"""Distance of the nodes on which maps of trust are stored, voxels."""


@dataclass(frozen=True)
class Lattice:
    """The points in a part of a frame, of those that are even from its first voxel to its last one.

    Points just outside of the part are among them, so that all of it lies between points.

    Parameters
    ----------
    whole
        Voxels of the whole frame along each axis.
    counts
        Points of the whole frame.
    corner, shape
        First voxel of the part, and its voxels.
    """

    whole: tuple[int, ...]
    counts: tuple[int, ...]
    corner: tuple[int, ...]
    shape: tuple[int, ...]

    @cached_property
    def is_whole(self) -> bool:
        """Whether the part is the whole frame."""
        return self.shape == self.whole

    @cached_property
    def first(self) -> tuple[int, ...]:
        """Number of the first point along each axis."""
        return tuple(
            math.floor(corner * (m - 1) / max(n - 1, 1))
            for n, m, corner in zip(self.whole, self.counts, self.corner, strict=True)
        )

    @cached_property
    def size(self) -> tuple[int, ...]:
        """Number of points along each axis."""
        ends = (
            math.ceil((corner + size - 1) * (m - 1) / max(n - 1, 1))
            for n, m, corner, size in zip(
                self.whole, self.counts, self.corner, self.shape, strict=True
            )
        )
        return tuple(end - first + 1 for end, first in zip(ends, self.first, strict=True))

    @cached_property
    def origin(self) -> tuple[float, ...]:
        """Place of the first point along each axis, in voxels of the part."""
        return tuple(
            first * (n - 1) / max(m - 1, 1) - corner
            for n, m, first, corner in zip(
                self.whole, self.counts, self.first, self.corner, strict=True
            )
        )

    @cached_property
    def lengths(self) -> tuple[float, ...]:
        """Distance of the last point from the first one, in voxels."""
        return tuple(
            (n - 1) * ((points - 1) / max(m - 1, 1))
            for n, m, points in zip(self.whole, self.counts, self.size, strict=True)
        )

    @cached_property
    def lines(self) -> list[NDArray[np.float64]]:
        """Places of the points along each axis, in voxels of the part."""
        return [
            np.linspace(start, start + length, points)
            for start, length, points in zip(self.origin, self.lengths, self.size, strict=True)
        ]

    def with_counts(self, counts: Sequence[int]) -> Lattice:
        """Return other points of the same part.

        Parameters
        ----------
        counts
            Points of the whole frame along each axis.
        """
        return replace(self, counts=tuple(counts))

    def weights(self, lines: Sequence[NDArray[np.floating]]) -> list[torch.Tensor]:
        """Return the weights of the points in the interpolation at other places, for each axis.

        Parameters
        ----------
        lines
            These places along each axis, in voxels of the part.
        """
        return [
            node_weights(line - start, length + 1, points)
            for line, start, length, points in zip(
                lines, self.origin, self.lengths, self.size, strict=True
            )
        ]

    def scaled(self, lines: Sequence[NDArray[np.floating]]) -> list[NDArray[np.floating]]:
        """Return places along each axis from -1 at the first point to 1 at the last one.

        Parameters
        ----------
        lines
            In voxels of the part.
        """
        return [
            2 * (line - start) / max(length, 1) - 1
            for line, start, length in zip(lines, self.origin, self.lengths, strict=True)
        ]


@dataclass(frozen=True)
class Window:
    """A part of a frame.

    Parameters
    ----------
    whole
        Voxels of the whole frame along each axis.
    corner, shape
        First voxel of the part, and its voxels.
    """

    whole: tuple[int, ...]
    corner: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Window:
        """Return a whole frame as a part of itself.

        Parameters
        ----------
        shape
            Its voxels.
        """
        return cls(tuple(shape), (0,) * len(shape), tuple(shape))

    @property
    def is_whole(self) -> bool:
        """Whether the part is the whole frame."""
        return self.shape == self.whole

    @property
    def voxels(self) -> Lattice:
        """All voxels of the part."""
        return self.lattice(self.whole)

    def lattice(self, counts: Sequence[int]) -> Lattice:
        """Return the points in the part.

        Parameters
        ----------
        counts
            Points of the whole frame along each axis.
        """
        return Lattice(self.whole, tuple(counts), self.corner, self.shape)

    def along(self, axes: Sequence[int]) -> Window:
        """Return the part along some axes only.

        Parameters
        ----------
        axes
            Their numbers.
        """
        return Window(*(tuple(v[a] for a in axes) for v in (self.whole, self.corner, self.shape)))


def between(values: Floats, source: Lattice, target: Lattice) -> Floats:
    """Return channels, (channels, *points), linearly interpolated at the points of another lattice.

    Parameters
    ----------
    values
        At the points of `source`.
    source, target
        Lattices of the same part.
    """
    if source.is_whole:
        return resized(values, target.counts)
    flat = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    return on_lattice(flat, source.weights(target.lines)).numpy().reshape(-1, *target.size)


def resized(values: Floats, shape: Sequence[int]) -> Floats:
    """Return channels, (channels, *shape), linearly interpolated on another grid.

    Parameters
    ----------
    values
        Channels on a grid, (channels, *grid), float32; corners stay corners.
    shape
        Numbers of points of the other grid, along two or three axes.
    """
    mode = {2: "bilinear", 3: "trilinear"}[len(shape)]
    given = torch.from_numpy(np.ascontiguousarray(values))[None]
    found = functional.interpolate(given, size=tuple(shape), mode=mode, align_corners=True)
    return np.array(found[0].numpy())
