"""The planes of images that a figure shows: the same place and time in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import AxesError, ConfigError
from napari_cellinr.io.metadata.times import times_of
from napari_cellinr.io.metadata.units import convert, in_units_of
from napari_cellinr.macro.compare import difference
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from napari_cellinr.image import Image

__all__ = ["Layout", "layout_of", "limits_of", "planes_at", "time_text"]

DIFFERENCE: Final = "magenta to green"
"""Colormap of a difference."""

MOST_VALUES: Final = 500_000
"""Number of values from which contrast limits are found."""


@dataclass(frozen=True)
class Layout:
    """What a figure shows, the same for all frames of a movie.

    Parameters
    ----------
    images
        The images, the first of which sets place and time.
    limits
        Contrast limits of each panel; the last is that of the difference, if it is shown.
    colormaps
        Names of the colormaps of the panels.
    titles
        Titles of the panels.
    difference
        Whether the last image minus the first one is shown, too.
    crop
        Index ranges of the first image along Y and X: what was chosen, or the field of view that
        all images share.
    """

    images: tuple[Image, ...]
    limits: tuple[tuple[float, float], ...]
    colormaps: tuple[str, ...]
    titles: tuple[str, ...]
    difference: bool
    crop: Mapping[str, tuple[int, int]]


def layout_of(
    images: Sequence[Image],
    limits: Sequence[Sequence[float]] | None,
    colormaps: Sequence[str] | None,
    difference: bool,
    crop: Mapping[str, Sequence[int]] | None,
) -> Layout:
    """Return what a figure shows, checked.

    Parameters
    ----------
    images, limits, colormaps, difference, crop
        As for `write_figure`.

    Raises
    ------
    AxesError
        If an image has no axes Y and X.
    ConfigError
        If there is no image, the numbers of limits, colormaps and images differ, limits are not
        two increasing numbers, or the crop is not within the first image or shared by all.
    """
    if not images:
        raise ConfigError("no image was given; a figure needs one or more.")
    for image in images:
        if not {"Y", "X"} <= set(image.axes):
            raise AxesError(f"axes {image.axes} were given; a figure needs Y and X.")
    images = [image.canonical() for image in images]
    for name, given in (("limits", limits), ("colormaps", colormaps)):
        if given is not None and len(given) != len(images):
            raise ConfigError(
                f"{len(given)} {name} were given for {n_of(len(images), 'image')}; give one for "
                "each."
            )
    both = difference and len(images) > 1
    pairs = [limits_of(one) for one in images] if limits is None else limits
    ends = [_pair("limits", pair) for pair in pairs]
    maps = ["gray"] * len(images) if colormaps is None else list(colormaps)
    titles = [image.name for image in images]
    if both:
        ends.append(_difference_limits(images[0], images[-1]))
        maps.append(DIFFERENCE)
        titles.append("difference")
    if crop:
        pairs_of = {axis.upper(): _pair(f"crop {axis}", pair) for axis, pair in crop.items()}
        ranges = {axis: (round(start), round(stop)) for axis, (start, stop) in pairs_of.items()}
    else:
        ranges = _shared_field(images)
    for axis, (start, stop) in ranges.items():
        if axis not in {"Y", "X"} or not 0 <= start < stop <= images[0].sizes[axis]:
            raise ConfigError(
                f"crop {axis}={[start, stop]} was given; ranges within the first image along Y and "
                "X are allowed."
            )
    return Layout(tuple(images), tuple(ends), tuple(maps), tuple(titles), both, ranges)


def _pair(name: str, values: Any) -> tuple[float, float]:
    """Return two increasing numbers, checked."""
    try:
        low, high = map(float, values)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high or not np.isfinite([low, high]).all():
        raise ConfigError(f"{name}={values!r} was given; two increasing numbers are needed.")
    return low, high


def _shared_field(images: Sequence[Image]) -> dict[str, tuple[int, int]]:
    """Return the index ranges of the first image along Y and X that all images show."""
    first, ranges = images[0], {}
    for axis in "YX":
        ends = [(0, first.sizes[axis])] + [
            (_edge(first, image, axis, 0), _edge(first, image, axis, image.sizes[axis]))
            for image in images[1:]
        ]
        start, stop = max(one[0] for one in ends), min(one[1] for one in ends)
        if start >= stop:
            raise ConfigError(
                f"{', '.join(image.name or 'an image' for image in images)} show different regions "
                f"along {axis}; a figure needs images of the same region."
            )
        if (start, stop) != ends[0]:
            ranges[axis] = start, stop
    return ranges


def _edge(image: Image, other: Image, axis: str, index: float) -> int:
    """Return which index of an image is where another image has one, both as edges of voxels."""
    same = in_units_of(other, image)
    ours, theirs = image.axes.index(axis), same.axes.index(axis)
    if image.units[ours] != same.units[theirs]:
        return round(index * image.sizes[axis] / other.sizes[axis])
    world = same.translate[theirs] + (index - 0.5) * same.scale[theirs]
    return round((world - image.translate[ours]) / image.scale[ours] + 0.5)


def limits_of(image: Image) -> tuple[float, float]:
    """Return contrast limits: the percentiles 1 and 99.9 of an image."""
    data: Any = image.data
    step = max(1, round((np.prod(image.shape) / MOST_VALUES) ** (1 / len(image.shape))))
    values = np.asarray(data[(slice(None, None, step),) * len(image.shape)], np.float32)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (1, 99.9)) if values.size else (0.0, 1.0)
    return float(low), float(high) if high > low else float(low) + 1


def planes_at(layout: Layout, at: Mapping[str, int]) -> list[Image]:
    """Return one plane for each panel, axes Y X, float32.

    Parameters
    ----------
    layout
        What is shown.
    at
        Index in the first image by axis letter, 0 along others; in the other images it is the same
        place and time.
    """
    first = layout.images[0]
    given = {axis.upper(): place for axis, place in at.items()}
    if unknown := set(given) - set(first.axes):
        raise ConfigError(
            f"at {', '.join(sorted(unknown))} was given; the first image has axes {first.axes}."
        )
    index = {axis: int(given.get(axis, 0)) for axis in first.axes if axis not in "YX"}
    for axis, place in index.items():
        if not 0 <= place < first.sizes[axis]:
            raise ConfigError(
                f"at {axis}={place} was given; 0 to {first.sizes[axis] - 1} are allowed."
            )
    planes = [_plane(image, first, index) for image in layout.images]
    if layout.difference:
        planes.append(difference(planes[-1], planes[0]))
    return [_cropped(plane, planes[0], layout.crop) for plane in planes]


def time_text(image: Image, index: int) -> str:
    """Return the time of a frame as a text; empty without a time axis.

    Parameters
    ----------
    image
        The image, with or without axis T.
    index
        Index of the frame.
    """
    if image.sizes.get("T", 1) < 2:
        return ""
    place = image.axes.index("T")
    moment = convert(
        image.translate[place] + index * image.scale[place], image.units[place], "second"
    )
    if times := times_of(image):
        moment = times[index]
    if moment is None:
        return f"frame {index}"
    return f"{moment:.3g} s" if moment < 100 else f"{moment / 60:.1f} min"


def _plane(image: Image, first: Image, index: Mapping[str, int]) -> Image:
    """Return the plane of an image at a place of the first one."""
    same = in_units_of(image, first)
    for axis in [axis for axis in image.axes if axis not in "YX"]:
        size, place = image.sizes[axis], index.get(axis, 0)
        if axis in first.axes and axis != "C":
            ours, theirs = same.axes.index(axis), first.axes.index(axis)
            if same.units[ours] == first.units[theirs]:
                world = first.translate[theirs] + place * first.scale[theirs]
                place = round((world - same.translate[ours]) / same.scale[ours])
            else:
                place = int((place + 0.5) * size / first.sizes[axis])
        place = min(max(place, 0), size - 1)
        image, same = image.take(axis, place), same.take(axis, place)
    return image.like(np.asarray(image.data, np.float32))


def _cropped(plane: Image, first: Image, crop: Mapping[str, tuple[int, int]]) -> Image:
    """Return the part of a plane within a range of the first one."""
    ranges = {}
    for axis, ends in crop.items():
        start, stop = (_edge(plane, first, axis, end) for end in ends)
        start = min(max(start, 0), plane.sizes[axis] - 1)
        ranges[axis] = slice(start, max(stop, start + 1))
    return plane.crop(**ranges) if ranges else plane


def _difference_limits(first: Image, last: Image) -> tuple[float, float]:
    """Return symmetric limits for the difference, the same for all frames."""
    axes = [axis for axis in first.axes if axis not in "YX"]
    middle = {axis: first.sizes[axis] // 2 for axis in axes}
    distance = difference(_plane(last, first, middle), _plane(first, first, middle))
    values = np.abs(np.asarray(distance.data))
    values = values[np.isfinite(values)]
    limit = (float(np.percentile(values, 99.8)) if values.size else 0.0) or 1.0
    return -limit, limit
