"""Tiles: an image in overlapping parts, each worked on for itself, and put together again."""

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

    They are spread evenly, so that none is much smaller than the others.

    Parameters
    ----------
    shape
        Size of the array.
    lengths
        Largest size of a block along each axis.
    overlap
        Least number of elements that neighbours share along an axis that is cut.

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
                f"tiles of {length} elements with an overlap of {overlap} were asked for; they "
                "must be longer than what they share."
            )
        count = math.ceil((size - overlap) / (length - overlap))
        starts = np.linspace(0, size - length, count).round().astype(int).tolist()
        axes.append([slice(start, start + length) for start in starts])
    return list(itertools.product(*axes))


def halved(shape: Sequence[int], lengths: Sequence[int], overlap: int) -> tuple[int, ...]:
    """Return smaller lengths of blocks: the longest one is cut into two that share `overlap`.

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
    """An array that is put together from overlapping blocks, with weights that fade at their edges.

    Parameters
    ----------
    shape
        Size of the whole.
    overlap
        Elements over which a block fades where it meets another one.
    """

    def __init__(self, shape: Sequence[int], overlap: int) -> None:
        self.shape = tuple(shape)
        self.overlap = overlap
        self._sum = np.zeros(self.shape, np.float32)
        self._weight = np.zeros(self.shape, np.float32)

    def add(self, block: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Add the values of one block."""
        weight = self._fading(block)
        self._sum[block] += weight * values
        self._weight[block] += weight

    def result(self, missing: NDArray[Any] | float = 0.0) -> NDArray[np.float32]:
        """Return the whole, float32, with other values where there was no block.

        Parameters
        ----------
        missing
            One number, or an array of the size of the whole.
        """
        covered = self._weight > 0
        blended = self._sum / np.where(covered, self._weight, 1)
        return np.asarray(np.where(covered, blended, missing), np.float32)

    def _fading(self, block: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return weights that are 1 inside and fade to the sides that another block adjoins."""
        weight = np.ones((), np.float32)
        for part, size in zip(block, self.shape, strict=True):
            length = part.stop - part.start
            ramp = np.ones(length, np.float32)
            fade = min(self.overlap, length)
            rise = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / max(fade, 1)) ** 2
            if part.start > 0:
                ramp[:fade] *= rise
            if part.stop < size:
                ramp[length - fade :] *= rise[::-1]
            weight = np.multiply.outer(weight, ramp)
        return weight


def apply(
    work: Callable[[NDArray[Any]], NDArray[Any]],
    values: NDArray[Any],
    lengths: Sequence[int],
    overlap: int,
    executor: Executor | None = None,
) -> NDArray[np.float32]:
    """Return what some work makes of an array, done block by block, float32.

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
        Where to do it: threads, processes, or a cluster, such as
        `distributed.Client(…).get_executor()`; one after the other here if none is given.
    """
    blocks = cut(values.shape, lengths, overlap)
    blend = Blend(values.shape, overlap)
    parts = [values[block] for block in blocks]
    results = map(work, parts) if executor is None else executor.map(work, parts)
    for block, result in zip(blocks, results, strict=True):
        blend.add(block, result)
    return blend.result()
