r"""Paths of a macro on this system: one that was written on Windows has `\` between folders."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.names import ADDRESSES

if TYPE_CHECKING:
    from napari_cellinr.macro.steps import Macro, Step

__all__ = ["HINT", "check_typed", "has_drive", "with_local_paths"]

HINT: Final = 'Write \\\\ or / instead of \\ in paths, or r"…".'
"""What to do about a backslash in a text of Python."""

_WRITTEN: Final = ("path", "parts")
"""Arguments of steps that name a file to write."""


def has_drive(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a drive or a server of Windows on a system without drives.

    Parameters
    ----------
    path
        The path, such as `C:/out/a.tif`, `C:a.tif` or `//server/share/a.tif`.
    """
    return os.name != "nt" and PureWindowsPath(os.fspath(path)).drive != ""


def with_local_paths(macro: Macro) -> Macro:
    r"""Return a macro whose paths have the separators of this system.

    Parameters
    ----------
    macro
        The steps. On a system other than Windows, `\` in their paths separates folders, but not
        in the whole name of an existing file that is read.
    """
    return replace(macro, steps=tuple(map(_with_local_paths, macro.steps)))


def check_typed(step: Step) -> None:
    r"""Check that `\n` or another escape did not become a character in a path of a script.

    Parameters
    ----------
    step
        The step, as the script says it.

    Raises
    ------
    FileError
        If a path has a control character, such as a line break.
    """
    written = [step.arguments[name] for name in _WRITTEN if name in step.arguments]
    read = [text for source in step.sources for text in (source.path, *source.files)]
    for path in (*read, *written):
        if any(character < " " for character in path):
            raise FileError(
                f"the path {path!a} has a control character; \\ begins an escape such as \\n in "
                f"a text of Python. {HINT}"
            )


def _with_local_paths(step: Step) -> Step:
    if os.name == "nt":
        return step
    sources = tuple(
        source
        if source.path.startswith(ADDRESSES) or os.access(source.path, os.F_OK)  # of this name
        else replace(source, path=_separated(source.path))
        for source in step.sources
    )
    written = {
        name: _separated(step.arguments[name]) for name in _WRITTEN if name in step.arguments
    }
    return replace(step, sources=sources, arguments={**step.arguments, **written})


def _separated(path: str) -> str:
    return path.replace("\\", "/")
