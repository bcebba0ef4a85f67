"""Reading Leica LIF with the library liffile: the images of the project, plane by plane."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import FileError, FileWarning, warn
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.findings import with_warnings
from napari_cellinr.io.lazy import chunks_of, is_lazy_size, lazy_array
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read"]

_LETTERS: Final = {"λ": "L", "Λ": "E"}
"""Letters of axes whose names in the library are no capital letters: two kinds of wavelength."""

_COLOURS: Final = {
    "gray": "#ffffff",
    "grey": "#ffffff",
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
    "cyan": "#00ffff",
    "magenta": "#ff00ff",
    "yellow": "#ffff00",
}
"""Colours by the names of Leica's lookup tables."""

_MOST_EXPANDED: Final = 20
"""Ratio of the array to the file above which the file was made to do harm; pixels are stored as
they are, but an image may refer to pixels outside of the file."""


def read(path: Path, name: str, limit: int) -> list[Image]:
    """Return one image for each image of the project; lazy if large, or if there are many.

    Parameters
    ----------
    path, name, limit
        As for `formats.read`.
    """
    import liffile

    with liffile.LifFile(str(path)) as file:
        if file.type.name != "LIF":  # others refer to files elsewhere
            raise FileError(f"{path} is not a LIF file, but {file.type.name}; save it as LIF.")
        found = [one for one in file.images if not one.is_flim and _is_plane(one.dims)]
        if not found:
            raise FileError(f"{path} holds no image of planes; give a file with one.")
        if (n_others := len(file.images) - len(found)) > 0:
            left_out = n_of(n_others, "entry is", "entries are")
            warn(f"{path}: {left_out} left out: lifetimes, points or lines.", FileWarning)
        share = limit // len(found)
        return [_image(path, name, one, share, single=len(found) == 1) for one in found]


def _is_plane(dims: Sequence[str]) -> bool:
    return "X" in dims and ("Y" in dims or "Z" in dims)


def _image(path: Path, name: str, found: Any, limit: int, *, single: bool) -> Image:
    """Return an image, axes in the order of the file."""
    shape, kind = tuple(map(int, found.shape)), np.dtype(found.dtype)
    n_bytes, available = math.prod(shape) * kind.itemsize, path.stat().st_size
    if n_bytes > max(2**24, _MOST_EXPANDED * available):
        raise FileError(
            f"{path} announces {n_bytes} bytes of pixels for {found.name} and has {available} "
            "bytes; it is damaged. Copy it again from its source."
        )
    data: Any = _Pixels(path, str(found.path), shape, kind)
    if is_lazy_size(n_bytes, available, limit):
        grain = (1,) * max(0, len(shape) - 2) + shape[-2:]
        data = lazy_array(data, chunks_of(shape, kind.itemsize, grain))
    else:
        data = np.asarray(found.asarray())
    axes = "".join(_LETTERS.get(dim, dim) for dim in found.dims)
    is_section = "Y" not in axes
    axes = axes.replace("Z", "Y") if is_section else axes
    steps = [_step(dim, found.coords.get(dim, ())) for dim in found.dims]
    names, colours = _channels(found.xml_element, dict(found.sizes).get("C", 1))
    image = Image(
        data,
        axes,
        scale=tuple(step for step, _ in steps),
        units=tuple(unit for _, unit in steps),
        name=name if single else f"{name} {found.name}",
        channels=names,
        meta={"source": str(path), **({COLOURS: colours} if colours else {})},
    )
    text = f"{image.name} is a section along x and z; its axis z is read as y."
    return with_warnings(image, (text,)) if is_section else image


def _step(dim: str, places: Sequence[Any]) -> tuple[float, str]:
    """Return the step along an axis from the positions of its elements, in m or s."""
    if len(places) < 2 or dim not in {"T", "Z", "Y", "X"}:
        return 1.0, UNCALIBRATED
    step = abs(float(places[-1]) - float(places[0])) / (len(places) - 1)
    if not (math.isfinite(step) and step > 0):
        return 1.0, UNCALIBRATED
    return (step, "second") if dim == "T" else (step * 1e6, "micrometer")


def _channels(element: Any, n_channels: int) -> tuple[tuple[str, ...], list[str]]:
    """Return the dyes and the colours of the channels, as far as all are stated."""
    found = element.findall("./Data/Image/ImageDescription/Channels/ChannelDescription")
    found.sort(key=lambda one: int(one.get("BytesInc", 0)))
    names, colours = [], []
    for channel in found:
        properties = {
            one.findtext("Key"): one.findtext("Value")
            for one in channel.iterfind("ChannelProperty")
        }
        names.append((properties.get("DyeName") or "").removeprefix("Leica/"))
        colours.append(_COLOURS.get(channel.get("LUTName", "").lower(), ""))
    is_whole = len(found) == n_channels
    known = is_whole and all(names) and len(set(names)) == len(names)
    return tuple(names) if known else (), colours if is_whole and all(colours) else []


class _Pixels:
    """An image of a file, of which planes are read when they are needed."""

    def __init__(self, path: Path, place: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
        self.path, self.place, self.shape, self.dtype = path, place, shape, kind
        self.ndim = len(shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        import liffile

        keys = key if isinstance(key, tuple) else (key,)
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        with liffile.LifFile(str(self.path)) as file:
            found = next(one for one in file.images if str(one.path) == self.place)
            frames = found.frames
            n_leading = self.ndim - len(frames.frame_shape)
            if n_leading < 1:
                return np.asarray(found.asarray()[keys])
            leading = [
                range(*one.indices(n)) if isinstance(one, slice) else [int(one)]
                for one, n in zip(keys, self.shape[:n_leading], strict=False)
            ]
            rest = keys[n_leading:]
            planes = np.array([frames[place][rest] for place in itertools.product(*leading)])
        sizes = [len(one) for one in leading]
        whole = planes.reshape([*sizes, *planes.shape[1:]])
        numbers = tuple(slice(None) if isinstance(one, slice) else 0 for one in keys[:n_leading])
        return np.asarray(whole[numbers])
