"""Writing images: the extension chooses the format; files appear complete or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.image.exchange import image_of
from napari_cellinr.io.dtype import with_dtype
from napari_cellinr.io.explained import with_own_errors
from napari_cellinr.io.metadata.rotation import without_rotation
from napari_cellinr.io.names import SUFFIXES, place_of, suffix_of
from napari_cellinr.io.safety.atomic import check_place, replacing

if TYPE_CHECKING:
    from collections.abc import Generator
    from os import PathLike
    from pathlib import Path

    from napari_cellinr.image import ArrayLike, Image
    from napari_cellinr.image.exchange import Steps, Units
    from napari_cellinr.io.metadata.rotation import Rotation

__all__ = ["check_writable", "write", "write_in_steps"]


def write(
    path: str | PathLike[str],
    image: Image | ArrayLike,
    *,
    axes: str = "",
    scale: Steps | None = None,
    units: Units | None = None,
    dtype: str | None = None,
    rescale: bool = False,
    rotation: Rotation = "warn",
) -> Path:
    """Write an image or an array and return its path; the extension chooses the format.

    `.ome.tif` is OME-TIFF; `.tif` is an ImageJ hyperstack, or OME-TIFF if ImageJ cannot store
    the data; `.nii` and `.nii.gz` are NIfTI; `.zarr` is OME-Zarr, a folder. The file appears
    complete or not at all, and replaces an older one only when it is complete.

    Parameters
    ----------
    path
        File name with one of the extensions in `SUFFIXES`.
    image
        At least axes Y and X, and no unknown axis.
    axes, scale, units
        Axes and voxel size of a plain array, as for `denoise`.
    dtype
        Data type to convert to, such as `uint16`. For integers, values are rounded and clipped,
        and a `FileWarning` says how many.
    rescale
        Whether the range of the values is stretched to that of an integer `dtype`.
    rotation
        For a rotated image (its affine is in `meta["affine"]`) and formats other than NIfTI,
        which cannot hold a rotation: `warn` keeps it in the metadata of this package and says
        so, `keep` does not say so, and `bake` resamples the image.

    Raises
    ------
    FileError
        If the file cannot be written.
    AxesError
        If the meaning of an axis is not known, or an array of 3 or 4 dimensions has no axes.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_cellinr import write
    >>> path = write("movie.tif", np.zeros((3, 4, 5), "uint8"), axes="TYX", scale=0.1)
    >>> path.name
    'movie.tif'
    """
    place = place_of(path)
    suffix = suffix_of(place)
    image = image_of(image, axes, scale, units)
    if 0 in image.shape:
        raise FileError(
            f"an empty image of shape {image.shape} was given; at least one voxel is needed."
        )
    check_writable(place)
    image = with_own_errors(image)
    if not suffix.startswith(".nii"):
        image = without_rotation(image, rotation, place)
    if dtype is not None:
        image = with_dtype(image, dtype, rescale=rescale)
    with replacing(place, suffix) as temporary:
        _write(temporary, image, suffix)
    return place


def _write(temporary: Path, image: Image, suffix: str) -> None:
    if suffix.startswith(".nii"):
        from napari_cellinr.io.nifti import reader as nifti

        nifti.write(temporary, image)
    elif suffix.endswith(".zarr"):
        from napari_cellinr.io.zarr import writer as zarr_writer

        zarr_writer.write(temporary, image)
    else:
        from napari_cellinr.io.tiff import writer as tiff_writer

        tiff_writer.write(temporary, image, ome=suffix.startswith(".ome"))


def write_in_steps(
    path: str | PathLike[str], image: Image
) -> Generator[tuple[int, int], None, None]:
    """Write OME-Zarr piece by piece; yield the number of pieces written and their total number.

    A lazy image is read one piece at a time, so that it need not fit into memory. As with
    `write`, the folder appears when it is complete; nothing is left if the iterator is closed
    earlier.

    Parameters
    ----------
    path
        Ends with `.zarr`.
    image
        At least axes Y and X, and no unknown axis.

    Raises
    ------
    FileError
        If the folder cannot be written.
    """
    from napari_cellinr.io.zarr import writer as zarr_writer

    place = place_of(path)
    suffix = suffix_of(place, (".zarr",))
    check_writable(place)
    image = with_own_errors(image)
    with replacing(place, suffix) as temporary:
        yield from zarr_writer.steps_of(temporary, image)


def check_writable(path: str | PathLike[str], suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Check, before hours of work, that a result can be written; existing files are not touched.

    Parameters
    ----------
    path
        Where a file is to be written.
    suffixes
        Allowed extensions; any extension if empty.

    Raises
    ------
    FileError
        If the folder is missing or write-protected, or the extension is not allowed.
    """
    place = place_of(path)
    suffix = suffix_of(place, suffixes) if suffixes else ""
    check_place(place, folder=suffix.endswith(".zarr"))
