"""Reading Imaris files (HDF5) with the library h5py, at full resolution.

Layout: "Imaris 5.5 file format" of Bitplane: DataSet/ResolutionLevel 0/TimePoint t/Channel c/Data.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.errors import FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.times import with_times
from napari_cellinr.io.metadata.units import pint_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_MOST_EXPANDED = 2000
"""Ratio of the array to the file above which the file was made to do harm."""


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return the image in a file, axes T, C, Z, Y, X without those of length 1; lazy if large.

    Parameters
    ----------
    path, name, limit
        As for `formats.read`.
    """
    import h5py

    with h5py.File(path, "r") as file:
        times = _numbered(file["DataSet/ResolutionLevel 0"], "TimePoint")
        channels = _numbered(file[f"DataSet/ResolutionLevel 0/{times[0]}"], "Channel")
        first = file[f"DataSet/ResolutionLevel 0/{times[0]}/{channels[0]}/Data"]
        info = file["DataSetInfo/Image"].attrs
        stated = file[f"DataSet/ResolutionLevel 0/{times[0]}/{channels[0]}"].attrs
        sizes = _sizes(info, stated, first.shape)
        shape, kind = (len(times), len(channels), *sizes), np.dtype(first.dtype)
        steps, unit = _steps(info, sizes)
        names, colours = _channels(file, channels)
        seconds = _seconds(file, times)
    _check(path, shape, kind, first_shape=sizes)
    places = [[f"DataSet/ResolutionLevel 0/{t}/{c}/Data" for c in channels] for t in times]
    data = _stacked(path, places, shape, kind, lazily=math.prod(shape) * kind.itemsize > limit)
    kept = [i for i, axis in enumerate("TCZYX") if shape[i] > 1 or axis in "YX"]
    letters = "".join("TCZYX"[i] for i in kept)
    known = {axis: (step, unit) for axis, step in zip("ZYX", steps, strict=True) if step > 0}
    calibration = [known.get(axis, (1.0, UNCALIBRATED)) for axis in letters]
    image = Image(
        data.reshape([shape[i] for i in kept]),
        letters,
        scale=tuple(step for step, _ in calibration),
        units=tuple(unit for _, unit in calibration),
        name=name,
        channels=names,
        meta={"source": str(path), **({COLOURS: colours} if colours else {})},
    )
    return [with_times(image, seconds, path)]


def _numbered(group: Any, word: str) -> list[str]:
    """Return the names of subgroups such as `TimePoint 3`, in the order of their numbers."""
    found = [key for key in group if re.fullmatch(rf"{word} \d+", key)]
    if not found:
        raise FileError(f"the file has no {word}; it is not an Imaris image.")
    return sorted(found, key=lambda key: int(key.rpartition(" ")[2]))


def _text(value: Any) -> str:
    """Return an attribute, which Imaris stores as single characters."""
    array = np.asarray(value)
    return array.tobytes().decode("latin-1").strip("\0 ") if array.dtype.kind == "S" else str(value)


def _sizes(info: Any, stated: Any, stored: tuple[int, ...]) -> list[int]:
    """Return the sizes along Z, Y, X without padding."""
    sizes = []
    for axis, n in zip("ZYX", stored, strict=True):
        text = info.get(axis, stated.get(f"ImageSize{axis}"))
        sizes.append(n if text is None else int(_text(text)))
    return sizes


def _steps(info: Any, sizes: list[int]) -> tuple[list[float], str]:
    """Return the steps along Z, Y, X from the extent of the image, and their unit."""
    unit = pint_name(_text(info.get("Unit", "um")))
    steps = []
    for place, size in zip((2, 1, 0), sizes, strict=True):
        try:
            extent = float(_text(info[f"ExtMax{place}"])) - float(_text(info[f"ExtMin{place}"]))
        except (KeyError, ValueError):
            extent = 0.0
        steps.append(extent / size if math.isfinite(extent) and unit != UNCALIBRATED else 0.0)
    return steps, unit


def _channels(file: Any, channels: list[str]) -> tuple[tuple[str, ...], list[str]]:
    names, colours = [], []
    for channel in channels:
        attributes = file[f"DataSetInfo/{channel}"].attrs if channel in file["DataSetInfo"] else {}
        names.append(_text(attributes.get("Name", "")))
        parts = _text(attributes.get("Color", "")).split()
        if len(parts) == 3:
            levels = [round(255 * min(1.0, max(0.0, float(part)))) for part in parts]
            colours.append("#{:02x}{:02x}{:02x}".format(*levels))
    known = all(names) and len(set(names)) == len(names)
    return (tuple(names) if known else ()), colours if len(colours) == len(channels) else []


def _seconds(file: Any, times: list[str]) -> list[float]:
    """Return the time of each time point in s; empty if not stated."""
    stated = file["DataSetInfo/TimeInfo"].attrs if "TimeInfo" in file["DataSetInfo"] else {}
    found = []
    for number in range(1, len(times) + 1):
        try:
            moment = datetime.fromisoformat(_text(stated[f"TimePoint{number}"]))
        except (KeyError, ValueError):
            return []
        found.append(moment.timestamp())
    return found


def _check(path: Path, shape: tuple[int, ...], kind: np.dtype[Any], first_shape: list[int]) -> None:
    n_bytes, available = math.prod(shape) * kind.itemsize, path.stat().st_size
    if min(first_shape) < 1 or n_bytes > max(2**24, _MOST_EXPANDED * available):
        raise FileError(
            f"{path} announces {n_bytes} bytes of pixels and has {available} bytes; it is damaged."
        )


class _Volume:
    """One channel at one time, read when it is needed; the padding of Imaris is left out."""

    def __init__(self, path: Path, place: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
        self.path, self.place, self.shape, self.dtype = path, place, shape, kind
        self.ndim = len(shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                whole = file[self.place]
                inside = tuple(slice(0, size) for size in self.shape)
                keys = key if isinstance(key, tuple) else (key,)
                keys = (*keys, *inside[len(keys) :])
                parts = tuple(
                    slice(*k.indices(n)) if isinstance(k, slice) else k
                    for k, n in zip(keys, self.shape, strict=True)
                )
                return np.asarray(whole[parts])
        except (OSError, KeyError) as error:
            raise FileError(f"{self.path} is damaged ({error}); copy it again.") from error


def _stacked(
    path: Path,
    places: list[list[str]],
    shape: tuple[int, ...],
    kind: np.dtype[Any],
    *,
    lazily: bool,
) -> Any:
    """Return the array (T, C, Z, Y, X): NumPy, or dask."""
    volumes = [[_Volume(path, place, shape[2:], kind) for place in row] for row in places]
    if not lazily:
        whole = (slice(None),) * 3
        return np.array([[volume[whole] for volume in row] for row in volumes])
    import dask.array

    from napari_cellinr.io.lazy import chunks_of, lazy_array

    chunks = chunks_of(shape[2:], kind.itemsize, (1, 1, shape[4]))
    stack: Any = dask.array.stack
    return stack([stack([lazy_array(volume, chunks) for volume in row]) for row in volumes])
