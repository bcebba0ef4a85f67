"""The images in a folder that is not itself an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import READ_ONLY, SUFFIXES, listed
from napari_cellinr.io.safety.atomic import is_zarr
from napari_cellinr.io.series.sequences import in_order

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["images_in"]


def images_in(folder: Path) -> list[Path]:
    """Return the files and Zarr folders in a folder that can probably be read, in order.

    Hidden files and subfolders are left out.

    Raises
    ------
    FileError
        If there are none, or the folder cannot be listed.
    """
    try:
        found = [path for path in folder.iterdir() if path.name[0] != "." and _is_image(path)]
    except OSError as error:
        raise FileError(f"folder {folder} cannot be read: {error.strerror or error}.") from error
    if not found:
        raise FileError(
            f"folder {folder} contains no readable image (its subfolders are not searched); give "
            f"files, or a folder of files ({listed(SUFFIXES)})."
        )
    return in_order(found)


def _is_image(path: Path) -> bool:
    if path.is_dir():
        return is_zarr(path)
    return path.name.lower().endswith((*SUFFIXES, *READ_ONLY))
