"""Reading OME-Zarr up to 0.6, and plain Zarr, lazily."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.image import UNCALIBRATED, Image
from napari_cellinr.io.findings import first_of_several, with_warnings
from napari_cellinr.io.lazy import chunks_of, lazy_array
from napari_cellinr.io.metadata.colours import COLOURS, hex_colour
from napari_cellinr.io.metadata.plausible import is_strange, unused
from napari_cellinr.io.metadata.record import KEY, restore
from napari_cellinr.io.metadata.units import pint_name, shared_units
from napari_cellinr.io.names import ARCHIVE, SUFFIXES, suffix_of
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.safety.failures import explained_reading
from napari_cellinr.io.zarr.parts import ZARR_FILES
from napari_cellinr.io.zarr.regions import UNFINISHED
from napari_cellinr.io.zarr.store import CheckedStore, Store, check_chunks
from napari_cellinr.io.zarr.transforms import placed
from napari_cellinr.text import what_went_wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["is_zarr", "read"]

_LONGEST_METADATA = 100 * 2**20
_TYPES = {"time": "T", "channel": "C"}
_PARTS = "{} is not finished: parts of it are still 0. Resume the command that writes it."
_FIXED_AXES = "tczyx"
_FIXED_VERSIONS = ("0.1", "0.2")
_SPARE_LETTERS = "QRSUVWPONM"


def read(
    path: Path | str,
    axes: str | None = None,
    *,
    level: int = 0,
    first: bool = False,
    store: Store | None = None,
) -> list[Image | CellINRError]:
    """Return the images in a Zarr folder, lazy, axes in the order of the folder.

    There are several in a plate, and in the output of bioformats2raw for multi-series files. In
    the place of one that cannot be read, there is the error.

    Parameters
    ----------
    path
        A folder for which `is_zarr` is true; or the name of what the store holds.
    axes
        Axes, one letter per dimension, instead of those in the metadata.
    level
        Level of the resolution pyramid; 0 is the full resolution.
    first
        Whether to read the first image only.
    store
        Where the files are, if not in a folder.

    Raises
    ------
    FileError
        If the folder holds no OME-Zarr image or array, or is damaged.
    AxesError
        If `axes` do not fit.
    """
    images: list[Image | CellINRError] = []
    with explained_reading(path, partial(_damaged, path, "")):
        if store is None:
            _check_metadata(Path(path))
            store = CheckedStore(Path(path))
        places = _places(_opened(path, store), _name(PurePath(path)))
        for node, place, label in places:
            images.append(_read_one(path, store, node, place, label, axes, level))
            if first:
                break
        if first and images and isinstance(images[0], Image) and next(places, None) is not None:
            images[0] = first_of_several(images[0])
    if not images:
        raise FileError(
            f"{path} holds no image with OME metadata; give the folder of a single array in it."
        )
    if len(images) == 1 and isinstance(images[0], CellINRError):
        raise images[0]
    return images


def _opened(path: Path | str, store: Any) -> Any:
    """Return the group or array in a store."""
    try:
        return zarr.open(store, mode="r")
    except FileNotFoundError as error:
        raise FileError(
            f"{path} holds no Zarr; check its name, and whether it is public."
        ) from error


def _read_one(
    path: Path | str, store: Store, node: Any, place: str, name: str, axes: str | None, level: int
) -> Image | CellINRError:
    """Return one image, or why it cannot be read."""
    try:
        image = _image(path, store, node[place] if place else node, name, level)
        return image if axes is None else image.with_axes(axes)
    except CellINRError as error:
        return error
    except MemoryError:
        raise
    except Exception as error:  # damaged metadata raise errors of many kinds
        return FileError(_damaged(path, place, error))


def _damaged(path: Path | str, place: str, error: Exception) -> str:
    """Return what is wrong with a folder, or with one of several images in it."""
    what = (
        f"{path}/{place} is missing or damaged"
        if place
        else f"{path} is not a readable Zarr folder, or it is damaged"
    )
    return f"{what} ({what_went_wrong(error)}); copy or convert it again from its source."


def _check_metadata(path: Path) -> None:
    for name in (*ZARR_FILES, ".zattrs", ".zmetadata"):
        file = path / name
        if file.is_file() and file.stat().st_size > _LONGEST_METADATA:
            raise ValueError(f"{name} has {file.stat().st_size} bytes")


def _name(path: PurePath) -> str:
    try:
        return path.name[: -len(suffix_of(path, (*SUFFIXES, ARCHIVE)))]
    except FileError:
        return path.name or "image"


def _places(node: Any, name: str) -> Iterator[tuple[Any, str, str]]:
    """Yield the node, the place below it, and the name of every image."""
    if isinstance(node, zarr.Array):
        yield node, "", name
        return
    facts = _facts(node)
    if "multiscales" in facts:
        yield node, "", name
    elif "plate" in facts:
        for well in facts["plate"].get("wells", ()):
            for place in _fields(node, str(well["path"])):
                yield node, place, f"{name} {place}"
    else:
        for key in sorted((k for k in node if k.isdecimal()), key=int):
            if "multiscales" in _facts(node[key]):
                yield node, key, f"{name} {key}"


def _fields(plate: Any, well: str) -> list[str]:
    """Return the places of the fields of a well; that of the well itself if it is damaged."""
    try:
        images = _facts(plate[well]).get("well", {}).get("images", ())
        return [f"{well}/{image['path']}" for image in images] or [well]
    except Exception:  # damaged metadata raise errors of many kinds
        return [well]


def _facts(group: Any) -> Mapping[str, Any]:
    """Return the OME metadata of a group; version 0.5 stores them one level deeper."""
    attributes = dict(group.attrs)
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _image(path: Path | str, store: Store, group: Any, name: str, level: int) -> Image:
    meta = {"source": str(path)}
    if isinstance(group, zarr.Array):
        n = len(group.shape)
        named = getattr(group.metadata, "dimension_names", None) or ()
        letters = _letters(named if all(named) else (), n)
        return Image(_lazy(path, store, group), axes=letters, name=name, meta=meta)
    facts = _facts(group)
    scales = (facts["multiscales"] or [{}])[0]
    datasets = scales.get("datasets")
    if not datasets:
        raise FileError(
            f"{path} has metadata of a multiscale image that name no array; copy or convert it "
            "again from its source, or give the folder of an array in it."
        )
    if not 0 <= level < len(datasets):
        raise FileError(
            f"level {level} of {path} was requested; it has levels 0 to {len(datasets) - 1}."
        )
    array = group[datasets[level]["path"]]
    described = _described(scales, len(array.shape))
    names = [_TYPES.get(a.get("type", ""), a["name"]) for a in described]
    letters = _letters(names, len(array.shape))
    units = [pint_name(str(a.get("unit", ""))) for a in described] or [UNCALIBRATED] * len(letters)
    scale, translate, units, odd = placed(path, letters, units, scales, datasets[level])
    strange = [str(a["unit"]) for a in described if is_strange(str(a.get("unit") or ""))]
    odd += tuple(unused(path, "a unit", unit) for unit in strange)
    lacking = [number for number, a in enumerate(described) if not a.get("unit")]
    units, shared = shared_units(letters, scale, units, lacking, path)
    channels, colours = _channels(facts, dict(zip(letters, array.shape, strict=True)).get("C", 0))
    image = Image(
        _lazy(path, store, array),
        axes=letters,
        scale=scale,
        units=tuple(units),
        translate=translate,
        name=name,
        channels=channels,
        meta=meta | ({COLOURS: colours} if colours else {}),
    )
    parts = (_PARTS.format(path),) if group.attrs.get(UNFINISHED) else ()
    image = with_warnings(image, (*odd, *shared, *parts))
    note = group.attrs.get(KEY)
    return restore(image, json.dumps({KEY: note})) if note and level == 0 else image


def _described(scales: Mapping[str, Any], n: int) -> list[Mapping[str, Any]]:
    """Return what is stated about each axis; versions before 0.3 have five, in a fixed order."""
    stated = scales.get("axes", ()) or _axes_of_system(scales)
    if not stated and n == len(_FIXED_AXES) and str(scales.get("version")) in _FIXED_VERSIONS:
        stated = _FIXED_AXES
    return [axis if isinstance(axis, dict) else {"name": axis} for axis in stated]


def _axes_of_system(scales: Mapping[str, Any]) -> Any:
    """Return the axes of the coordinate system of the levels, which version 0.6 states."""
    systems = scales.get("coordinateSystems") or [{}]
    stated = scales["datasets"][0].get("coordinateTransformations") or [{}]
    first = stated[0] if isinstance(stated, list) else stated
    output = first.get("output") if isinstance(first, dict) else None
    name = output.get("name") if isinstance(output, dict) else output
    named = [system for system in systems if system.get("name") == name]
    return (named or systems)[0].get("axes", ())


def _letters(names: Any, n_dimensions: int) -> str:
    """Return one letter per dimension; unused, unknown letters where names are missing or long."""
    if not names:
        return _SPARE_LETTERS[: max(0, n_dimensions - 2)] + "YX"[-n_dimensions:]
    letters: list[str] = []
    for name in names:
        letter = str(name).upper()
        spare = (s for s in _SPARE_LETTERS if s not in letters)
        known = len(letter) == 1 and letter.isalpha() and letter not in letters
        letters.append(letter if known else next(spare))
    return "".join(letters)


def _channels(facts: Mapping[str, Any], n: int) -> tuple[tuple[str, ...], list[str]]:
    """Return names and colours of the channels, where there is one for each."""
    stated = facts.get("omero", {}).get("channels", ())
    if n == 0 or len(stated) != n:
        return (), []
    names = tuple(str(channel.get("label", "")) for channel in stated)
    colours = [hex_colour(str(channel.get("color", ""))) for channel in stated]
    return names if all(names) else (), [c for c in colours if c] if all(colours) else []


def _lazy(path: Path | str, store: Store, array: Any) -> Any:
    if np.dtype(array.dtype).kind not in "buif":
        raise FileError(
            f"{path} holds values of type {array.dtype}; real numbers are needed. "
            "Convert them first."
        )
    if 0 in array.shape or not array.shape:
        raise FileError(
            f"{path} holds an empty array of shape {array.shape}; give an image with at least "
            f"one pixel."
        )
    store.most_bytes = max(store.most_bytes, check_chunks(array))
    source = _Array(path, array)
    chunks = chunks_of(source.shape, source.dtype.itemsize, array.chunks)
    return lazy_array(source, chunks)


class _Array:
    """A Zarr array whose read errors become a `FileError`."""

    def __init__(self, path: Path | str, array: Any) -> None:
        self.path = path
        self.shape = tuple(int(size) for size in array.shape)
        self.ndim = len(self.shape)
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self._array = array

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._array[key], dtype=self.dtype)
        except CellINRError:
            raise
        except MemoryError:
            raise
        except Exception as error:  # codecs raise errors of many kinds
            raise FileError(
                f"{self.path} is damaged: a chunk of {self._array.path or 'the array'} cannot be "
                f"read ({what_went_wrong(error)}). Copy or convert it again from its source."
            ) from error
