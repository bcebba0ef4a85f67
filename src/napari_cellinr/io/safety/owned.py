"""The only module of the package that deletes, renames or replaces files and folders.

Everything here is given by exact path; nothing is found by a pattern and no folder is emptied.
Callers name only files that the package wrote itself: temporary files, what the manifest of a
checkpoint lists, and the parts of a Zarr hierarchy. Links are never followed and never deleted. A
folder is deleted only if it is empty.
"""

from __future__ import annotations

import secrets
import stat
from typing import TYPE_CHECKING, Final

from napari_cellinr.io.safety.manifest import identity_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "TEMPORARY",
    "is_plain_file",
    "is_plain_folder",
    "move_into_place",
    "new_temporary",
    "remove_empty_folder",
    "remove_files",
    "swap_folders",
]

TEMPORARY: Final = ".cellinr-"
"""Begins the names of all temporary files and folders."""


def new_temporary(folder: Path, suffix: str = "") -> Path:
    """Return a name for a temporary file in a folder, which no other file has.

    In the folder of a checkpoint, the name holds the identity of that checkpoint, to recognise a
    file that a crash left behind.

    Parameters
    ----------
    folder
        The folder.
    suffix
        End of the name.
    """
    mark = identity_of(folder)
    start = TEMPORARY if mark is None else f"{TEMPORARY}{mark}-"
    return folder / f"{start}{secrets.token_hex(6)}{suffix}"


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a regular file, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_plain_folder(path: Path) -> bool:
    """Return whether a path is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def remove_files(paths: Iterable[Path]) -> None:
    """Delete files that the package wrote; what is no regular file, or is protected, stays."""
    for path in paths:
        if is_plain_file(path):
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue  # a file too many is better than an error after a fit


def remove_empty_folder(path: Path) -> bool:
    """Delete a folder if it is empty and no link; return whether it is gone."""
    if not is_plain_folder(path):
        return False
    try:
        path.rmdir()
    except OSError:
        return False
    return True


def move_into_place(temporary: Path, target: Path) -> None:
    """Give a finished temporary file or folder its name; a file of that name is replaced.

    Parameters
    ----------
    temporary
        From `new_temporary`.
    target
        In the same folder. A folder of that name is not replaced.

    Raises
    ------
    OSError
        If the file system refuses.
    """
    _check_temporary(temporary)
    temporary.replace(target)


def swap_folders(temporary: Path, target: Path) -> Path:
    """Put a finished temporary folder in the place of another; return where that is now.

    Parameters
    ----------
    temporary
        From `new_temporary`.
    target
        A folder, of which nothing is deleted.

    Raises
    ------
    OSError
        If the file system refuses; then both are where they were.
    """
    _check_temporary(temporary)
    old = new_temporary(target.parent)
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    return old


def _check_temporary(path: Path) -> None:
    if not path.name.startswith(TEMPORARY):
        raise ValueError(f"{path} is no temporary file of this package; it is left alone")
