"""The ends of the names of files that are read and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["SUFFIXES", "listed", "place_of", "stem_of", "suffix_of"]

SUFFIXES = (
    ".ome.tif", ".ome.tiff", ".tif", ".tiff", ".nii.gz", ".nii", ".ome.zarr", ".zarr",
)  # fmt: skip
"""Ends of the names of files and folders that can be read and written, longer ones first."""

READ_ONLY = (".ome.btf", ".ome.tf2", ".ome.tf8", ".btf", ".tf2", ".tf8", ".stk")
"""Ends of the names of files that can only be read: big TIFFs, and those of MetaMorph."""


def place_of(path: str | PathLike[str]) -> Path:
    """Return the path, with `~` replaced by the home folder."""
    return Path(path).expanduser()


def suffix_of(path: Path, allowed: tuple[str, ...] = SUFFIXES) -> str:
    """Return which of the allowed suffixes the path has.

    Raises
    ------
    FileError
        If it has none of them, or nothing before it.
    """
    name = path.name.lower()
    for suffix in allowed:
        if name.endswith(suffix) and name != suffix:
            return suffix
    raise FileError(
        f"{path} ends with {path.suffix!r}; allowed are {listed(allowed)}. Convert the file, or "
        f"choose another name."
    )


def stem_of(path: Path) -> str:
    """Return the name of a file without its suffix: what an image in it is called."""
    return path.name[: -len(suffix_of(path, (*SUFFIXES, *READ_ONLY)))]


def listed(suffixes: tuple[str, ...]) -> str:
    """Return the suffixes as text."""
    return ", ".join(suffixes)
