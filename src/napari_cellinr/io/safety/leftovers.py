"""Temporary files whose writer was killed: they are found by their names, and removed or put back.

Files of a process that may still run, on this computer or another one, are never touched.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from napari_cellinr.io.safety.owned import (
    TEMPORARY,
    is_plain_folder,
    put_back,
    remove_files,
    replaced_mark,
)
from napari_cellinr.io.safety.process import Writer
from napari_cellinr.io.zarr.parts import remove_zarr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["recover", "remove_leftovers", "remove_temporary"]

_NAME: Final = re.compile(
    re.escape(TEMPORARY) + r"([0-9a-f]{16}-)?(?P<mark>p[0-9]+s[0-9]+h[0-9a-f]{8})-[0-9a-f]{12}"
    r"(?P<rest>|\.[a-z.]{1,12}|-replaced-[0-9a-f]{16})"
)
"""Names as `owned.new_temporary` makes them."""


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files in a folder whose writer has ended without doing so."""
    for path, rest in _left(folder):
        if not rest.startswith("-replaced-"):
            remove_temporary(path)


def recover(target: Path) -> None:
    """Undo the replacement of a folder whose writer was killed, unless it was finished.

    Parameters
    ----------
    target
        The folder that was being replaced; afterwards it has its old or its new contents.
    """
    mark = replaced_mark(target)
    for path, rest in _left(target.parent):
        if rest != mark:
            continue
        if os.path.lexists(target):
            remove_temporary(path)
        else:
            put_back(path, target)


def remove_temporary(path: Path) -> bool:
    """Delete a temporary file, or a folder as far as it is Zarr; return whether it is gone."""
    if is_plain_folder(path):
        return remove_zarr(path, unfinished=True)
    remove_files([path])
    return not os.path.lexists(path)


def _left(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield what writers that have ended left in a folder, with the ends of their names."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(TEMPORARY)]
    except OSError:
        return
    for name in names:
        found = _NAME.fullmatch(name)
        writer = None if found is None else Writer.of_mark(found["mark"])
        if found is not None and writer is not None and writer.is_gone:
            yield folder / name, found["rest"]
