"""Command lines whose files are in the folder of a fault run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def placed(words: Iterable[str], folder: Path, place: Path) -> list[str]:
    """Return a command with the paths of its files.

    Words that begin with "made" are outputs and go into `place`; names of files in `folder` are
    inputs; all others, options and JSON among them, stay as they are.
    """
    inputs = {path.name for path in folder.iterdir() if path.is_file()}
    return [
        str(place / word) if word.startswith("made")
        else str(folder / word) if word in inputs else word
        for word in words
    ]  # fmt: skip
