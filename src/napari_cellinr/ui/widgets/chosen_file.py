"""The file that a dialog for saving has returned, with the suffix of its format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_cellinr.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["chosen_file"]


def chosen_file(name: str, suffixes: Sequence[str]) -> Path:
    """Return the file to write, which may replace another only if the dialog has asked for it.

    Parameters
    ----------
    name
        What the dialog returned, with or without a suffix.
    suffixes
        Suffixes that are allowed; the first one is added if there is none of them.

    Raises
    ------
    FileError
        If there is a file of the name with the suffix: the dialog has asked about the name without.
    """
    path = Path(name)
    if path.suffix.lower() in suffixes:
        return path
    path = path.with_name(f"{path.name}{suffixes[0]}")
    if path.exists():
        raise FileError(f"{path} exists; choose it in the dialog to replace it, or another name.")
    return path
