"""Parts of frames along each axis, and the samples of a result that lie in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_cellinr.classic.sampling import Sampling

__all__ = ["MARGIN", "around", "changes", "shifted", "within"]

MARGIN = 12
"""Voxels beyond a crop that its rendering looks at."""


def around(part: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return what the rendering of a part depends on."""
    return tuple(slice(max(0, p.start - MARGIN), p.stop + MARGIN) for p in part)


def within(part: slice, wider: slice) -> slice:
    """Return where a slice lies in a wider one.

    Parameters
    ----------
    part
        The slice, with start and stop.
    wider
        The one that it lies in.
    """
    return slice(part.start - wider.start, part.stop - wider.start)


def changes(axis: Sampling) -> bool:
    """Return whether samples along an axis are others than the given ones."""
    return axis.step != 1 or axis.start != 0 or axis.n_out != axis.n_in


def shifted(axis: Sampling, start: int, size: int) -> NDArray[np.float64]:
    """Return the positions of the output samples that lie in a part, counted from its start.

    Parameters
    ----------
    axis
        The samples of an axis of the whole.
    start, size
        First position of the part, and number of them.
    """
    places = axis.positions - start
    return places[(places >= -0.5 - 1e-9) & (places < size - 0.5 - 1e-9)]
