"""Reading images: the format follows from the file name, or from what a folder contains."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Literal, TypeAlias

from napari_cellinr.errors import CellINRError, FileError, FileWarning, warn
from napari_cellinr.io.findings import first_of_several, told
from napari_cellinr.io.lazy import lazy_above as usual_limit
from napari_cellinr.io.metadata.plausible import with_plausible_steps
from napari_cellinr.io.names import (
    ADDRESSES,
    ARCHIVE,
    MICROSCOPES,
    READ_ONLY,
    SUFFIXES,
    listed,
    place_of,
    stem_of,
    suffix_of,
    without_secrets,
)
from napari_cellinr.io.safety.leftovers import recover
from napari_cellinr.io.series import sequences

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cellinr.image import Image

__all__ = ["StackAxis", "read", "read_all", "read_parts"]

StackAxis = Literal["T", "Z"]
"""Axis along which numbered files are stacked: time points or z planes."""

Files: TypeAlias = "str | PathLike[str] | Sequence[str | PathLike[str]]"
"""A file, a folder, a pattern such as `t*.tif`, or a list of numbered files."""


def read(
    path: Files,
    *,
    axes: str | None = None,
    level: int = 0,
    lazy_above: int | None = None,
    stack_axis: StackAxis | None = None,
) -> Image:
    """Return the first image in a file or folder, with its axes in the order of the file.

    Parameters
    ----------
    path
        A TIFF or NIfTI file, an OME-Zarr folder, or a folder of numbered TIFF files; also a list
        of numbered TIFF files, or a pattern such as `t*.tif`, where `*` stands for a number; or
        the address of an OME-Zarr, such as `https://…/cells.ome.zarr` (needs the extra `remote`).
    axes
        One letter of `TCZYX` per dimension, if the file states no axes or wrong ones. They
        rename the axes that are returned without `axes`, in the same order.
    level
        Level of a resolution pyramid; 0 is the full resolution.
    lazy_above
        Number of bytes above which the array is a dask array, so that only the parts that are
        needed are read. Default: 512 MB, or the environment variable `NAPARI_CELLINR_LAZY_MB`.
        Zarr is always lazy.
    stack_axis
        Whether numbered files are time points, `T`, or z planes, `Z`.

    Raises
    ------
    FileError
        If the file is missing, damaged, or not an image of real numbers. Damage inside a lazy
        array is reported when that part is read.
    AxesError
        If `axes` do not fit the array.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import read, write
    >>> path = write("movie.ome.tif", np.zeros((3, 8, 9)), axes="TYX", scale={"Y": 0.1, "X": 0.1})
    >>> image = read(path)
    >>> image.axes, image.steps["X"], read(path).crop(T=slice(0, 1)).shape
    ('TYX', 0.1, (1, 8, 9))
    """
    parts = _read(path, axes, level, lazy_above, stack_axis, first=True, colours=False)
    found = _good(parts)[0]
    return first_of_several(found) if len(parts) > 1 else found


def read_all(
    path: Files,
    *,
    axes: str | None = None,
    level: int = 0,
    lazy_above: int | None = None,
    stack_axis: StackAxis | None = None,
    colours: bool = False,
) -> list[Image]:
    """Return every image in a file, as `read` does for the first; TIFF and Zarr may hold several.

    If some of several images cannot be read, such as a field of a plate, a `FileWarning` names
    them, and the others are returned.

    Parameters
    ----------
    path, axes, level, lazy_above, stack_axis
        As for `read`.
    colours
        Whether RGB images are returned with an axis `S` (samples), which must be renamed before
        use. Otherwise they raise an error that says what to do.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import read_all, write
    >>> path = write("cells.tif", np.zeros((8, 9), np.float32))
    >>> [image.name for image in read_all(path)]
    ['cells']
    """
    return _good(_read(path, axes, level, lazy_above, stack_axis, first=False, colours=colours))


def read_parts(
    path: Files, *, lazy_above: int | None = None, stack_axis: StackAxis | None = None
) -> list[Image | CellINRError]:
    """Return every image in a file, and the error in the place of one that cannot be read.

    Parameters
    ----------
    path, lazy_above, stack_axis
        As for `read`.
    """
    return _read(path, None, 0, lazy_above, stack_axis, first=False, colours=False)


def _good(parts: Sequence[Image | CellINRError]) -> list[Image]:
    """Return the images, with a warning for each that cannot be read."""
    errors = [part for part in parts if isinstance(part, CellINRError)]
    images = [part for part in parts if not isinstance(part, CellINRError)]
    if not images:
        raise errors[0]
    for error in errors:
        warn(f"one of {len(parts)} images is left out: {error}", FileWarning)
    return images


def _read(
    path: Files,
    axes: str | None,
    level: int,
    lazy_above: int | None,
    stack_axis: StackAxis | None,
    *,
    first: bool,
    colours: bool,
) -> list[Image | CellINRError]:
    limit = usual_limit() if lazy_above is None else lazy_above
    if not isinstance(path, str | PathLike):
        return _read_series([place_of(file) for file in path], axes, level, limit, stack_axis)
    if str(path).startswith(ADDRESSES):
        return _read_address(str(path), axes, level, first=first)
    place = place_of(path)
    if sequences.is_pattern(place):
        return _read_series(sequences.matching_files(place), axes, level, limit, stack_axis)
    if not place.exists():
        recover(place)  # a folder that was being replaced
    if place.is_dir():
        return _read_folder(place, axes, level, limit, stack_axis, first=first)
    if not place.exists():
        raise FileError(f"there is no file {place}; check its name and folder.")
    suffix = suffix_of(place, (*SUFFIXES, *READ_ONLY))
    if suffix.startswith(".nii"):
        from napari_cellinr.io.nifti import reader as nifti

        _only_level(place, level)
        return [_told(nifti.read(place, stem_of(place), axes, limit=limit))]
    if suffix.endswith(".zarr"):
        raise FileError(f"{place} is a file; OME-Zarr is a folder. Unpack it if it is an archive.")
    if suffix == ARCHIVE:
        from napari_cellinr.io.zarr import reader as zarr
        from napari_cellinr.io.zarr.remote import archive

        store = archive(place)
        return list(map(_told, zarr.read(place, axes, level=level, first=first, store=store)))
    if suffix in MICROSCOPES:
        from napari_cellinr.io import formats

        _only_level(place, level)
        read = formats.read(place, suffix, stem_of(place), limit)
        return [_told(one.with_axes(axes) if axes else one) for one in read]
    from napari_cellinr.io.tiff import reader as tiff

    images = tiff.read(
        place, stem_of(place), axes, first=first, level=level, limit=limit, colours=colours
    )
    return list(map(_told, images))


def _read_address(
    address: str, axes: str | None, level: int, *, first: bool
) -> list[Image | CellINRError]:
    """Return the images of an OME-Zarr on another computer; values are fetched when needed."""
    from napari_cellinr.io.zarr import reader as zarr
    from napari_cellinr.io.zarr.remote import remote

    store, name = remote(address.rstrip("/")), without_secrets(address).rstrip("/")
    found = zarr.read(name, axes, level=level, first=first, store=store)
    return list(map(_told, found))


def _read_folder(
    place: Path,
    axes: str | None,
    level: int,
    limit: int,
    stack_axis: StackAxis | None,
    *,
    first: bool,
) -> list[Image | CellINRError]:
    from napari_cellinr.io.zarr import reader as zarr

    if zarr.is_zarr(place):
        return list(map(_told, zarr.read(place, axes, level=level, first=first)))
    if stack_axis is None:
        raise FileError(
            f"{place} is a folder; give one file in it ({listed(SUFFIXES)}). If it holds numbered "
            f'files, say whether they are time points (--stack T, in Python stack_axis="T") or '
            f'z planes (--stack Z, stack_axis="Z").'
        )
    _only_level(place, level)
    return [sequences.read_folder(place, stack_axis, axes, limit)]


def _read_series(
    paths: Sequence[Path], axes: str | None, level: int, limit: int, stack_axis: StackAxis | None
) -> list[Image | CellINRError]:
    if not paths:
        raise FileError("an empty list of files was given; give at least one file.")
    if stack_axis is None:
        raise FileError(
            f"{len(paths)} files were given as one image; say whether they are time points "
            '(--stack T, in Python stack_axis="T") or z planes (--stack Z, stack_axis="Z").'
        )
    _only_level(paths[0], level)
    return [sequences.read_files(paths, stack_axis, axes, limit)]


def _told(part: Image | CellINRError) -> Image | CellINRError:
    if isinstance(part, CellINRError):
        return part
    return told(with_plausible_steps(part, part.meta.get("source", part.name)))


def _only_level(place: Path, level: int) -> None:
    if level != 0:
        raise FileError(f"level {level} of {place} was requested; it has only level 0.")
