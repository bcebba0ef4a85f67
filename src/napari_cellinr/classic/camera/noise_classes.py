"""Classes of voxels of similar brightness, with the variance of their noise."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    correlate1d,
    gaussian_filter,
    maximum_filter,
    maximum_filter1d,
    minimum_filter,
    minimum_filter1d,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = [
    "Block",
    "Classes",
    "Skewness",
    "is_whole",
    "noise_classes",
    "sampled",
    "skewness_in_the_dark",
]

_TRIM = 0.9  # fraction of the residuals that is used in each brightness class
_TRIMMED = 0.6227  # mean square of the smallest 90 % of normal values of variance 1
_N_CLASSES = 40
_FEWEST = 20  # smallest number of residuals for an estimate
_SMALLEST_CLASS = 200  # residuals
_MOST_CLIPPED = 0.05  # largest fraction of a class that may have the lowest or highest value
_FEWEST_MASKED = 0.01  # smallest fraction of voxels in uniform neighbourhoods for a mask
_ONE_VALUE = 0.95  # smallest fraction of those that must have the same value
_BLOCK = (24, 128, 128)  # voxels; large stacks are sampled in blocks of this size
_PLANE = 512  # pixels; the same for a single plane, along each axis
_MOST_BLOCKS = 8
_FIRST = 10_000  # values that tell whether all are whole numbers
_WIDE = 1.5  # standard deviation of the Gaussian of the local means, in voxels
_NORMAL = 1.4826  # standard deviation of normal values, in their median absolute deviation
_LIMIT = 5.0  # standard deviations to which residuals are limited: hot pixels are beyond
_ENOUGH, _SOME = 1000, 300_000  # voxels from which the skewness is taken
_DARKEST = 0.02  # fraction of the voxels that is darker than what counts for the darkest level


class Classes(NamedTuple):
    """Classes of voxels of similar brightness: mean, noise variance and number of residuals."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    weight: NDArray[np.float64]


class Block(NamedTuple):
    """A part of an image, and what all differences have in common; axes ZYX or YX.

    Parameters
    ----------
    values
        Grey levels, float32; 0 where they are missing.
    missing
        Which are not finite, or masked.
    clipped
        Which are missing, or have the lowest or highest value.
    wide
        Local means, by which classes are formed.
    activity
        Energy of medium frequencies, which the residual does not contain, so that selecting
        voxels of low activity does not select small residuals.
    """

    values: NDArray[np.float32]
    missing: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    wide: NDArray[np.float32]
    activity: NDArray[np.float32]


class Skewness(NamedTuple):
    """What the noise of dark voxels says: their levels, and its mean third power.

    Parameters
    ----------
    mean, darkest
        Mean and least brightness of these voxels, in grey levels.
    third, error
        Mean third power of their noise, with its standard error, in grey levels to the third power.
    """

    mean: float
    darkest: float
    third: float
    error: float


def sampled(images: NDArray[Any]) -> list[Block]:
    """Return the images, or evenly scattered blocks of large ones: 3 million voxels at most.

    Parameters
    ----------
    images
        Grey levels, real, axes (image, Z, Y, X) or (image, Y, X). Values that are not finite, and
        images of one value, are ignored.
    """
    return [_prepared(block) for block in _blocks(images)]


