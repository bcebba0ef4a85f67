"""Small JSON files that the processes of one run write into a folder; each names its run."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.io.safety.owned import is_plain_file
from napari_cellinr.text import parsed_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["RUN", "Notes", "read_note"]

RUN: Final = "run"
"""Key of the run in the contents of a note."""

_MOST_BYTES: Final = 2**24


class Notes:
    """Notes of one run in a folder, where files of others are left as they are.

    A note is found by its name, and is ours only if its contents name the run. If a file of
    somebody else has the name, the note is written as `part+2.json` instead of `part.json`.

    Parameters
    ----------
    folder
        The folder, which need not exist.
    run
        A text that no other run has.
    is_old
        Returns whether a plain file, which names no run, is a note of a version without names.
    """

    def __init__(
        self, folder: Path, run: str, is_old: Callable[[Path], bool] = lambda _: False
    ) -> None:
        self._folder, self._run, self._is_old = folder, run, is_old

    def find(self, name: str) -> Path | None:
        """Return the file of a note, or None if it is not there or not ours."""
        for path in self._candidates(name):
            if not os.path.lexists(path):
                return None
            if self._is_ours(path):
                return path
        return None

    def read(self, name: str) -> dict[str, Any] | None:
        """Return what a note says; None if it is not there or not ours."""
        path = self.find(name)
        return None if path is None else read_note(path)

    def write(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write a note, which appears complete or not at all; no file of others is replaced.

        Parameters
        ----------
        name
            Name of the file.
        facts
            Ready for JSON.

        Raises
        ------
        FileError
            If the file system refuses.
        """
        place = next(
            path
            for path in self._candidates(name)
            if not os.path.lexists(path) or self._is_ours(path)
        )
        with replacing(place, ".json") as temporary:
            temporary.write_text(json.dumps({RUN: self._run, **facts}), encoding="utf-8")

    def _candidates(self, name: str) -> Iterator[Path]:
        """Yield the paths that a note may have, without end."""
        path = self._folder / name
        yield path
        for number in itertools.count(2):
            yield path.with_name(f"{path.stem}+{number}{path.suffix}")

    def _is_ours(self, path: Path) -> bool:
        facts = read_note(path)
        if facts is not None and RUN in facts:
            return bool(facts[RUN] == self._run)
        return is_plain_file(path) and self._is_old(path)


def read_note(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a plain file; None if there is none. Links are not followed."""
    try:
        if not is_plain_file(path) or path.stat().st_size > _MOST_BYTES:
            return None
        facts = parsed_json(path.read_text("utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
