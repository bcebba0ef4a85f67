"""File name extensions that can be read and written."""

from __future__ import annotations

import errno
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from napari_cellinr.errors import FileError
from napari_cellinr.text import shortened_text

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "ADDRESSES",
    "ARCHIVE",
    "MICROSCOPES",
    "READ_ONLY",
    "SUFFIXES",
    "listed",
    "place_of",
    "stem_of",
    "suffix_of",
    "too_long",
    "without_secrets",
]

SUFFIXES = (
    ".ome.tif", ".ome.tiff", ".tif", ".tiff", ".nii.gz", ".nii", ".ome.zarr", ".zarr",
)  # fmt: skip
"""Extensions of the files and folders that can be read and written, longer ones first."""

ARCHIVE = ".ozx"
"""Extension of an OME-Zarr in one archive, which can only be read."""

ADDRESSES = ("https://", "http://", "s3://")
"""Beginnings of the addresses at which an OME-Zarr can be read."""

MICROSCOPES = (".czi", ".nd2", ".lif", ".ims", ".mrc", ".map", ".rec", ".dv", ".r3d")
"""Extensions of the files of microscopes that can only be read; `io.formats` says by what."""

READ_ONLY = (
    ".ome.btf", ".ome.tf2", ".ome.tf8", ".btf", ".tf2", ".tf8", ".stk", ".lsm", ARCHIVE,
    *MICROSCOPES,
)  # fmt: skip
"""Extensions of the files that can only be read, the first ones kinds of TIFF."""


def without_secrets(address: str) -> str:
    """Return an address without user, password and parameters, so that it can be written down.

    Parameters
    ----------
    address
        A text; what is no address is returned as it is.
    """
    if not address.startswith(ADDRESSES):
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return address.partition("?")[0]
    server = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, server, parts.path, "", ""))


def place_of(path: str | PathLike[str]) -> Path:
    """Return the path with `~` replaced by the home folder.

    The path is returned as it is if there is no such user: a file name may start with `~`.

    Raises
    ------
    FileError
        If it is empty, longer than the system allows, or has characters that no file name may
        have: NUL, or half of a surrogate pair.
    """
    if not os.fspath(path):
        raise FileError("an empty name was given; give the name of a file, such as image.tif.")
    try:
        allowed = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        allowed = False
    if not allowed:
        raise FileError(
            f"{os.fspath(path)!a} has a character that no file name may have; correct the name."
        )
    try:
        place = Path(path).expanduser()
    except RuntimeError:
        place = Path(path)
    try:
        os.lstat(place)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise too_long(place) from None
    return place


def too_long(path: str | PathLike[str]) -> FileError:
    """Return the error about a file name that is longer than the system allows."""
    name = PurePath(path).name
    return FileError(
        f"the name {shortened_text(name, 40)!r} of {len(os.fsencode(name))} bytes, or the path to "
        "it, is too long for this system; choose a shorter one."
    )


def suffix_of(path: PurePath, allowed: tuple[str, ...] = SUFFIXES) -> str:
    """Return the extension of a path, in lower case.

    Parameters
    ----------
    path
        File or folder, which need not exist.
    allowed
        Extensions in lower case; of two that fit, the first is returned.

    Raises
    ------
    FileError
        If it has none of them, or the name is nothing but the extension.
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
    """Return the file name without its extension: the name of the image in it."""
    return path.name[: -len(suffix_of(path, (*SUFFIXES, *READ_ONLY)))]


def listed(suffixes: tuple[str, ...]) -> str:
    """Return the extensions as text, separated by commas."""
    return ", ".join(suffixes)
