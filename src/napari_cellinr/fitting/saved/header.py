"""Checks what a saved fit says, before anything is computed from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_arrays", "check_header", "check_job"]

MOST_ALONG_AXIS: Final = 10**6
"""Voxels of an image along each axis: positions along it are computed before anything else."""

MOST_FRAMES: Final = 10**6
"""Frames of an image, counted over all axes but the spatial ones."""


def check_header(header: Any) -> None:
    """Check types, sizes and lengths in the header of a saved fit.

    Raises
    ------
    KeyError
        If something is missing.
    ValueError
        If something has a wrong type, or a value that no fit has.
    """
    _check("the header", header, _is_table)
    for name, allows in _PARTS.items():
        _check(name, header[name], allows)
    for name, allows in _OPTIONAL.items():
        if name in header:
            _check(name, header[name], allows)
    for name in ("image", "source"):
        if name in header:
            check_geometry(name, header[name])


def check_job(header: Mapping[str, Any]) -> None:
    """Check the file of a checkpoint that says which job it is of; raises as `check_header`."""
    for name in ("action", "origin"):
        _check(name, header[name], _is_text)
    _check("config", header["config"], _is_table)
    check_geometry("source", header["source"])
    _check("digest", header["source"]["digest"], _is_text)


def check_geometry(name: str, facts: Any) -> None:
    """Check the geometry of an image, as `stored.geometry` returns it.

    Parameters
    ----------
    name
        What the image is called in messages.
    facts
        Its geometry, from the header of a file.

    Raises
    ------
    ValueError
        If anything is missing, of another type, or impossible.
    """
    _check(name, facts, _is_table)
    for key, allows in _GEOMETRY.items():
        _check(f"{key} of {name}", facts[key], allows)
    count = len(facts["shape"])
    for key in ("axes", "scale", "units", "translate"):
        if len(facts[key]) != count:
            raise ValueError(f"{name} has {len(facts[key])} {key} for {count} sizes")
    sizes = zip(facts["axes"].upper(), facts["shape"], strict=True)
    if math.prod(size for axis, size in sizes if axis not in "ZYX") > MOST_FRAMES:
        raise ValueError(f"{name} has too many frames")


def check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise `ValueError` if an array of a saved fit holds NaN or infinite values."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"its array {name[:60]} has values that are not finite")


def _check(name: str, value: Any, allows: Callable[[Any], bool]) -> None:
    if not allows(value):
        raise ValueError(f"its entry {name} is wrong")


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and abs(value) < 1e150  # its square is finite, too


def _is_step(value: Any) -> bool:
    return _is_number(value) and value > 1e-150


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_ALONG_AXIS


def _all(allows: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return whether a value is a list of what is allowed."""
    return lambda value: isinstance(value, list | tuple) and all(map(allows, value))


def _is_row(value: Any) -> bool:
    """Return whether a value is a row of the history, with null for what is not finite."""
    return _is_table(value) and all(one is None or _is_number(one) for one in value.values())


_PARTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "method": _is_text,
    "config": _is_table,
    "image": _is_table,
    "report": _is_table,
    "history": _all(_is_row),
}

_OPTIONAL: Final[Mapping[str, Callable[[Any], bool]]] = {
    "model": _is_table,
    "roles": _all(_is_text),
    "stopped": _is_text,
}

_GEOMETRY: Final[Mapping[str, Callable[[Any], bool]]] = {
    "axes": _is_text,
    "shape": _all(_is_size),
    "scale": _all(_is_step),
    "units": _all(_is_text),
    "translate": _all(_is_number),
    "channels": _all(_is_text),
    "name": _is_text,
}
