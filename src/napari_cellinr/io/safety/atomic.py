"""Files, and folders of Zarr, that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.leftovers import recover, remove_leftovers, remove_temporary
from napari_cellinr.io.safety.owned import (
    is_plain_folder,
    move_into_place,
    new_temporary,
    swap_folders,
    sync_folder,
)
from napari_cellinr.io.zarr.parts import ZARR_FILES, remove_zarr, zarr_parts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_place", "is_zarr", "replacing"]

_PATIENCE: Final = 2.0
"""Seconds for which an interrupted folder is removed again and again."""

_PAUSE: Final = 0.2
"""Seconds between two attempts; longer than a chunk takes to be written."""


@contextmanager
def replacing(path: Path, suffix: str) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which becomes `path` if nothing fails.

    Parameters
    ----------
    path
        What is to appear. A file that exists keeps its contents until the very end, and its
        permissions; a link keeps being one. A folder of Zarr that exists is replaced whole, and
        only if it holds nothing but Zarr.
    suffix
        End of the temporary name, because some libraries choose the format by it.

    Raises
    ------
    FileError
        If the file system refuses, for example because the disk is full, or a folder that is to
        be replaced holds other files.
    """
    target = path.resolve()
    recover(target)
    remove_leftovers(target.parent)
    temporary = new_temporary(target.parent, suffix)
    is_placed = False
    try:
        yield temporary
        _flush(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        if temporary.is_dir() and target.exists():
            _check_only_zarr(path, target)
            old = swap_folders(temporary, target)
            is_placed = True
            remove_zarr(old)
        else:
            move_into_place(temporary, target)
            is_placed = True
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose another place, or "
            f"make room there."
        ) from error
    finally:
        if not is_placed:
            _remove(temporary)


def check_place(path: Path, *, folder: bool = False) -> None:
    """Check that a file could be written at `path`, without touching what is there.

    Parameters
    ----------
    path
        What is to appear.
    folder
        Whether that is a folder, which may replace one that holds Zarr and nothing else.

    Raises
    ------
    FileError
        If `path` is a folder or protected, or its folder is missing or cannot be written to.
    """
    target = path.resolve()
    recover(target)
    if folder and target.exists():
        if not is_zarr(target):
            raise FileError(f"{path} exists and is no Zarr; it is left alone. Choose another name.")
        _check_only_zarr(path, target)
    elif target.is_dir():
        raise FileError(f"{path} is a folder; give the name of a file in it.")
    if not target.parent.is_dir():
        raise FileError(
            f"{path} cannot be written: the folder {target.parent} does not exist. Make it "
            f"first, or choose another."
        )
    if target.exists() and not os.access(target, os.W_OK):
        raise FileError(f"{path} is write-protected; choose another name, or allow writing.")
    trial = new_temporary(target.parent)
    try:
        trial.touch(exist_ok=False)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose a folder in which "
            f"you may write."
        ) from error
    except BaseException:  # a signal came when the file was there
        _remove(trial)
        raise
    _remove(trial)


def is_zarr(path: Path) -> bool:
    """Return whether a folder holds a Zarr group or array, of version 2 or 3."""
    return any((path / name).is_file() for name in ZARR_FILES)


def _flush(path: Path) -> None:
    """Wait until the contents are on the disk: a rename must not overtake them."""
    parts = [path] if path.is_file() else [path, *path.rglob("*")]
    for one in parts:
        if one.is_dir():
            sync_folder(one)
            continue
        with one.open("rb+") as file:
            os.fsync(file.fileno())


def _check_only_zarr(path: Path, target: Path) -> None:
    """Raise `FileError` if a folder of Zarr holds anything else, which would vanish with it."""
    try:
        others = zarr_parts(target).others
    except OSError as error:
        raise FileError(
            f"{path} cannot be replaced: {error.strerror or error}. Choose another name."
        ) from error
    if target in others:
        raise FileError(
            f"{path} exists and its metadata are not those of a Zarr; it is left alone. Choose "
            "another name."
        )
    if others:
        raise FileError(
            f"{path} cannot be replaced: it holds {others[0].relative_to(target)}, which is no "
            "part of a Zarr. Move that elsewhere, or choose another name."
        )


def _remove(temporary: Path) -> None:
    """Delete what was not finished, also if a signal comes meanwhile, which it does once."""
    try:
        _try_to_remove(temporary)
    except BaseException:
        _try_to_remove(temporary)
        raise


def _try_to_remove(temporary: Path) -> None:
    """Delete a temporary file or folder.

    Threads of the library zarr that were interrupted may still write for a moment; what they
    write later is removed by the next writer, as everything that a killed process leaves.
    """
    if not os.path.lexists(temporary):
        return
    limit = time.monotonic() + _PATIENCE
    is_folder = is_plain_folder(temporary)
    while time.monotonic() < limit:
        is_gone = remove_temporary(temporary)
        if not is_folder:
            return
        time.sleep(_PAUSE)
        if is_gone and not os.path.lexists(temporary):
            return
