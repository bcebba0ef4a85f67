"""Files, and folders of Zarr, that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_place", "is_zarr", "replacing"]

ZARR_FILES = (".zgroup", ".zarray", "zarr.json")
"""What one of is in every Zarr group and array."""


@contextmanager
def replacing(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which becomes `path` if nothing fails.

    Parameters
    ----------
    path
        What is to appear. A file that exists keeps its contents until the very end, and its
        permissions; a link keeps being one.
    suffix
        End of the temporary name, because some libraries choose the format by it.

    Raises
    ------
    FileError
        If the file system refuses, for example because the disk is full.
    """
    target = path.resolve()
    temporary = _temporary(target.parent, suffix)
    try:
        yield temporary
        _flush(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        if temporary.is_dir() and target.exists():
            _replace_folder(target, temporary)
        else:
            temporary.replace(target)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose another place, or "
            f"make room there."
        ) from error
    finally:
        _remove(temporary)


def check_place(path: Path, *, folder: bool = False) -> None:
    """Check that a file could be written at `path`, without touching what is there.

    Parameters
    ----------
    path
        What is to appear.
    folder
        Whether that is a folder, which may replace one of Zarr, but no other.

    Raises
    ------
    FileError
        If `path` is a folder or protected, or its folder is missing or cannot be written to.
    """
    target = path.resolve()
    if folder and target.exists():
        if not is_zarr(target):
            raise FileError(f"{path} exists and is no Zarr; it is left alone. Choose another name.")
    elif target.is_dir():
        raise FileError(f"{path} is a folder; give the name of a file in it.")
    if not target.parent.is_dir():
        raise FileError(
            f"{path} cannot be written: the folder {target.parent} does not exist. Make it "
            f"first, or choose another."
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise FileError(f"{path} is write-protected; choose another name, or allow writing.")
    trial = _temporary(target.parent, "")
    try:
        trial.touch(exist_ok=False)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose a folder in which "
            f"you may write."
        ) from error
    finally:
        trial.unlink(missing_ok=True)


def _temporary(folder: Path, suffix: str) -> Path:
    return folder / f".cellinr-{secrets.token_hex(6)}{suffix}"


def is_zarr(path: Path) -> bool:
    """Return whether a folder holds a Zarr group or array, of version 2 or 3."""
    return any((path / name).is_file() for name in ZARR_FILES)


def _flush(path: Path) -> None:
    """Wait until the contents are on the disk: a rename must not overtake them."""
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    for one in files:
        with one.open("rb+") as file:
            os.fsync(file.fileno())


def _replace_folder(target: Path, temporary: Path) -> None:
    """Put a folder in the place of another, which is removed only afterwards."""
    old = _temporary(target.parent, "")
    target.replace(old)
    try:
        temporary.replace(target)
    except OSError:
        old.replace(target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
