"""Tiles: divides an image into overlapping blocks, and blends their results."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from numpy.typing import NDArray

__all__ = ["Blend", "apply", "cut", "halved"]


def cut(shape: Sequence[int], lengths: Sequence[int], overlap: int) -> list[tuple[slice, ...]]:
    """Return overlapping blocks that cover an array, in the order of its elements.

    All blocks have the same size along an axis and are spread evenly.

    Parameters
    ----------
    shape
        Size of the array.
    lengths
        Largest size of a block along each axis.
    overlap
        Smallest number of elements that neighbours share along a divided axis.

    Raises
    ------
    ConfigError
        If blocks are not longer than the overlap.
    """
    axes = []
    for size, length in zip(shape, lengths, strict=True):
        if length >= size:
            axes.append([slice(0, size)])
            continue
        if length <= overlap:
            raise ConfigError(
                f"tiles of {length} elements with an overlap of {overlap} were given; tiles "
                "must be longer than their overlap."
            )
        count = math.ceil((size - overlap) / (length - overlap))
        starts = np.linspace(0, size - length, count).round().astype(int).tolist()
        axes.append([slice(start, start + length) for start in starts])
    return list(itertools.product(*axes))


def halved(shape: Sequence[int], lengths: Sequence[int], overlap: int) -> tuple[int, ...]:
    """Return smaller lengths of blocks: the longest axis is divided in two that share `overlap`.

    Parameters
    ----------
    shape
        Size of the array.
    lengths
        Present size of a block along each axis.
    overlap
        Elements that neighbours share.
    """
    sizes = [min(length, size) for length, size in zip(lengths, shape, strict=True)]
    longest = sizes.index(max(sizes))
    sizes[longest] = (sizes[longest] + overlap + 1) // 2
    return tuple(sizes)


class Blend:
    """An array that is blended from overlapping blocks, with weights that fall at their edges.

    Parameters
    ----------
    shape
        Size of the whole.
    overlap
        Elements over which the weight of a block falls where it overlaps another one.
    places
        Ascending positions of the values along each axis, in elements of the whole; one value per
        element if not given.
    """

    def __init__(
        self,
        shape: Sequence[int],
        overlap: int,
        places: Sequence[NDArray[np.float64]] | None = None,
    ) -> None:
        self.shape = tuple(shape)
        self.overlap = overlap
        self.places = places or [np.arange(size, dtype=np.float64) for size in self.shape]
        sizes = tuple(len(one) for one in self.places)
        self._sum = np.zeros(sizes, np.float32)
        self._weight = np.zeros(sizes, np.float32)

    @property
    def is_complete(self) -> bool:
        """Whether every value is covered by a block."""
        return bool((self._weight > 0).all())

    def inside(self, block: tuple[slice, ...]) -> tuple[slice, ...]:
        """Return which values lie in a block; those beyond the array belong to its outer blocks."""
        found = []
        for part, size, places in zip(block, self.shape, self.places, strict=True):
            low = part.start - 0.5 if part.start > 0 else -np.inf
            high = part.stop - 0.5 if part.stop < size else np.inf
            found.append(slice(*np.searchsorted(places, (low, high)).tolist()))
        return tuple(found)

    def add(self, block: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Add the values of one block.

        Parameters
        ----------
        block
            Position of the block in the whole: one slice per axis.
        values
            One value at each of `places` inside the block, with the axes of the whole.
        """
        here = self.inside(block)
        weight = self._fading(block, here)
        self._sum[here] += weight * values
        self._weight[here] += weight

    def result(self, missing: NDArray[Any] | float = 0.0) -> NDArray[np.float32]:
        """Return the whole, float32, with `missing` where no block was added.

        Parameters
        ----------
        missing
            One number, or an array of the size of the whole.
        """
        covered = self._weight > 0
        blended = self._sum / np.where(covered, self._weight, 1)
        return np.asarray(np.where(covered, blended, missing), np.float32)

    def _fading(self, block: tuple[slice, ...], here: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return weights that are 1 inside and fall towards sides where another block overlaps."""
        weight = np.ones((), np.float32)
        for part, size, places, some in zip(block, self.shape, self.places, here, strict=True):
            fade = min(self.overlap, part.stop - part.start)
            ramp = np.ones(some.stop - some.start)
            if part.start > 0 and fade:
                ramp *= _rise((places[some] - part.start + 0.5) / fade)
            if part.stop < size and fade:
                ramp *= _rise((part.stop - 0.5 - places[some]) / fade)
            weight = np.multiply.outer(weight, ramp.astype(np.float32))
        return weight


def _rise(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights that rise from 0 to 1 (sin²) over relative distances 0 to 1."""
    weights: NDArray[np.float64] = np.sin(np.pi / 2 * np.clip(parts, 0, 1)) ** 2
    return weights


def apply(
    work: Callable[[NDArray[Any]], NDArray[Any]],
    values: NDArray[Any],
    lengths: Sequence[int],
    overlap: int,
    executor: Executor | None = None,
) -> NDArray[np.float32]:
    """Return a function of an array, computed block by block, float32.

    Parameters
    ----------
    work
        Takes a block and returns one of the same size. An executor of processes must be able
        to pickle it.
    values
        Any axes.
    lengths, overlap
        As for `cut`.
    executor
        Threads, processes, or a cluster, such as `distributed.Client(…).get_executor()`; one
        block after the other in this thread if None.
    """
    blocks = cut(values.shape, lengths, overlap)
    blend = Blend(values.shape, overlap)
    parts = [values[block] for block in blocks]
    results = map(work, parts) if executor is None else executor.map(work, parts)
    for block, result in zip(blocks, results, strict=True):
        blend.add(block, result)
    return blend.result()
