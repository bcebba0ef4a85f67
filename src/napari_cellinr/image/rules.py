"""What the axes and values of an image have to be, and the messages about them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import AxesError, DataError
from napari_cellinr.image.frame_times import TIMES
from napari_cellinr.text import clean_name, n_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.image.image import Image

__all__ = [
    "AXES",
    "UNCALIBRATED",
    "check",
    "check_numbers",
    "check_precision",
    "clean_meta",
    "default_axes",
    "default_units",
    "measure_the_same",
    "suggestion",
    "wrong_number",
]

_USUAL: Final = {2: "YX", 3: "ZYX or TYX", 4: "TZYX or CZYX", 5: "TCZYX"}
"""Usual axes by number of dimensions."""

AXES: Final = "TCZYX"
"""The axes that the methods know, in canonical order."""

UNCALIBRATED: Final = "pixel"
"""The unit of an axis whose step is unknown."""

LEAST_LEVELS: Final = 256
"""Steps of single precision that the range of grey levels has to span."""


def default_units(axes: str) -> tuple[str, ...]:
    """Return `pixel` for every axis, the units of an uncalibrated image."""
    return (UNCALIBRATED,) * len(axes)


def default_axes(n_dimensions: int) -> str:
    """Return the default axes of an array: `YX`, `ZYX`, `TZYX` or `TCZYX` for 2 to 5 dimensions.

    Raises
    ------
    AxesError
        If there are fewer or more dimensions.
    """
    guesses = {2: "YX", 3: "ZYX", 4: "TZYX", 5: "TCZYX"}
    if n_dimensions not in guesses:
        raise AxesError(
            f"an array with {n_of(n_dimensions, 'dimension')} was given; 2 to 5 are allowed "
            f"({AXES}). Select a part of the array first."
        )
    return guesses[n_dimensions]


def check_numbers(key: str, values: object) -> None:
    """Raise `AxesError` if something else than one number per axis was given to `Image`.

    Parameters
    ----------
    key
        Name of the argument.
    values
        What was given.
    """
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        raise AxesError(
            f"{key}={values!r:.60} was given; Image takes one number per axis, in the order of the "
            "axes. image.with_voxel_size(T=5, Y=0.1, X=0.1) sets some of them by name."
        )


def wrong_number(axes: str, shape: tuple[int, ...]) -> str:
    """Return the message about axes that are not one letter per dimension.

    Parameters
    ----------
    axes, shape
        What was given.
    """
    usual = _USUAL.get(len(shape), "")
    return (
        f"axes {axes!r} were given for an array of shape {shape}; one letter for each of its "
        f"{len(shape)} dimensions is needed{usual and f', such as {usual}'}, not {len(axes)}."
    )


def suggestion(axes: str) -> str:
    """Return the axes with likely letters for the unknown ones; `S` (RGB samples) become `C`."""
    free = [axis for axis in "ZTC" if axis not in axes]
    for axis in axes:
        if axis not in AXES and free:
            likely = "C" if axis == "S" and "C" in free else free[0]
            free.remove(likely)
            axes = axes.replace(axis, likely)
    return axes


def measure_the_same(axis: str, other: str) -> bool:
    """Return whether steps along two axes are of the same kind, such as both lengths.

    Parameters
    ----------
    axis, other
        Letters of the axes.
    """
    unknown = axis not in AXES or other not in AXES
    return unknown or axis == other or {axis, other} <= set("ZYX")


def clean_meta(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a provenance with a clean name of its channel, and the times of frames as a list.

    Parameters
    ----------
    meta
        `Image.meta`; paths stay as they are.
    """
    times = meta.get(TIMES)
    if isinstance(times, np.ndarray):
        meta = {**meta, TIMES: times.tolist()}
    if "channel" in meta:
        meta = {**meta, "channel": clean_name(meta["channel"])}
    return meta


def check(image: Image) -> None:
    """Raise an error if axes, steps, names or values of an image do not fit together.

    Raises
    ------
    AxesError
        If they do not fit.
    DataError
        If some values are masked.
    """
    n_dimensions = len(image.shape)
    if len(image.axes) != n_dimensions:
        raise AxesError(wrong_number(image.axes, image.shape))
    if len(set(image.axes)) != n_dimensions:
        raise AxesError(f"axes {image.axes!r} name an axis twice; each letter may occur once.")
    for key in ("scale", "units", "translate"):
        value = getattr(image, key)
        if len(value) != n_dimensions:
            raise AxesError(
                f"{key} {value} was given for axes {image.axes!r}; one value per axis is needed."
            )
    for axis, step in zip(image.axes, image.scale, strict=True):
        if not (math.isfinite(step) and step > 0):
            raise AxesError(
                f"a step of {step} along {axis} was given; it must be a positive number."
            )
    n_channels = image.sizes.get("C", 1)
    if image.channels and len(image.channels) != n_channels:
        raise AxesError(
            f"{n_of(len(image.channels), 'channel name was', 'channel names were')} given for "
            f"{n_of(n_channels, 'channel')}; one for each, or none, is needed."
        )
    if image.dtype.kind not in "buif":
        raise AxesError(
            f"an array of {image.dtype} was given; real numbers are needed. Take the magnitude, "
            f"or convert it to float32, first."
        )
    mask = np.ma.getmask(image.data) if isinstance(image.data, np.ma.MaskedArray) else None
    if mask is not None and (n_masked := int(np.sum(mask))):
        raise DataError(
            f"{n_masked} of {math.prod(image.shape)} values of a masked array "
            f"{'is' if n_masked == 1 else 'are'} masked, and would be used all the same; replace "
            "them first, for example by array.filled(0)."
        )
    if isinstance(getattr(image.data, "_meta", None), np.ma.MaskedArray):  # the kind of its chunks
        raise DataError(
            "a dask array of masked arrays was given, and masked values would be used as if they "
            "were not; replace them first, for example by dask.array.ma.filled(array, 0)."
        )


def check_precision(values: NDArray[Any]) -> None:
    """Raise `DataError` if grey levels would become the same in float32.

    Integers and float64 may have an offset so large that nothing is left of what they differ by.

    Parameters
    ----------
    values
        Any shape, finite, at least one.
    """
    if values.dtype.itemsize < 4 or values.dtype == np.float32:
        return
    low, high = values.min(), values.max()
    largest = max(abs(float(low)), abs(float(high)))
    if largest > float(np.finfo(np.float32).max):
        raise DataError(
            f"the grey levels reach {largest:.3g}, more than single precision can hold, in which "
            "fits are computed. Divide the image by a number, and multiply the result by it."
        )
    span = float(high - low) if values.dtype.kind == "f" else float(int(high) - int(low))
    if span < LEAST_LEVELS * float(np.spacing(np.float32(largest))):
        raise DataError(
            f"the grey levels lie between {low} and {high}: next to this offset, their range of "
            f"{span:.3g} is lost in single precision, in which fits are computed. Subtract the "
            "offset, and add it to the result."
        )
