"""Images from plain arrays and from xarray, and as arrays of xarray and dask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from napari_cellinr.errors import AxesError
from napari_cellinr.image.image import AXES, UNCALIBRATED, Image
from napari_cellinr.text import n_of

__all__ = ["Steps", "Units", "from_xarray", "image_of", "to_dask", "to_xarray"]

Steps: TypeAlias = "float | Sequence[float] | Mapping[str, float]"
"""Voxel size: one number for all spatial axes, one for each axis, or numbers by axis letter."""

Units: TypeAlias = "str | Sequence[str] | Mapping[str, str]"
"""Units: one for all spatial axes, one for each axis, or units by axis letter."""

_WORDS: Final = {
    **dict.fromkeys(("t", "time", "frame"), "T"),
    **dict.fromkeys(("c", "ch", "channel"), "C"),
    **dict.fromkeys(("z", "depth", "plane"), "Z"),
    **dict.fromkeys(("y", "row", "height"), "Y"),
    **dict.fromkeys(("x", "col", "column", "width"), "X"),
}
"""Axis by the name of a dimension."""

_EVEN: Final = 1e-3
"""Relative deviation of coordinates from equal steps that is rounding."""


def image_of(
    data: Any, axes: str = "", scale: Steps | None = None, units: Units | None = None
) -> Image:
    """Return an image from an array, an xarray `DataArray` or an image.

    Parameters
    ----------
    data
        NumPy or lazy array of real numbers, `DataArray`, or `Image`.
    axes
        One letter of `TCZYX` per dimension; not needed for 2 and 5 dimensions, which are `YX` and
        `TCZYX`, and where the data know their axes.
    scale
        Distance between two elements, in `units`.
    units
        Names of pint. Default where a scale is given: `micrometer`, and `second` along T.

    Raises
    ------
    AxesError
        If an array of 3 or 4 dimensions is given without axes, or something does not fit.
    """
    if isinstance(data, Image):
        image = data.with_axes(axes) if axes else data
    elif hasattr(data, "dims") and hasattr(data, "coords"):
        image = from_xarray(data)
        image = image.with_axes(axes) if axes else image
    else:
        array = data if _is_array(data) else _as_numpy(data)
        image = Image(array, axes or _certain_axes(array.shape))
    if scale is None and units is None:
        return image
    return _calibrated(image, scale, units)


def _is_array(data: Any) -> bool:
    known = all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__"))
    return known and not hasattr(data, "detach")


def _as_numpy(data: Any) -> Any:
    """Return lists and the like, and tensors of torch on any device, as arrays of NumPy."""
    if not hasattr(data, "detach"):
        return np.asarray(data)
    try:
        return np.asarray(data.detach().cpu())
    except TypeError:
        raise AxesError(
            f"a tensor of {data.dtype} was given, which NumPy does not have; convert it to "
            "float32 first."
        ) from None


def _certain_axes(shape: Sequence[int]) -> str:
    """Return the axes of an array whose number of dimensions leaves no choice."""
    known = {2: "YX", 5: "TCZYX"}
    choices = {3: ("TYX", "ZYX", "CYX"), 4: ("TZYX", "CZYX", "TCYX")}
    n = len(shape)
    if n in choices:
        listed = ", ".join(f'axes="{axes}"' for axes in choices[n])
        raise AxesError(
            f"an array of shape {tuple(shape)} was given without axes, and time points, z planes "
            f"and channels are not treated alike; say what the dimensions are: {listed}."
        )
    if n not in known:
        raise AxesError(
            f"an array with {n_of(n, 'dimension')} was given; 2 to 5 are allowed ({AXES}). Select "
            "a part of the array first."
        )
    return known[n]


def _calibrated(image: Image, scale: Steps | None, units: Units | None) -> Image:
    spatial = [axis for axis in image.axes if axis in "ZYX"]
    old = dict(zip(image.axes, image.units, strict=True))
    steps = _by_axis(image, scale, spatial, "scale")
    usual = {"T": "second", "C": UNCALIBRATED}
    named = {
        axis: usual.get(axis, "micrometer") for axis in steps if old[axis] == UNCALIBRATED
    } | _by_axis(image, units, spatial, "units")
    return image.like(
        image.data,
        scale=tuple(steps.get(axis, step) for axis, step in image.steps.items()),
        units=tuple(named.get(axis, unit) for axis, unit in old.items()),
    )


def _by_axis(image: Image, given: Any, spatial: Sequence[str], name: str) -> dict[str, Any]:
    """Return values by axis letter, from one for all spatial axes, one for each, or a table."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        table = {str(axis).upper(): value for axis, value in given.items()}
        missing = [axis for axis in table if axis not in image.axes]
        if missing:
            raise AxesError(
                f"{name} was given for axis {missing[0]!r}; this image has axes {image.axes!r}."
            )
        return table
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray):
        return dict.fromkeys(spatial, given)
    if len(given) != len(image.axes):
        raise AxesError(
            f"{name} {tuple(given)} was given for axes {image.axes!r}; one value for each axis, "
            "one number for all spatial axes, or a table by axis letter is needed."
        )
    return dict(zip(image.axes, given, strict=True))


