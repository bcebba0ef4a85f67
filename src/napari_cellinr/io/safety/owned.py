"""The only module of the package that deletes, renames or replaces files and folders.

Everything here is given by exact path; nothing is found by a pattern and no folder is emptied.
Callers name only files that the package wrote itself: temporary files, what the manifest of a
checkpoint lists, and the parts of a Zarr hierarchy. Links are never followed and never deleted. A
folder is deleted only if it is empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING, Final

from napari_cellinr.io.safety.manifest import identity_of
from napari_cellinr.io.safety.process import this_process

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "TEMPORARY",
    "is_plain_file",
    "is_plain_folder",
    "move_into_place",
    "new_temporary",
    "put_back",
    "remove_empty_folder",
    "remove_files",
    "replaced_mark",
    "swap_folders",
    "sync_folder",
]

TEMPORARY: Final = ".cellinr-"
"""Begins the names of all temporary files and folders."""

_HERE: Final = -100
"""AT_FDCWD of Linux: paths are as the process sees them (`man 2 renameat2`)."""

_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of Linux."""

_CANNOT: Final = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)
"""Errors of kernels, sandboxes and file systems that cannot exchange two names."""


def new_temporary(folder: Path, suffix: str = "") -> Path:
    """Return a name for a temporary file in a folder, which no other file has.

    It names the process, so that others know whether the file is still needed. In the folder of a
    checkpoint, the name holds the identity of that checkpoint, to recognise a
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
    return folder / f"{start}{this_process().mark}-{secrets.token_hex(6)}{suffix}"


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
    sync_folder(target.parent)


def swap_folders(temporary: Path, target: Path) -> Path:
    """Put a finished temporary folder in the place of another; return where that is now.

    At every moment, either folder is at `target`, where the system can exchange two names at once
    (Linux). Elsewhere the process may be killed when nothing is there; then the name of the old
    folder says what it was, for `leftovers.recover`.

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
    if _exchange(temporary, target):
        sync_folder(target.parent)
        return temporary
    old = new_temporary(target.parent, replaced_mark(target))
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    sync_folder(target.parent)
    return old


def replaced_mark(target: Path) -> str:
    """Return the end of the temporary name of a folder that is being replaced."""
    return f"-replaced-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}"


def put_back(old: Path, target: Path) -> None:
    """Give a folder its name again that was being replaced when the process was killed.

    Parameters
    ----------
    old
        The folder, with a name from `swap_folders`.
    target
        Its name before; nothing is done if that is taken.
    """
    _check_temporary(old)
    if not os.path.lexists(target):
        with contextlib.suppress(OSError):
            old.rename(target)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step; return False where that is not possible."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # another C library
        return False
    if renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can say so."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows does not open folders
        return
    try:
        os.fsync(number)
    except OSError:  # some file systems do not flush folders
        pass
    finally:
        os.close(number)


def _check_temporary(path: Path) -> None:
    if not path.name.startswith(TEMPORARY):
        raise ValueError(f"{path} is no temporary file of this package; it is left alone")
