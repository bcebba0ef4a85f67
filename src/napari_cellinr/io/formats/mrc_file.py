"""Reading MRC and DeltaVision files, which share a header of 1024 bytes.

MRC: Cheng et al. 2015, "MRC2014: extensions to the MRC format header", doi
10.1016/j.jsb.2015.04.002. DeltaVision: as described by the IVE documentation of UCSF.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.lazy import RawArray, chunks_of, is_lazy_size, lazy_array
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read"]

_HEADER: Final = 1024
_TYPES: Final = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_DELTAVISION: Final = -16224
"""Number at byte 96 that marks a DeltaVision file."""

_SEQUENCES: Final = {0: "CTZ", 1: "TZC", 2: "TCZ"}
"""Order of the planes by the sequence number of DeltaVision, the slowest axis first."""


@dataclass(frozen=True)
class _Header:
    """What the header says.

    Parameters
    ----------
    order
        `<` or `>`, the byte order.
    counts
        Number of columns, rows and planes.
    mode
        Number of the data type.
    extended
        Bytes between the header and the first plane.
    """

    order: Literal["<", ">"]
    counts: tuple[int, int, int]
    mode: int
    extended: int


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return the image in a file; a single plane has no axis z.

    Parameters
    ----------
    path, name, limit
        As for `formats.read`.
    """
    with path.open("rb") as file:
        raw = file.read(_HEADER)
    header = _header(path, raw)
    kind = np.dtype(_TYPES[header.mode]).newbyteorder(header.order)
    is_dv = _number(header, raw, 96) == _DELTAVISION
    axes, shape, found = _deltavision(header, raw) if is_dv else _mrc(header, raw)
    n_bytes = math.prod(shape) * kind.itemsize
    offset, available = _HEADER + header.extended, path.stat().st_size
    if offset + n_bytes > available:
        raise FileError(
            f"{path} is not complete: it announces {n_bytes} bytes of pixels at byte {offset} and "
            f"has {available}. Copy it again from its source."
        )
    source = RawArray(path, offset, shape, kind)
    lazy = is_lazy_size(n_bytes, available, limit)
    grain = (1,) * (len(shape) - 1) + shape[-1:]
    data: Any = lazy_array(source, chunks_of(shape, kind.itemsize, grain)) if lazy else source[...]
    kept = [i for i, axis in enumerate(axes) if shape[i] > 1 or axis in "YX"]
    letters = "".join(axes[i] for i in kept)
    steps = [found.get(axis, (1.0, UNCALIBRATED)) for axis in letters]
    return [
        Image(
            data.reshape([shape[i] for i in kept]),
            letters,
            scale=tuple(step for step, _ in steps),
            units=tuple(unit for _, unit in steps),
            name=name,
            channels=_names(header, raw) if is_dv and "C" in letters else (),
            meta={"source": str(path)},
        )
    ]


def _header(path: Path, raw: bytes) -> _Header:
    """Return the header in the byte order in which it makes sense."""
    if len(raw) < _HEADER:
        raise FileError(f"{path} has {len(raw)} bytes; a header has {_HEADER}. Copy it again.")
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        columns, rows, planes, mode = struct.unpack_from(f"{order}4i", raw)
        (extended,) = struct.unpack_from(f"{order}i", raw, 92)
        plausible = min(columns, rows, planes) > 0 and max(columns, rows, planes) < 2**24
        if plausible and 0 <= mode < 200 and extended >= 0:
            if mode not in _TYPES:
                raise FileError(
                    f"{path} holds numbers of MRC mode {mode}; real numbers (modes "
                    f"{', '.join(map(str, _TYPES))}) are needed. Convert it first."
                )
            return _Header(order, (columns, rows, planes), mode, extended)
    raise FileError(f"{path} is not an MRC or DeltaVision file although its name says so.")


def _number(header: _Header, raw: bytes, place: int) -> Any:
    return struct.unpack_from(f"{header.order}h", raw, place)[0]


def _mrc(header: _Header, raw: bytes) -> tuple[str, tuple[int, ...], dict[str, tuple[float, str]]]:
    """Return axes, shape and steps of an MRC file: cell sizes in Å over counts of the grid."""
    counts = struct.unpack_from(f"{header.order}3i", raw, 28)
    sizes = struct.unpack_from(f"{header.order}3f", raw, 40)
    steps = {
        axis: (size / count / 10, "nanometer")
        for axis, size, count in zip("XYZ", sizes, counts, strict=True)
        if count > 0 and math.isfinite(size) and size > 0
    }
    return "ZYX", header.counts[::-1], steps


def _deltavision(
    header: _Header, raw: bytes
) -> tuple[str, tuple[int, ...], dict[str, tuple[float, str]]]:
    """Return axes, shape and steps of a DeltaVision file, whose steps are in µm."""
    columns, rows, planes = header.counts
    n_times = max(1, _number(header, raw, 180))
    n_waves = max(1, _number(header, raw, 196))
    axes = _SEQUENCES.get(_number(header, raw, 182), "CTZ")
    if planes % (n_times * n_waves):
        raise FileError(
            f"the file announces {n_of(planes, 'plane')}, no whole number of stacks of "
            f"{n_of(n_times, 'time')} and {n_of(n_waves, 'channel')}; it is damaged or not "
            "complete."
        )
    sizes = {"T": n_times, "C": n_waves, "Z": planes // (n_times * n_waves)}
    steps = struct.unpack_from(f"{header.order}3f", raw, 40)
    found = {
        axis: (step, "micrometer")
        for axis, step in zip("XYZ", steps, strict=True)
        if math.isfinite(step) and step > 0
    }
    return f"{axes}YX", (*(sizes[axis] for axis in axes), rows, columns), found


def _names(header: _Header, raw: bytes) -> tuple[str, ...]:
    """Return the emission wavelengths as names of the channels, such as `525 nm`."""
    n_waves = min(5, _number(header, raw, 196))
    waves = struct.unpack_from(f"{header.order}{n_waves}h", raw, 198)
    names = tuple(f"{wave} nm" for wave in waves)
    return names if len(set(names)) == len(names) and min(waves) > 0 else ()