def from_xarray(array: Any) -> Image:
    """Return the image in a `DataArray`; its coordinates give voxel size, position and channels.

    Parameters
    ----------
    array
        Dimensions such as `t`, `channel` or `z`; coordinates with equal steps, and their unit in
        `attrs["units"]`.

    Raises
    ------
    AxesError
        If a dimension has another name, or coordinates are not equally spaced.
    """
    names = [str(name) for name in array.dims]
    unknown = [name for name in names if name.lower() not in _WORDS]
    if unknown:
        raise AxesError(
            f"a dimension {unknown[0]!r} was given; allowed are t, c, z, y and x. Rename it."
        )
    axes = "".join(_WORDS[name.lower()] for name in names)
    steps = [_step_of(array, name, axis) for name, axis in zip(names, axes, strict=True)]
    channels: tuple[str, ...] = ()
    if "C" in axes and names[axes.index("C")] in array.coords:
        channels = tuple(map(str, np.asarray(array.coords[names[axes.index("C")]])))
    return Image(
        array.data,
        axes,
        scale=tuple(step for step, _, _ in steps),
        units=tuple(unit for _, unit, _ in steps),
        translate=tuple(start for _, _, start in steps),
        name=str(getattr(array, "name", None) or "image"),
        channels=channels,
    )


def _step_of(array: Any, name: str, axis: str) -> tuple[float, str, float]:
    """Return step, unit and first position along a dimension; 1, `pixel` and 0 if not known."""
    from napari_cellinr.text import one_line

    if axis == "C" or name not in array.coords:
        return 1.0, UNCALIBRATED, 0.0
    coordinate = array.coords[name]
    places = np.asarray(coordinate, float)
    unit = one_line(str(coordinate.attrs.get("units", UNCALIBRATED)))
    if len(places) < 2:
        return 1.0, UNCALIBRATED, float(places[0])
    steps = np.diff(places)
    if steps.min() <= 0 or np.ptp(steps) > _EVEN * abs(steps.mean()):
        raise AxesError(
            f"the coordinates along {name!r} are not equally spaced and increasing; drop them, or "
            "interpolate the array first."
        )
    return float((places[-1] - places[0]) / (len(places) - 1)), unit, float(places[0])


def to_xarray(image: Image) -> Any:
    """Return the image as a `DataArray` with dimensions t, c, z, y, x and their coordinates.

    The library xarray is needed: `pip install xarray`.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs the library xarray: pip install xarray.") from error
    coords: dict[str, Any] = {}
    rows = zip(image.axes, image.shape, image.scale, image.units, image.translate, strict=True)
    for axis, size, step, unit, start in rows:
        if axis == "C":
            if image.channels:
                coords["c"] = list(image.channels)
        elif unit != UNCALIBRATED or start or step != 1:
            coords[axis.lower()] = (axis.lower(), start + step * np.arange(size), {"units": unit})
    dims = [axis.lower() for axis in image.axes]
    return xarray.DataArray(image.data, dims=dims, coords=coords, name=image.name)


def to_dask(image: Image) -> Any:
    """Return the array as a dask array; a lazy one as it is."""
    import dask.array

    data: Any = image.data
    if isinstance(data, dask.array.Array):
        return data
    from_array: Any = dask.array.from_array
    return from_array(data)
