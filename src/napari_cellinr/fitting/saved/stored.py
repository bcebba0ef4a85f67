"""Saved fits: what they hold, and their files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.fitting.saved.damage import explained_damage
from napari_cellinr.fitting.saved.header import check_arrays, check_header
from napari_cellinr.image import Image
from napari_cellinr.io.saved_fit import load_fitted, save_fitted

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Fitted

__all__ = [
    "Stored",
    "blank",
    "digest",
    "geometry",
    "header_of",
    "load_fit",
    "plain",
    "save_fit",
    "stored",
    "stored_of",
]

_GEOMETRY = ("axes", "shape", "scale", "units", "translate", "channels", "name")


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


def blank(source: Mapping[str, Any]) -> Image:
    """Return an image of zeros, which take no memory, with the `geometry` of a saved fit."""
    facts = {key: source[key] for key in _GEOMETRY if key in source and key != "shape"}
    return Image(np.broadcast_to(np.float32(0), tuple(source["shape"])), **facts)


def plain(value: Any) -> Any:
    """Return `value` with lists for tuples, and null for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
