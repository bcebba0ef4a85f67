"""TV-L1 optical flow, computed for all components of the flow at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, zoom
from skimage.transform import pyramid_reduce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["Where", "tvl1_flow"]

_TIGHTNESS: Final = 0.3  # of the smooth flow to the one that follows the images
_PROJECTIONS: Final = 2  # steps of the dual variables in each iteration
_SETTLED: Final = 1e-4  # mean squared change of the flow by a warp after which no other follows
_SHORTEST: Final = 32  # voxels of the shortest axis, above which coarser images come first
_LEAST: Final = 8  # the same of a part of images; a part of fewer voxels shows too little
_SIGMA: Final = 2 / 3  # of the Gaussian filter before images are halved, as of `pyramid_reduce`


@dataclass(frozen=True)
class Where:
    """Where images lie in whole ones.

    Parameters
    ----------
    whole
        Voxels of a whole image along each axis.
    first
        First voxel of the part.
    """

    whole: tuple[int, ...]
    first: tuple[int, ...]

    @property
    def halves(self) -> tuple[int, ...]:
        """Voxels of a whole image of half the size."""
        return tuple(-(-n // 2) for n in self.whole)

    def halved(self, image: Floats) -> tuple[Floats, Where]:
        """Return a part of half the size, as `pyramid_reduce` makes it of a whole, and where it is.

        Parameters
        ----------
        image
            The part, (*shape), float32.
        """
        found = gaussian_filter(image, _SIGMA, mode="reflect")
        corner = []
        for axis, (n, m, first) in enumerate(zip(self.whole, self.halves, self.first, strict=True)):
            last = first + image.shape[axis] - 1
            start = int(np.ceil((first + 0.5) * m / n - 0.5))
            end = max(start, int(np.floor((last + 0.5) * m / n - 0.5)))
            places = (np.arange(start, end + 1) + 0.5) * n / m - 0.5 - first
            found = _at(found, np.clip(places, 0, last - first), axis)
            corner.append(start)
        return np.asarray(found, np.float32), Where(self.halves, tuple(corner))

    def doubled(self, flow: Floats, coarse: Where, shape: tuple[int, ...]) -> Floats:
        """Return a flow at the voxels of the part, each the nearest one as in a whole image.

        Parameters
        ----------
        flow
            Of the part of half the size, (axes, *shape), float32.
        coarse
            Where that part is.
        shape
            Voxels of this part.
        """
        for axis, (n, m, size) in enumerate(zip(self.whole, self.halves, shape, strict=True)):
            places = (np.arange(size) + self.first[axis]) * ((m - 1) / max(n - 1, 1))
            near = np.floor(places + 0.5).astype(int) - coarse.first[axis]
            flow = np.take(flow, np.clip(near, 0, flow.shape[axis + 1] - 1), axis + 1)
        return flow


def tvl1_flow(
    reference: Floats,
    moving: Floats,
    attachment: float,
    num_warp: int,
    num_iter: int,
    where: Where | None = None,
) -> Floats:
    """Return the displacement from one image to another, (axes, *shape), float32, voxels.

    It minimises the total variation of the flow and the absolute difference of the images along
    it (Zach, Pock and Bischof 2007, "A duality based approach for realtime TV-L1 optical flow",
    DAGM). The result is that of scikit-image, which takes one component after the other, and two
    to three times as long.

    Parameters
    ----------
    reference, moving
        Images, (*shape), float32, about 0 to 1, two or three axes.
    attachment
        Weight of the difference of the images: the smaller it is, the smoother is the flow.
    num_warp
        How many times the moving image is warped, at most.
    num_iter
        Iterations after each.
    where
        Where the images lie in whole ones, if they are parts; the flow is that of the whole then,
        but for what comes from beyond the part.
    """
    flow = np.zeros((reference.ndim, *reference.shape), np.float32)
    if where is not None:
        if min(where.whole) > _SHORTEST and min(reference.shape) > _LEAST:
            (still, coarse_one), (moved, _) = where.halved(reference), where.halved(moving)
            coarse = tvl1_flow(still, moved, attachment, num_warp, num_iter, coarse_one)
            for axis, ratio in enumerate(np.divide(where.whole, where.halves)):
                coarse[axis] *= ratio
            flow = where.doubled(coarse, coarse_one, reference.shape)
    elif min(reference.shape) > _SHORTEST:
        small = [
            np.asarray(pyramid_reduce(image), np.float32)  # type: ignore[no-untyped-call]
            for image in (reference, moving)
        ]
        coarse = tvl1_flow(small[0], small[1], attachment, num_warp, num_iter)
        for axis, ratio in enumerate(np.divide(reference.shape, small[0].shape)):
            coarse[axis] *= ratio
        ratios = np.divide(flow.shape, coarse.shape)
        flow = zoom(coarse, ratios, order=0, mode="nearest", prefilter=False)
    places = np.indices(reference.shape, np.float32)
    dual = np.zeros((reference.ndim, *flow.shape), np.float32)
    most = attachment * _TIGHTNESS
    for _ in range(num_warp):
        before = flow
        warped = map_coordinates(moving, places + flow, order=1, mode="nearest")
        slopes = np.stack(np.gradient(warped))
        power = np.sum(slopes**2, 0)
        power[power == 0] = 1
        rest = warped - reference - np.sum(slopes * flow, 0)
        for _ in range(num_iter):
            excess = (rest + np.sum(slopes * flow, 0)) / power
            flow = _smoothed(flow - slopes * np.clip(excess, -most, most), dual)
        if np.sum((flow - before) ** 2) < _SETTLED * reference.size:
            break
    return flow


def _at(values: Floats, places: NDArray[np.float64], axis: int) -> Floats:
    """Return values linearly interpolated at places along one axis."""
    low = np.minimum(np.floor(places).astype(int), max(values.shape[axis] - 2, 0))
    high = np.minimum(low + 1, values.shape[axis] - 1)
    rest = (places - low).reshape(-1, *[1] * (values.ndim - 1 - axis)).astype(np.float32)
    found: Floats = (1 - rest) * np.take(values, low, axis) + rest * np.take(values, high, axis)
    return found


def _smoothed(flow: Floats, dual: Floats) -> Floats:
    """Return a smoother flow, and change its dual variables, (axes, components, *shape)."""
    n_axes = len(dual)
    rate = 0.5 / n_axes
    slopes, smooth = np.zeros_like(dual), flow
    for _ in range(_PROJECTIONS):
        for axis in range(n_axes):
            first, last = _ends(smooth, axis)
            np.subtract(smooth[last], smooth[first], out=slopes[axis][first])
        norm = np.sqrt(np.einsum("a...,a...->...", slopes, slopes))
        norm *= rate / _TIGHTNESS
        norm += 1
        dual -= rate * slopes
        dual /= norm
        smooth = flow - dual.sum(0)
        for axis in range(n_axes):
            first, last = _ends(smooth, axis)
            smooth[last] += dual[axis][first]
    return smooth


def _ends(flow: Floats, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return all but the last and all but the first voxels along an axis, of all components."""
    before = (slice(None),) * (axis + 1)
    return (*before, slice(0, flow.shape[axis + 1] - 1)), (*before, slice(1, None))
