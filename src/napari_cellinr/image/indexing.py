"""Parts of an image by index, counted along its axes or named by their letters."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Never

from napari_cellinr.errors import AxesError
from napari_cellinr.image.frame_times import times_of_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellinr.image.image import Image

__all__ = ["part_of", "refused"]

_EXAMPLE: Final = 'image[0], image[:, 10:20], image[{"T": 0, "Z": slice(10, 20)}]'


def part_of(image: Image, key: Any) -> Image:
    """Return the part of an image at integers and slices, as `Image.__getitem__` describes it.

    Parameters
    ----------
    image
        The image.
    key
        Integers and slices in the order of the axes, or by the letters of the axes.

    Raises
    ------
    AxesError
        If the image lacks an axis, nothing is left, or the key is of another kind.
    IndexError
        If an index is outside of the image.
    """
    by_axis = _by_axis(image, key)
    for axis, chosen in by_axis.items():
        image = _sliced(image, axis, chosen) if isinstance(chosen, slice) else image
    for axis, chosen in by_axis.items():
        if not isinstance(chosen, slice):
            image = image.take(axis, chosen)
    return image


def _by_axis(image: Image, key: Any) -> dict[str, int | slice]:
    """Return an index, or a slice that leaves something out, for each axis that is named."""
    if isinstance(key, Mapping):
        named = {str(axis).upper(): chosen for axis, chosen in key.items()}
        missing = [axis for axis in named if axis not in image.axes]
        if missing:
            raise AxesError(f"axis {missing[0]!r} was indexed; this image has axes {image.axes!r}.")
    else:
        named = dict(zip(image.axes, _expanded(key, len(image.axes)), strict=False))
    found = {axis: _checked(image, axis, chosen) for axis, chosen in named.items()}
    return {axis: chosen for axis, chosen in found.items() if chosen != slice(None)}


def _expanded(key: Any, n: int) -> tuple[Any, ...]:
    keys = key if isinstance(key, tuple) else (key,)
    if sum(one is ... for one in keys) == 1:
        place = next(i for i, one in enumerate(keys) if one is ...)
        keys = (*keys[:place], *(slice(None),) * (n - len(keys) + 1), *keys[place + 1 :])
    if len(keys) > n:
        raise AxesError(f"{len(keys)} indices were given for {n} axes; give at most one for each.")
    return keys


def _checked(image: Image, axis: str, chosen: Any) -> int | slice:
    if isinstance(chosen, slice):
        return chosen
    try:
        index = operator.index(chosen)
    except TypeError:
        raise AxesError(
            f"an index of type {type(chosen).__name__} was given along {axis}; integers and slices "
            f"are allowed, such as {_EXAMPLE}. For masks and lists, use image.array()."
        ) from None
    size = image.sizes[axis]
    if not -size <= index < size:
        raise IndexError(f"index {index} along {axis} was given; it has {size} elements.")
    return index


def _sliced(image: Image, axis: str, part: slice) -> Image:
    """Return the image with a range along an axis, whose step may be above 1."""
    start, stop, step = part.indices(image.sizes[axis])
    if step < 1:
        raise AxesError(f"a step of {step} along {axis} was given; it must be at least 1.")
    image = image.crop(**{axis: slice(start, stop)})
    if step == 1:
        return image
    place = image.axes.index(axis)
    key = (slice(None),) * place + (slice(None, None, step),)
    scale = tuple(s * step if i == place else s for i, s in enumerate(image.scale))
    names = image.channels[::step] if axis == "C" else image.channels
    meta = times_of_part(image, slice(None, None, step)) if axis == "T" else image.meta
    return image.like(image.data[key], scale=scale, channels=names, meta=meta)


def refused(sign: str) -> Callable[..., Never]:
    """Return a method for an operator that images do not have, which says what to do.

    Parameters
    ----------
    sign
        The operator, such as `+`.
    """

    def method(image: Image, other: object) -> Never:
        raise TypeError(
            f"an Image does not compute ({sign}); compute with its array and keep its axes and "
            f"voxel size: image.like(image.array() {sign} …)."
        )

    return method
