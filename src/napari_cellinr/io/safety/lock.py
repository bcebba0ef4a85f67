"""Locks of folders: which process uses a folder, so that no other one deletes or resumes it.

The folder holds a small file with the number, the start time and the computer of the process. A
process that crashed leaves the file but does not run any more; another process with the same
number has started at another time. Folders of the own process are also known without a file:
before the folder exists, and if two viewers share one process.
"""

from __future__ import annotations

import json
import math
import os
import platform
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psutil

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import place_of
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.io.safety.owned import is_plain_file, remove_files
from napari_cellinr.io.safety.process import is_alive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "HOLDER_FILE",
    "check_free",
    "check_not_of_another",
    "hold",
    "is_held",
    "is_holder_file",
    "is_of_another",
    "mark",
    "release",
]

HOLDER_FILE: Final = "holder.json"
"""Name of the lock file in a folder."""

AWAY: Final = 3600.0
"""Seconds after the last update by a process on another computer, which cannot be queried, up to
which it counts as running: the longest interval of checkpoints that the preferences allow."""

MOST_BYTES: Final = 4096
"""Size up to which such a file is read; a larger one is none."""

_own: set[str] = set()
_lock = threading.Lock()


def check_free(folder: Path) -> None:
    """Check that nobody works in a folder.

    Raises
    ------
    FileError
        If somebody does.
    """
    if is_held(folder):
        raise _in_use(folder)


def hold(folder: Path) -> None:
    """Note that the own process works in a folder, whether it exists already or will be made.

    Raises
    ------
    FileError
        If somebody works in it already, or the file system refuses.
    """
    with _lock:
        if _key(folder) in _own or is_of_another(folder):
            raise _in_use(folder)
        _own.add(_key(folder))
    if folder.is_dir():
        try:
            mark(folder)
        except FileError:
            release(folder)
            raise


def mark(folder: Path) -> None:
    """Write into a folder, which exists, that the own process works in it.

    Raises
    ------
    FileError
        If another process works in it, a file of this name is not ours, or the file system
        refuses.
    """
    check_not_of_another(folder)
    path = folder / HOLDER_FILE
    if os.path.lexists(path) and not is_holder_file(path):
        raise FileError(
            f"{path} was not written by this program and is left alone. Move it elsewhere, or "
            "give another folder."
        )
    who = {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "computer": platform.node(),
    }
    with replacing(path, ".json") as temporary:
        temporary.write_text(json.dumps(who), "utf-8")


def release(folder: Path) -> None:
    """Note that the own process no longer works in a folder; nothing happens if it did not."""
    with _lock:
        if _key(folder) not in _own:
            return
        _own.discard(_key(folder))
    if not is_of_another(folder) and is_holder_file(folder / HOLDER_FILE):
        # Where that fails, a file that names a process which has ended is harmless.
        remove_files([folder / HOLDER_FILE])


def is_held(folder: Path) -> bool:
    """Return whether a process that is alive works in a folder: the own one, or another."""
    with _lock:
        is_own = _key(folder) in _own
    return is_own or is_of_another(folder)


def is_of_another(folder: Path) -> bool:
    """Return whether another process that is alive works in a folder, as far as can be known."""
    who = _holder(folder)
    if who is None or who["pid"] == os.getpid():
        return False
    if who["computer"] != platform.node():
        return abs(time.time() - _last_sign(folder)) < AWAY
    return is_alive(who["pid"], who["started"])


def check_not_of_another(folder: Path) -> None:
    """Check that no other process that is alive works in a folder.

    Raises
    ------
    FileError
        If one does.
    """
    if is_of_another(folder):
        raise _in_use(folder)


def is_holder_file(path: Path) -> bool:
    """Return whether a file is one that `mark` wrote, by its name and what it says."""
    return path.name == HOLDER_FILE and is_plain_file(path) and _holder(path.parent) is not None


def _holder(folder: Path) -> Mapping[str, Any] | None:
    """Return who a folder says that works in it; None if it says nothing that is understood."""
    path = folder / HOLDER_FILE
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        who = json.loads(path.read_text("utf-8"))
        pid, started, computer = who["pid"], float(who["started"]), str(who["computer"])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if not isinstance(pid, int) or pid <= 0 or not math.isfinite(started):
        return None
    return {"pid": pid, "started": started, "computer": computer}


def _last_sign(folder: Path) -> float:
    """Return when something in a folder was last written, as `time.time` counts."""
    try:
        return max(path.stat().st_mtime for path in folder.iterdir())
    except (OSError, ValueError):
        return 0.0


def _in_use(folder: Path) -> FileError:
    who = _holder(folder)
    if who is not None and who["computer"] != platform.node():
        return FileError(
            f"{folder} is in use by a fit on another computer, {who['computer']}. Wait for its "
            f"end, or delete {folder / HOLDER_FILE} if it has ended already."
        )
    return FileError(
        f"{folder} is in use: a fit that runs stores there what it reaches. Wait for its end, or "
        "stop it first; give another folder for another fit."
    )


def _key(folder: Path) -> str:
    """Return one text for a folder, by whatever path it is named."""
    return os.path.normcase(os.path.realpath(place_of(folder)))
