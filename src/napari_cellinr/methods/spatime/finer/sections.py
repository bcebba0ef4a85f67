"""What a given sample along an axis is: the mean over its cell, or the value at its place.

Pixels are means over their area. A plane along Z is either: a mean over the whole step to the
next, or a thin section, shorter than the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from napari_cellinr.classic.cell_means import overlap_means, spline_means
from napari_cellinr.classic.interpolate import resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_cellinr.classic.interpolate import Interpolation

    Floats = NDArray[np.float32]
    Places = NDArray[np.float64]

__all__ = [
    "KINDS",
    "MEANS",
    "NOISY_MEANS",
    "Means",
    "NoisyMeans",
    "Samples",
    "Sections",
    "consistent_pixels",
    "name_of",
    "sections_of",
]

KINDS: Final[tuple[Interpolation, ...]] = ("linear", "cubic", "spline")
"""How thin planes can be interpolated; files of version 0.1 hold the position in this tuple."""

NEAR = 1e-6
"""Distance, in given planes, below which a plane of the result is a given one."""

LARGEST_MATRIX: Final = 2**18
"""Most elements of a kept matrix of weights. Training uses small ones many times."""


class Sections(ABC):
    """What samples along one axis are, and how samples of a result are made of them."""

    @abstractmethod
    def finer(self, given: Floats, places: Places, step: float) -> Floats:
        """Return samples of a result along the first axis of an image, in linear memory.

        Parameters
        ----------
        given
            The given samples, (given, ...), float32.
        places
            Positions of the samples of the result, in given samples, (result,), float64.
        step
            Their distance, in given samples; above 1 the result is coarser.

        Returns
        -------
        numpy.ndarray
            (result, ...), float32.
        """

    @abstractmethod
    def rows(self, fine: Floats, size: float, count: int) -> Floats:
        """Return coarse samples of a finer image along its first axis.

        Parameters
        ----------
        fine
            (rows, columns), float32.
        size
            Rows per sample; need not be whole.
        count
            Number of samples, from the first row on.

        Returns
        -------
        numpy.ndarray
            (count, columns), float32.
        """

    @abstractmethod
    def consistent(self, finer: Floats, given: Floats, places: Places, step: float) -> Floats:
        """Return a result, changed along its first axis to agree with the given samples.

        Parameters
        ----------
        finer
            The result, (places, ...), float32.
        given
            The given samples, (given, ...), float32.
        places
            Positions of the samples of the result, in given samples.
        step
            Their distance, in given samples.
        """

    def between(self, given: Floats, places: Places, step: float, axis: int) -> Floats:
        """Return samples of a result along one axis of an image, float32.

        Parameters
        ----------
        given
            The image, float32.
        places
            Positions of the samples of the result, in given samples.
        step
            Their distance, in given samples.
        axis
            Number of the axis.
        """
        found = self.finer(np.moveaxis(given, axis, 0), places, step)
        return np.ascontiguousarray(np.moveaxis(found, 0, axis))

    def whole(self, given: Floats, n_result: int) -> Floats:
        """Return a result over the whole range of the given samples, (n_result, ...), float32.

        Parameters
        ----------
        given
            The given samples, (given, ...), float32.
        n_result
            Number of samples of the result, at least that of the given ones.
        """
        if len(given) * n_result <= LARGEST_MATRIX:
            return _weights(self, len(given), n_result) @ given
        step = len(given) / n_result
        return self.finer(given, _centres(n_result, step), step)


class Means(Sections):
    """Samples that are means over their cells, and so is the result."""

    def finer(self, given: Floats, places: Places, step: float) -> Floats:
        """Return means of a smooth curve with the given means; of means themselves if coarser."""
        edges = np.append(places - step / 2, places[-1] + step / 2) + 0.5
        return spline_means(given, edges) if step < 1 else overlap_means(given, edges)

    def rows(self, fine: Floats, size: float, count: int) -> Floats:
        """Return means over cells; below one row, values of a smooth curve."""
        if size >= 1:
            return _cells(fine, size, count)
        return resample(fine, _centres(count, size), 0, "spline")

    def consistent(self, finer: Floats, given: Floats, places: Places, step: float) -> Floats:
        """Return the nearest smooth change whose means over the given cells are the given ones."""
        edges = (np.arange(len(given) + 1) - 0.5 - places[0]) / step + 0.5
        return finer + self.finer(given - overlap_means(finer, edges), places, step)


class NoisyMeans(Means):
    """Noisy means: they are interpolated linearly, and the result need not have the same means."""

    def finer(self, given: Floats, places: Places, step: float) -> Floats:
        """Return linearly interpolated values; means of means if coarser.

        Parameters
        ----------
        given
            The given samples, (given, ...), float32.
        places
            Positions of the samples of the result, in given samples, (result,), float64.
        step
            Their distance, in given samples; above 1 the result is coarser.
        """
        if step >= 1:
            return super().finer(given, places, step)
        return resample(given, places, 0, "linear")

    def consistent(self, finer: Floats, given: Floats, places: Places, step: float) -> Floats:
        """Return the result as it is: the given means are not exact.

        Parameters
        ----------
        finer
            The result, (places, ...), float32.
        given
            The given samples, (given, ...), float32.
        places
            Positions of the samples of the result, in given samples, (result,), float64.
        step
            Their distance, in given samples; above 1 the result is coarser.
        """
        return finer


@dataclass(frozen=True)
class Samples(Sections):
    """Samples that are values at their places, and so is the result, finer or coarser.

    Parameters
    ----------
    kind
        How values between them are found.
    """

    kind: Interpolation

    def finer(self, given: Floats, places: Places, step: float) -> Floats:
        """Return interpolated values; a given sample is itself at its place."""
        found = resample(given, places, 0, self.kind)
        near = np.rint(places)
        same = (np.abs(places - near) < NEAR) & (near >= 0) & (near < len(given))
        found[same] = given[near[same].astype(int)]
        return found

    def rows(self, fine: Floats, size: float, count: int) -> Floats:
        """Return values in the middle of every `size` rows."""
        return resample(fine, _centres(count, size), 0, "spline")

    def consistent(self, finer: Floats, given: Floats, places: Places, step: float) -> Floats:
        """Return the result as it is: the network adds nothing at the given samples."""
        return finer


MEANS: Final = Means()
NOISY_MEANS: Final = NoisyMeans()


def sections_of(name: str) -> Sections:
    """Return what samples are, by their name: `means`, `noisy means`, or one of `KINDS`.

    Raises
    ------
    ValueError
        For another name.
    """
    known: dict[str, Sections] = {"means": MEANS, "noisy means": NOISY_MEANS}
    known |= {kind: Samples(kind) for kind in KINDS}
    if name not in known:
        raise ValueError(f"samples {name!r}; known are {', '.join(known)}")
    return known[name]


def name_of(sections: Sections) -> str:
    """Return the name of what samples are, as `sections_of` takes it."""
    if isinstance(sections, Samples):
        return sections.kind
    return "noisy means" if isinstance(sections, NoisyMeans) else "means"


def consistent_pixels(
    sections: Sections,
    finer: Floats,
    given: Floats,
    places: Sequence[Places],
    steps: Sequence[float],
) -> Floats:
    """Return a result with means over the given pixels that are the given ones, if they count.

    Parameters
    ----------
    sections
        How rows and columns are interpolated; of noisy means, the result is returned as it is.
    finer
        The result, (..., fine rows, fine columns), float32.
    given
        The given pixels, (..., rows, columns), float32.
    places
        Positions of the rows and columns of the result, in given ones.
    steps
        Their distances, in given ones.
    """
    if isinstance(sections, NoisyMeans):
        return finer
    lacking = finer
    axes = range(finer.ndim - 2, finer.ndim)
    for axis, inside, step in zip(axes, places, steps, strict=True):
        edges = (np.arange(given.shape[axis] + 1) - 0.5 - inside[0]) / step + 0.5
        found = overlap_means(np.moveaxis(lacking, axis, 0), edges)
        lacking = np.moveaxis(found, 0, axis)
    lacking = given - lacking
    for axis, inside, step in zip(axes, places, steps, strict=True):
        lacking = sections.between(lacking, inside, step, axis)
    return finer + lacking


def _centres(count: int, size: float) -> Places:
    return (np.arange(count, dtype=np.float64) + 0.5) * size - 0.5


@lru_cache(maxsize=256)
def _weights(sections: Sections, n_given: int, n_result: int) -> Floats:
    """Return the weight of each given sample in each of a result over their whole range."""
    step = n_given / n_result
    return sections.finer(np.eye(n_given, dtype=np.float32), _centres(n_result, step), step)


def _cells(plane: Floats, size: float, count: int) -> Floats:
    """Return means over `count` cells of `size` rows each, from the first row."""
    total = np.concatenate([np.zeros((1, plane.shape[1])), np.cumsum(plane, 0, dtype=np.float64)])
    edges = np.minimum(np.arange(count + 1) * size, len(plane))
    whole = np.minimum(edges.astype(int), len(plane) - 1)
    part = (edges - whole)[:, None]
    sums = total[whole] + part * plane[whole]
    return np.asarray(np.diff(sums, axis=0) / size, np.float32)
