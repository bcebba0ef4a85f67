"""An image: an array that knows its axes, voxel size and units."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from napari_cellinr.errors import AxesError
from napari_cellinr.image import rules
from napari_cellinr.image.frame_times import times_of_part, untimed, without_times
from napari_cellinr.image.indexing import part_of, refused
from napari_cellinr.image.rules import AXES, UNCALIBRATED, check, measure_the_same
from napari_cellinr.image.shown import as_html, as_text
from napari_cellinr.text import clean_name, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["AXES", "UNCALIBRATED", "ArrayLike", "Image"]


class ArrayLike(Protocol):
    """A NumPy array, or a lazy array whose slices are converted to NumPy when needed."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of elements along each axis."""

    @property
    def dtype(self) -> Any:
        """The NumPy data type of the elements."""

    def __getitem__(self, key: Any) -> Any:
        """Return a part of the array."""


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An array with one letter per axis, the physical step along each, and its unit.

    Parameters
    ----------
    data
        Array of real numbers, NumPy or lazy; never a tensor.
    axes
        One letter per dimension. Every method knows `T`, `C`, `Z`, `Y`, `X`; any other letter
        is an axis of unknown meaning. Default: `YX`, `ZYX`, `TZYX` or `TCZYX`.
    scale
        Step between elements along each axis, in `units`; 1 if unknown.
    units
        Unit of each step as a pint name, such as `micrometer`, `second`; `pixel` if the step is
        unknown.
    name
        Name of the image in layer lists and file names: one line without control characters,
        which are replaced by spaces, as they are in `channels` and `units`.
    translate
        Position of the centre of the first element along each axis, in `units`.
    channels
        Names of the channels, in order; empty if unknown.
    meta
        Provenance: source file, affine, settings of the fit; never needed to interpret the
        array.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import Image
    >>> units = ("second", "micrometer", "micrometer")
    >>> image = Image(np.zeros((3, 8, 9)), "TYX", scale=(2, 0.1, 0.1), units=units)
    >>> image.sizes["T"], image.steps["Y"], image[{"X": slice(2, 5)}].shape
    (3, 0.1, (3, 8, 3))
    """

    data: ArrayLike
    axes: str = ""
    scale: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    name: str = "image"
    translate: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_dimensions = len(self.data.shape)
        axes = self.axes.upper() or rules.default_axes(n_dimensions)
        _set(self, "axes", axes)
        rules.check_numbers("scale", self.scale)
        _set(self, "scale", tuple(float(step) for step in self.scale) or (1.0,) * n_dimensions)
        _set(self, "units", tuple(map(_unit, self.units)) or rules.default_units(axes))
        _set(self, "name", clean_name(self.name))
        _set(self, "translate", tuple(float(p) for p in self.translate) or (0.0,) * n_dimensions)
        _set(self, "channels", tuple(map(clean_name, self.channels)))
        _set(self, "meta", rules.clean_meta(self.meta))
        check(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of elements along each axis."""
        return tuple(int(size) for size in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy data type of the elements."""
        dtype: np.dtype[Any] = np.dtype(self.data.dtype)
        return dtype

    @property
    def sizes(self) -> dict[str, int]:
        """The number of elements by axis letter."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def steps(self) -> dict[str, float]:
        """The step by axis letter, in the unit of that axis."""
        return dict(zip(self.axes, self.scale, strict=True))

    @property
    def is_calibrated(self) -> bool:
        """Whether the voxel size along every spatial axis is known."""
        known = zip(self.axes, self.units, strict=True)
        return all(unit != UNCALIBRATED for axis, unit in known if axis in "ZYX")

    @property
    def unknown_axes(self) -> str:
        """The letters of the axes of unknown meaning."""
        return "".join(axis for axis in self.axes if axis not in AXES)

    __array_ufunc__ = None
    """Arrays of NumPy do not compute with images, which would lose axes and voxel size."""

    __add__ = __radd__ = refused("+")
    __sub__ = __rsub__ = refused("-")
    __mul__ = __rmul__ = refused("*")
    __truediv__ = __rtruediv__ = refused("/")
    __pow__ = refused("**")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all elements as a NumPy array: `np.asarray(image)`."""
        array = np.asarray(self.data, dtype)
        return array.copy() if copy else array

    def __getitem__(self, key: Any) -> Self:
        """Return a part, with its position: `image[0]`, `image[{"T": 0, "Z": slice(5, 9)}]`.

        An integer removes its axis, a slice keeps it.
        """
        part: Any = part_of(self, key)
        return part  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Self]:
        """Yield the images along the first axis."""
        return (self[index] for index in range(self.shape[0]))

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        """Return how notebooks show the image."""
        return as_html(self)

    def to_xarray(self) -> Any:
        """Return the image as an xarray `DataArray` with dimensions t, c, z, y, x."""
        from napari_cellinr.image.exchange import to_xarray

        return to_xarray(self)

    @classmethod
    def from_xarray(cls, array: Any) -> Image:
        """Return the image in an xarray `DataArray`, with units in the `attrs` of coordinates.

        Raises
        ------
        AxesError
            If a dimension is unknown, or coordinates are not equally spaced.
        """
        from napari_cellinr.image.exchange import from_xarray

        return from_xarray(array)

    def to_dask(self) -> Any:
        """Return the elements as a dask array."""
        from napari_cellinr.image.exchange import to_dask

        return to_dask(self)

    def array(self) -> NDArray[Any]:
        """Return all elements as a NumPy array; lazy ones are read now."""
        return np.asarray(self.data)

    def like(self, data: ArrayLike, **changes: Any) -> Self:
        """Return an image with other data; everything else stays except for `changes`.

        Parameters
        ----------
        data
            The new array; its shape must fit the axes.
        **changes
            Other fields of `Image` to replace.
        """
        return replace(self, data=data, **changes)

    def with_axes(self, axes: str) -> Self:
        """Return the same array with its dimensions renamed to `axes`, one letter each.

        Each dimension keeps its step, unless a length would become a time or a channel.

        Raises
        ------
        AxesError
            If there is not one letter per dimension, or a letter is not one of `TCZYX`.
        """
        axes = axes.upper()
        if any(axis not in AXES for axis in axes):
            raise AxesError(f"axes {axes!r} were given; only the letters of {AXES!r} are allowed.")
        if len(axes) != len(self.axes):
            raise AxesError(rules.wrong_number(axes, self.shape))
        kept = [measure_the_same(a, b) for a, b in zip(self.axes, axes, strict=True)]
        n_channels = dict(zip(axes, self.shape, strict=True)).get("C", 1)
        return replace(
            self,
            axes=axes,
            scale=tuple(s if k else 1.0 for s, k in zip(self.scale, kept, strict=True)),
            units=tuple(u if k else UNCALIBRATED for u, k in zip(self.units, kept, strict=True)),
            translate=tuple(p if k else 0.0 for p, k in zip(self.translate, kept, strict=True)),
            channels=self.channels if len(self.channels) == n_channels else (),
            meta=self.meta if axes.find("T") == self.axes.find("T") else untimed(self.meta),
        )

    def with_voxel_size(self, unit: str = "micrometer", **steps: float) -> Self:
        """Return the same array with other steps, for example `Z=0.4`.

        Its position, counted in elements, stays the same. A step along `T` replaces what is known
        of the times of single frames.

        Parameters
        ----------
        unit
            Unit of the spatial steps as a pint name; a step along `T` is in seconds.
        **steps
            Step by axis letter, above 0.

        Raises
        ------
        AxesError
            If the image lacks a named axis.
        """
        steps = {axis.upper(): step for axis, step in steps.items()}
        missing = [axis for axis in steps if axis not in self.axes]
        if missing:
            raise AxesError(
                f"a step was given for axis {missing[0]!r}; this image has axes {self.axes!r}."
            )
        scale = tuple(steps.get(a, s) for a, s in zip(self.axes, self.scale, strict=True))
        units = tuple(
            ("second" if a == "T" else unit) if a in steps else u
            for a, u in zip(self.axes, self.units, strict=True)
        )
        moved = zip(self.translate, self.scale, scale, strict=True)
        return replace(
            self,
            scale=scale,
            units=units,
            translate=tuple(start * (new / old) for start, old, new in moved),
            meta=without_times(self.meta) if "T" in steps else self.meta,
        )

    def canonical(self) -> Self:
        """Return the image with its axes in the order T, C, Z, Y, X, transposed if necessary.

        Raises
        ------
        AxesError
            If the meaning of an axis is unknown, or `Y` or `X` is missing.
        """
        if self.unknown_axes:
            guess = rules.suggestion(self.axes)
            raise AxesError(
                f"the meaning of axis {self.unknown_axes!r} in axes {self.axes!r}, shape "
                f"{self.shape}, is not known; name all axes, for example: --axes {guess} on the "
                f'command line, axes="{guess}" in Python and in the step of a recipe.'
            )
        if not {"Y", "X"} <= set(self.axes):
            raise AxesError(f"axes {self.axes!r} were given; at least Y and X are needed.")
        order = [self.axes.index(axis) for axis in AXES if axis in self.axes]
        if order == sorted(order):
            return self
        data: Any = self.data
        return replace(
            self,
            data=data.transpose(order),
            axes="".join(self.axes[i] for i in order),
            scale=tuple(self.scale[i] for i in order),
            units=tuple(self.units[i] for i in order),
            translate=tuple(self.translate[i] for i in order),
        )

    def crop(self, **ranges: slice | Sequence[int]) -> Self:
        """Return the part inside `ranges`, for example `Z=[0, 20]`, at the same position.

        Parameters
        ----------
        **ranges
            First index and end by axis, or a slice.

        Raises
        ------
        AxesError
            If the image lacks a named axis, or nothing would be left.
        """
        by_axis = {
            axis.upper(): part if isinstance(part, slice) else slice(*part)
            for axis, part in ranges.items()
        }
        missing = [axis for axis in by_axis if axis not in self.axes]
        if missing:
            raise AxesError(
                f"a crop was given for axis {missing[0]!r}; this image has axes {self.axes!r}."
            )
        parts = [slice(*by_axis.get(a, slice(None)).indices(n)) for a, n in self.sizes.items()]
        for axis, part, size in zip(self.axes, parts, self.shape, strict=True):
            given = by_axis.get(axis, part)
            if part.step != 1 or part.start >= part.stop:
                raise AxesError(
                    f"the crop {given.start}:{given.stop} along {axis} leaves nothing; "
                    f"start and stop between 0 and {size} are allowed."
                )
        moved = zip(self.translate, parts, self.scale, strict=True)
        channels = self.channels
        if channels and "C" in self.axes:
            channels = channels[parts[self.axes.index("C")]]
        shown = parts[self.axes.index("T")] if "T" in self.axes else slice(None)
        return replace(
            self,
            data=self.data[tuple(parts)],
            translate=tuple(start + part.start * step for start, part, step in moved),
            channels=channels,
            meta=times_of_part(self, shown),
        )

    def take(self, axis: str, index: int) -> Self:
        """Return the image at one index along an axis, which is removed.

        For a named channel, `meta["channel"]` is its name.

        Parameters
        ----------
        axis
            Letter of the axis.
        index
            Index along it; negative ones count from the end.

        Raises
        ------
        AxesError
            If the image lacks the axis or the index is outside it.
        """
        axis = axis.upper()
        size = self.sizes.get(axis)
        if size is None or not -size <= index < size:
            raise AxesError(
                f"index {index} along axis {axis!r} was requested; this image has sizes "
                f"{self.sizes}."
            )
        place = self.axes.index(axis)
        channels = self.channels
        name, meta = self.name, self.meta
        if axis == "C":
            if channels:
                name = f"{name} {channels[index]}"
                meta = {**meta, "channel": channels[index]}
            channels = ()
        return replace(
            self,
            data=self.data[(slice(None),) * place + (index,)],
            name=name,
            meta=meta,
            channels=channels,
            **{
                key: getattr(self, key)[:place] + getattr(self, key)[place + 1 :]
                for key in ("axes", "scale", "units", "translate")
            },
        )


def _set(image: Image, key: str, value: object) -> None:
    object.__setattr__(image, key, value)


def _unit(unit: object) -> str:
    return one_line(str(unit))