def noise_classes(blocks: Sequence[Block], difference: Sequence[int]) -> Classes:
    """Return the classes of all blocks together; empty if there are too few usable voxels.

    Parameters
    ----------
    blocks
        What `sampled` returned.
    difference
        Weights of the difference along each axis, of which there is an odd number: their sum is
        0. The variance is divided by the sum of their squares, so that white noise keeps its own.
    """
    parts = [part for block in blocks if (part := _samples(block, difference))]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    parts.clear()  # or each value is in memory twice
    if not columns or len(columns[0]) < _FEWEST:
        return Classes(np.empty(0), np.empty(0), np.empty(0))
    residual, mean, wide, activity, clipped = columns
    smallest = min(_SMALLEST_CLASS, len(wide))
    rows = []
    for chosen in _members(wide, min(_N_CLASSES, len(wide) // smallest)):
        if len(chosen) < smallest or clipped[chosen].mean() > _MOST_CLIPPED:
            continue
        calm = chosen[activity[chosen] <= np.median(activity[chosen])]
        rows.append((mean[calm].mean(), _trimmed(residual[calm]), len(calm)))
    return Classes(*np.array(rows, np.float64).reshape(-1, 3).T)


def skewness_in_the_dark(blocks: Sequence[Block]) -> Skewness | None:
    """Return the mean third power of the noise of dark voxels; None if there are too few.

    They are the darker half of all, and of these the half with less structure. Their noise is the
    distance from the local mean; what that mean takes away is known. Differences of neighbours
    would be nearly symmetric, whatever the noise.

    Parameters
    ----------
    blocks
        What `sampled` returned.
    """
    columns = []
    for block in blocks:
        usable = ~block.missing
        columns.append([part[usable] for part in (block.values, block.wide, block.activity)])
    together = [np.concatenate(column) for column in zip(*columns, strict=True)]
    step = together[0].size // _SOME + 1
    part = np.stack([column[::step] for column in together]).astype(np.float64)
    for order in (1, 2):  # brightness, then structure
        part = part[:, part[order] <= np.quantile(part[order], 0.5)] if part.size else part
    values, wide = part[0], part[1]
    if len(values) < _ENOUGH:
        return None
    residual = values - wide
    spread = _NORMAL * np.median(np.abs(residual - np.median(residual)))
    cubes = np.clip(residual - residual.mean(), -_LIMIT * spread, _LIMIT * spread) ** 3
    kept = _kept_by_residual(blocks[0].values.shape)
    third, error = cubes.mean() / kept, cubes.std() / len(cubes) ** 0.5 / kept
    darkest = np.quantile(wide, _DARKEST)
    return Skewness(float(wide.mean()), float(darkest), float(third), float(error))


def _kept_by_residual(shape: tuple[int, ...]) -> float:
    """Return the part of the third power of white noise that is left without the local mean."""
    point = np.zeros([min(size, 13) for size in shape])
    point[tuple(size // 2 for size in point.shape)] = 1
    return float(((point - gaussian_filter(point, _WIDE)) ** 3).sum())


def _members(wide: NDArray[Any], n_classes: int) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of the voxels of each class.

    Half of the class borders are quantiles and half are equally spaced in brightness: few voxels
    are bright, but they determine the gain.
    """
    levels = np.linspace(0, 1, n_classes // 2 + 2)[1:-1]
    darkest, brightest = float(wide.min()), float(wide.max())
    even = darkest + levels * (brightest - darkest)
    borders = np.unique(np.concatenate([np.quantile(wide, levels), even]))
    classes = np.searchsorted(borders, wide, side="right").astype(np.uint8)
    order = np.argsort(classes, kind="stable")  # of bytes: 10 times as fast as that of the values
    yield from np.split(order, np.cumsum(np.bincount(classes, minlength=len(borders) + 1))[:-1])


def _trimmed(residual: NDArray[Any]) -> float:
    """Return the variance of normal residuals, estimated without the largest 10 % of them."""
    squares = np.sort(np.square(residual, dtype=np.float64))
    return float(squares[: max(1, int(_TRIM * len(squares)))].mean()) / _TRIMMED


def _prepared(block: NDArray[Any]) -> Block:
    """Return a part of an image with what all differences need."""
    values = np.asarray(block, np.float32)
    missing = ~np.isfinite(values)
    values = np.where(missing, np.float32(0), values)
    missing |= _mask(values)
    clipped = missing | (values == values.min()) | (values == values.max())
    fine = gaussian_filter(values, 1.0)
    activity = gaussian_filter((fine - gaussian_filter(values, 2.5)) ** 2, 1.5)
    return Block(values, missing, clipped, gaussian_filter(values, _WIDE), activity)


def _samples(block: Block, difference: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """Return residual, own mean, wide mean, activity and clipping of the usable voxels.

    The result is empty for a block that is too small for the filter along every axis.
    """
    missing = block.missing
    residual, mean, masked = block.values, block.values, block.clipped
    weights = np.asarray(difference, np.float64) / np.linalg.norm(difference)
    reach = len(weights) // 2
    inside = [slice(None)] * mean.ndim
    for axis, size in enumerate(mean.shape):
        if size <= 2 * reach + 2:
            continue
        inside[axis] = slice(reach, -reach)
        residual = correlate1d(residual, weights, axis)
        mean = correlate1d(mean, weights**2, axis)
        masked = minimum_filter1d(masked, 3, axis)
        missing = maximum_filter1d(missing, 2 * reach + 1, axis)
    if inside == [slice(None)] * mean.ndim:
        return ()
    columns = (residual, mean, block.wide, block.activity, block.clipped)
    usable = ~(masked | missing)[tuple(inside)]
    return tuple(column[tuple(inside)][usable] for column in columns)


def _mask(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where one value fills whole neighbourhoods, as outside of a mask.

    There is no noise there, and reduced noise in adjacent neighbourhoods. Integer images with
    little noise look alike: in them, only the lowest or highest value can be a mask.
    """
    flat = maximum_filter(values, 3) == minimum_filter(values, 3)
    if flat.mean() < _FEWEST_MASKED:
        return np.zeros_like(flat)
    value = np.median(values[flat])
    inside = bool(values.min() < value < values.max())
    if (values[flat] == value).mean() < _ONE_VALUE or (inside and is_whole(values)):
        return np.zeros_like(flat)
    masked: NDArray[np.bool_] = binary_dilation(flat & (values == value), np.ones((3,) * flat.ndim))
    return masked


def _blocks(images: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the images, or evenly scattered blocks of the large ones."""
    n_blocks = max(1, _MOST_BLOCKS // len(images))
    for image in images[:: math.ceil(len(images) / _MOST_BLOCKS)]:
        block = _BLOCK if image.ndim == 3 else (_PLANE,) * image.ndim
        if image.size <= n_blocks * math.prod(block):
            yield image
            continue
        starts = [
            sorted({round(place * max(size - length, 0)) for place in (0.2, 0.8)})
            for size, length in zip(image.shape, block, strict=True)
        ]
        corners = list(itertools.product(*starts))
        odd = math.ceil(len(corners) / n_blocks) | 1  # an even step would stay on one side
        for corner in corners[::odd]:
            yield image[tuple(slice(a, a + n) for a, n in zip(corner, block, strict=True))]


def is_whole(values: NDArray[Any]) -> bool:
    """Return whether the first 10,000 finite values, of which there are some, are whole numbers."""
    some = values.ravel()
    if not np.isfinite(some[:_FIRST]).all():  # such as the border of a masked stack
        some = some[np.isfinite(some)]
    return bool(some.size) and bool(np.all(some[:_FIRST] % 1 == 0))
