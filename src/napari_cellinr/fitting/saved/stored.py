"""Saved fits: their content, and queries to render from them without fitting again."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import ConfigError
from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.fitting.saved.header import check_arrays, check_header
from napari_cellinr.image import Image
from napari_cellinr.io.saved_fit import load_fitted, save_fitted

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted

__all__ = [
    "Query",
    "Stored",
    "blank",
    "digest",
    "factors_of",
    "frames_of",
    "geometry",
    "header_of",
    "load_fit",
    "plain",
    "query_of",
    "save_fit",
    "stored",
    "stored_of",
    "times_of",
]

MOST_TIMES = 100_000
"""Largest number of times in a range such as `0:10:0.5`."""

_GEOMETRY = ("axes", "shape", "scale", "units", "translate", "channels", "name")


@dataclass(frozen=True)
class Query:
    """What to render from a saved fit; everything left out is as in the fit.

    Parameters
    ----------
    scale
        Factor by axis letter, such as `{"Z": 2.5}`: above 1 for a finer grid.
    voxel
        Voxel size or time step by axis letter, in the unit of that axis; instead of `scale`.
    times
        Times to render, in the unit of the time axis, counted from the first frame.
    crop
        Part by axis letter, in elements of the source.
    channel
        Index of a channel of the source; all channels if None.

    Examples
    --------
    >>> from napari_cellinr import Query
    >>> Query(scale={"Z": 2}, crop={"Y": slice(10, 20)}).scale
    {'Z': 2}
    """

    scale: Mapping[str, float] = field(default_factory=dict)
    voxel: Mapping[str, float] = field(default_factory=dict)
    times: tuple[float, ...] | None = None
    crop: Mapping[str, slice] = field(default_factory=dict)
    channel: int | None = None


@dataclass(frozen=True)
class Stored:
    """A saved fit: plain values and arrays.

    Parameters
    ----------
    method
        Name of the method, one of `methods.METHODS`.
    config
        All settings, as `Config.as_dict` gives them.
    source
        Geometry of the image that was fitted, as `geometry` gives it, and its `digest`.
    report, history
        As in `Fitted`.
    tensors
        State of the field by name.
    header
        The complete header of the file, to write it again.
    model
        Shape and settings of the fitted model, as in `Fitted`; empty in files of version 0.1,
        for which the method derives them from the rest.
    """

    method: str
    config: Mapping[str, Any]
    source: Mapping[str, Any]
    report: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...]
    tensors: Mapping[str, NDArray[Any]]
    header: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        axes, shape = self.source.get("axes", ""), tuple(self.source.get("shape", ()))
        n_values = sum(int(np.size(tensor)) for tensor in self.tensors.values())
        return f"<Stored fit, {self.method}, of {axes} {shape}, {n_values} values>"


def geometry(image: Image) -> dict[str, Any]:
    """Return everything about an image but its values and provenance, ready for JSON."""
    return {key: getattr(image, key) for key in _GEOMETRY}


def digest(image: Image) -> str:
    """Return a short text that differs for images whose values, type or axes differ."""
    values = np.ascontiguousarray(image.array())
    found = hashlib.blake2b(f"{image.axes} {image.shape} {image.dtype}".encode(), digest_size=16)
    found.update(values.view(np.uint8).reshape(-1).data)
    return found.hexdigest()


def header_of(fitted: Fitted) -> dict[str, Any]:
    """Return what a saved fit holds besides its tensors, ready for JSON."""
    header = {
        "method": fitted.method,
        "config": fitted.config.as_dict(),
        "source": dict(fitted.source) or geometry(fitted.images[0]),
        "image": geometry(fitted.images[0]),
        "history": [dict(row) for row in fitted.history],
        "stopped": fitted.stopped,
        "roles": list(fitted.roles),
        "report": dict(fitted.report),
        "model": dict(fitted.model),
    }
    values: dict[str, Any] = plain(header)
    return values


def stored(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Stored:
    """Return the fit that a file holds, from its header and its tensors.

    Parameters
    ----------
    header
        As `header_of` returns it.
    tensors
        Arrays of the model by name; empty if they are not needed.

    Raises
    ------
    FileError
        If the header or an array has what no fit has, or lacks something.
    """
    with explained_damage(
        "the fit cannot be used",
        "it is damaged, or was saved by another program. Fit again.",
    ):
        check_header(header)
        check_arrays(tensors)
        found = Stored(
            method=header["method"],
            config=header["config"],
            source=header.get("source", header["image"]),
            report=header["report"],
            history=tuple(header["history"]),
            tensors=tensors,
            header=header,
            model=header.get("model", {}),
        )
        blank(found.source)  # raises an error if it is no image
    return found


def save_fit(path: str | PathLike[str], fit: Fitted | Stored) -> None:
    """Save a fit in a file from which it can be rendered again.

    Parameters
    ----------
    path
        Usually ends with `.cellinr`.
    fit
        What a job returned, or a fit that was read from a file.

    Raises
    ------
    FileError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import denoise, save_fit
    >>> fitted = denoise(np.random.default_rng(0).poisson(50, (24, 24)), "preview", steps=2)
    >>> save_fit("image.cellinr", fitted)  # as fitted.save("image.cellinr") does
    """
    if isinstance(fit, Stored):
        save_fitted(path, header=fit.header, tensors=fit.tensors)
    else:
        save_fitted(path, header=header_of(fit), tensors=fit.state)


def load_fit(path: str | PathLike[str], *, tensors: bool = True) -> Stored:
    """Return the fit that `save_fit` wrote; no code in the file is executed.

    Parameters
    ----------
    path
        The file.
    tensors
        Whether to read the tensors, which rendering needs.

    Raises
    ------
    FileError
        If the file is missing, damaged, not of this kind, or of a newer version.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import denoise, load_fit
    >>> fitted = denoise(np.random.default_rng(0).poisson(50, (24, 24)), "preview", steps=2)
    >>> fitted.save("image.cellinr")
    >>> load_fit("image.cellinr").method
    'cellinr'
    """
    return stored(*load_fitted(path, only_header=not tensors))


def stored_of(fitted: Fitted | Stored) -> Stored:
    """Return a fit as it would be saved, without writing a file."""
    if isinstance(fitted, Stored):
        return fitted
    tensors = {name: np.asarray(tensor) for name, tensor in fitted.state.items()}
    return stored(header_of(fitted), tensors)


def query_of(values: Mapping[str, Any]) -> Query:
    """Return the query for plain values as in macros, where a crop has two numbers per axis.

    Raises
    ------
    ConfigError
        If a name is not known, or a value has a wrong type.
    """
    others = dict(values)
    try:
        crop = {
            axis: ends if isinstance(ends, slice) else slice(*ends)
            for axis, ends in (others.pop("crop", None) or {}).items()
        }
        times = others.pop("times", None)
        return Query(crop=crop, times=None if times is None else tuple(times), **others)
    except TypeError:
        raise ConfigError(
            f"{dict(values)} was given; allowed are scale, voxel, times, crop and channel."
        ) from None


def times_of(text: str) -> tuple[float, ...]:
    """Return times from text such as `0,2.5,5` or `0:10:0.5`, the last one included.

    Raises
    ------
    ConfigError
        If the text is neither a list nor a range.
    """
    try:
        if ":" not in text:
            return tuple(float(part) for part in text.split(","))
        first, last, step = (float(part) for part in text.split(":"))
        count = int((last - first) / step + 1e-9) + 1
        if not (step > 0 and 0 < count <= MOST_TIMES):
            raise ValueError
    except (ValueError, ArithmeticError):
        raise ConfigError(
            f"{text!r} was given; times such as 0,2.5,5 or first:last:step are needed"
        ) from None
    return tuple((first + step * np.arange(count)).tolist())


def blank(source: Mapping[str, Any]) -> Image:
    """Return an image of zeros, which take no memory, with the `geometry` of a saved fit."""
    facts = {key: source[key] for key in _GEOMETRY if key in source and key != "shape"}
    return Image(np.broadcast_to(np.float32(0), tuple(source["shape"])), **facts)


def factors_of(image: Image, query: Query) -> dict[str, float]:
    """Return the scale factor of a query by axis letter, from its scale or its voxel size.

    Parameters
    ----------
    image
        Its voxel size and time step correspond to a factor of 1.
    query
        What to render.

    Raises
    ------
    ConfigError
        If both are given along one axis, or a step is not positive.
    """
    factors = {axis.upper(): float(factor) for axis, factor in query.scale.items()}
    for name, step in query.voxel.items():
        axis = name.upper()
        if axis in factors:
            raise ConfigError(
                f"a scale and a voxel size were given along {axis}; give one of them."
            )
        if not (math.isfinite(step) and step > 0):
            raise ConfigError(f"a step of {step:g} along {axis} was given; it must be positive.")
        if axis in image.axes:
            factors[axis] = image.steps[axis] / step
        else:
            factors[axis] = 1.0  # the axis is missing: `samplings` raises the error
    return factors


def frames_of(whole: Image, query: Query) -> tuple[list[int], Image]:
    """Return the frames that a query selects, and the cropped image with their time axis.

    For methods that cannot render times between the frames.

    Parameters
    ----------
    whole
        Geometry of the fit.
    query
        What to render.

    Raises
    ------
    ConfigError
        If a time lies between frames or outside the series, or times are unevenly spaced.
    AxesError
        If the crop does not fit.
    """
    part = whole.crop(**dict(query.crop))
    if "T" in query.scale or "T" in query.voxel:
        raise ConfigError(
            "a scale along T was given, but this fit has no times between its frames; use "
            "superresolve."
        )
    if "T" not in whole.axes:
        if query.times is not None:
            raise ConfigError("times were given, but this fit has no time axis; leave them out.")
        return [0], part
    step, place = whole.steps["T"], whole.axes.index("T")
    if query.times is None:
        first = round((part.translate[place] - whole.translate[place]) / step)
        return list(range(first, first + part.sizes["T"])), part
    frames = [_frame(time, step, whole) for time in query.times]
    gaps = {after - before for before, after in itertools.pairwise(frames)}
    if not frames or len(gaps) > 1 or min(gaps, default=1) < 1:
        raise ConfigError(
            f"times {query.times} were given; one time, or several in ascending order with equal "
            "intervals, are needed."
        )
    start = whole.translate[place] + frames[0] * step
    scale, translate = list(part.scale), list(part.translate)
    scale[place], translate[place] = step * min(gaps, default=1), start
    taken = part.crop(T=slice(0, 1)).like(
        np.broadcast_to(np.float32(0), _with(part.shape, place, len(frames))),
        scale=tuple(scale),
        translate=tuple(translate),
    )
    return frames, taken


def _frame(time: float, step: float, whole: Image) -> int:
    """Return the frame at a time."""
    frame, last = round(time / step), whole.sizes["T"] - 1
    if abs(time / step - frame) > 1e-3 or not 0 <= frame <= last:
        unit = whole.units[whole.axes.index("T")]
        raise ConfigError(
            f"time {time:g} was given; this fit has frames every {step:g} {unit} from 0 to "
            f"{last * step:g}. Use superresolve for times between them."
        )
    return frame


def _with(shape: tuple[int, ...], place: int, size: int) -> tuple[int, ...]:
    return (*shape[:place], size, *shape[place + 1 :])


def plain(value: Any) -> Any:
    """Return `value` with lists for tuples, and null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
