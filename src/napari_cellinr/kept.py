"""Fits that are kept: what is stored of one, and what can be asked of it without another fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_cellinr.fit import Fitted
    from napari_cellinr.image import Image

__all__ = ["Query", "Stored", "geometry", "header_of", "plain", "stored"]


@dataclass(frozen=True)
class Query:
    """What to render from a fit that was kept; everything left out is as in the fit.

    Parameters
    ----------
    scale
        Factor by axis letter, such as `{"Z": 2.5}`: above 1 for a finer lattice.
    voxel
        Wanted step by axis letter, in the unit of that axis; instead of `scale`.
    times
        Times to render, in the unit of the time axis, counted from the first frame.
    crop
        Part by axis letter, in elements of the source.
    channel
        Channel of the source; all if none.
    """

    scale: Mapping[str, float] = field(default_factory=dict)
    voxel: Mapping[str, float] = field(default_factory=dict)
    times: tuple[float, ...] | None = None
    crop: Mapping[str, slice] = field(default_factory=dict)
    channel: int | None = None


@dataclass(frozen=True)
class Stored:
    """A fit as it is stored: plain values and arrays.

    Parameters
    ----------
    method
        `cellinr`, `spatime` or `nstm`.
    config
        All settings, as `Config.as_dict` gives them.
    source
        Geometry of the image that was fitted, as `geometry` gives it.
    report, history
        As in `Fitted`.
    tensors
        State of the field by name.
    """

    method: str
    config: Mapping[str, Any]
    source: Mapping[str, Any]
    report: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...]
    tensors: Mapping[str, NDArray[Any]]


def geometry(image: Image) -> dict[str, Any]:
    """Return everything about an image but its values and provenance, ready for JSON."""
    keys = ("axes", "shape", "scale", "units", "translate", "channels", "name")
    return {key: getattr(image, key) for key in keys}


def header_of(fitted: Fitted) -> dict[str, Any]:
    """Return what is stored of a fit beside its tensors, ready for JSON."""
    header = {
        "method": fitted.method,
        "config": fitted.config.as_dict(),
        "source": dict(fitted.source) or geometry(fitted.images[0]),
        "image": geometry(fitted.images[0]),
        "history": [dict(row) for row in fitted.history],
        "stopped": fitted.stopped,
        "report": dict(fitted.report),
    }
    values: dict[str, Any] = plain(header)
    return values


def stored(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Stored:
    """Return the fit that a file holds, from its header and its tensors."""
    return Stored(
        method=header["method"],
        config=header["config"],
        source=header.get("source", header["image"]),
        report=header["report"],
        history=tuple(header["history"]),
        tensors=tensors,
    )


def plain(value: Any) -> Any:
    """Return `value` with lists for tuples, and null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
