"""Files in, Images out, and back: TIFF and NIfTI by the end of the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.io.atomic import check_place, replacing
from napari_cellinr.io.fitted import FITTED_SUFFIX, load_fitted, save_fitted

if TYPE_CHECKING:
    from os import PathLike

    from napari_cellinr.image import Image

__all__ = [
    "FITTED_SUFFIX",
    "SUFFIXES",
    "check_writable",
    "load_fitted",
    "read",
    "read_all",
    "save_fitted",
    "write",
]

SUFFIXES = (".ome.tif", ".ome.tiff", ".tif", ".tiff", ".nii.gz", ".nii")
"""Ends of the names of files that can be read and written, longer ones first."""


def read(path: str | PathLike[str], *, axes: str | None = None) -> Image:
    """Return the first image in a file, with its axes in the order of the file.

    Parameters
    ----------
    path
        A TIFF or NIfTI file.
    axes
        One letter of `TCZYX` per dimension, for a file that says nothing or something wrong.
        They name the dimensions of what this function returns without `axes`.

    Raises
    ------
    FileError
        If the file is missing, damaged, or not an image of real numbers.
    AxesError
        If `axes` do not fit the array.
    """
    return _read(path, axes, first=True)[0]


def read_all(path: str | PathLike[str], *, axes: str | None = None) -> list[Image]:
    """Return every image in a file: a TIFF may hold several. Otherwise like `read`."""
    return _read(path, axes, first=False)


def write(path: str | PathLike[str], image: Image) -> Path:
    """Return the path to which the image was written, in the format that its end says.

    `.ome.tif` is OME-TIFF; `.tif` is an ImageJ hyperstack, or OME-TIFF where ImageJ has no
    place for the numbers; `.nii` and `.nii.gz` are NIfTI. The file appears complete or not at
    all, and replaces an older one only then.

    Parameters
    ----------
    path
        One of `SUFFIXES` at its end.
    image
        At least Y and X, and no unknown axis.

    Raises
    ------
    FileError
        If the file cannot be written.
    AxesError
        If the meaning of an axis is not known.
    """
    place = _path(path)
    suffix = _suffix(place)
    check_place(place)
    if 0 in image.shape:
        raise FileError(
            f"an empty image of shape {image.shape} was given; at least one element is needed."
        )
    with replacing(place, suffix) as temporary:
        if suffix.startswith(".nii"):
            from napari_cellinr.io import nifti

            nifti.write(temporary, image)
        else:
            from napari_cellinr.io import tiff_writer

            tiff_writer.write(temporary, image, ome=suffix.startswith(".ome"))
    return place


def check_writable(path: str | PathLike[str], suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Check, before hours of work, that a result can be written; touches nothing that exists.

    Parameters
    ----------
    path
        Where a file is to be written.
    suffixes
        The ends of the name that are allowed; any if there are none.

    Raises
    ------
    FileError
        If the folder is missing or protected, or the end of the name not allowed.
    """
    place = _path(path)
    if suffixes:
        _suffix(place, suffixes)
    check_place(place)


def _read(path: str | PathLike[str], axes: str | None, *, first: bool) -> list[Image]:
    place = _path(path)
    if place.is_dir():
        raise FileError(f"{place} is a folder; give one file in it ({_listed(SUFFIXES)}).")
    if not place.exists():
        raise FileError(f"{place} was given; there is no such file. Check name and folder.")
    suffix = _suffix(place)
    name = place.name[: -len(suffix)]
    if suffix.startswith(".nii"):
        from napari_cellinr.io import nifti

        return [nifti.read(place, name, axes)]
    from napari_cellinr.io import tiff

    return tiff.read(place, name, axes, first=first)


def _suffix(path: Path, allowed: tuple[str, ...] = SUFFIXES) -> str:
    """Return which of the allowed suffixes the path has."""
    for suffix in allowed:
        if path.name.lower().endswith(suffix) and path.name.lower() != suffix:
            return suffix
    raise FileError(
        f"{path} ends with {path.suffix!r}; allowed are {_listed(allowed)}. Convert the file, or "
        f"choose another name."
    )


def _listed(suffixes: tuple[str, ...]) -> str:
    return ", ".join(suffixes)


def _path(path: str | PathLike[str]) -> Path:
    return Path(path).expanduser()
