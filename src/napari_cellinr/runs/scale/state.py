"""Which parts of a plan are finished: one small file for each, in a folder beside the result."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.atomic import replacing
from napari_cellinr.io.safety.owned import remove_empty_folder, remove_files
from napari_cellinr.io.zarr.regions import begin, unfinished
from napari_cellinr.runs.scale.plan import Plan, load_plan, save_plan
from napari_cellinr.text import parsed_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["PLAN_FILE", "State"]

PLAN_FILE: Final = "plan.json"
_STOP: Final = "stop"
_CREATED: Final = "created"
_PATIENCE: Final = 60.0
"""Seconds after which a process that creates the results counts as killed."""


class State:
    """The folder of a plan in which finished parts are noted.

    Parameters
    ----------
    plan
        The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._folder = plan.folder

    def begin(self, *, overwrite: bool = False) -> None:
        """Create the folder and the results, unless this plan has done so before.

        Parameters
        ----------
        overwrite
            Whether other results, and the notes of another plan, are replaced.

        Raises
        ------
        FileError
            If the results are those of another plan, or cannot be written.
        """
        place = self._folder / PLAN_FILE
        if place.is_file() and load_plan(place).identity() != self._plan.identity():
            if not overwrite:
                raise FileError(
                    f"{self._folder} belongs to another plan; resume that one with --resume "
                    f"{self._folder}, or replace it with --overwrite."
                )
            self.forget()
        if place.is_file() and self._is_created:
            self._check_results()
            return
        taken = [path for path in self._plan.places if path.exists()]
        if taken and not overwrite and not self._is_ours(taken[0]):
            raise FileError(
                f"{taken[0]} exists; choose another name, or give --overwrite to replace it."
            )
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise FileError(
                f"{self._folder} cannot be created: {error.strerror or error}. Choose another "
                "place for the result."
            ) from error
        while not self._may_create():
            if self._was_created():
                return
        remove_files(self._notes())  # those of a run that was killed at its very end
        save_plan(self._plan, place)
        for path in self._plan.places:
            begin(path, self._plan.image, self._plan.identity())
        with replacing(self._folder / _CREATED, "") as temporary:
            temporary.write_text("", "utf-8")

    def is_done(self, number: int) -> bool:
        """Return whether a part is finished."""
        return self._note(number).is_file()

    @property
    def done(self) -> set[int]:
        """The numbers of all finished parts."""
        names = self._names()
        return {number for number in range(self._plan.n_parts) if _name(number) in names}

    @property
    def is_complete(self) -> bool:
        """Whether all parts are finished."""
        return len(self.done) == self._plan.n_parts

    def _names(self) -> set[str]:
        """Return the names of the files in the folder; none if it does not exist."""
        try:
            return {entry.name for entry in os.scandir(self._folder)}
        except OSError:
            return set()

    def missing_for(self, frames: Sequence[Mapping[str, int]]) -> list[int]:
        """Return the parts of some frames that are not finished."""
        wanted = {(one.get("C", 0), one.get("T", 0)) for one in frames}
        return [
            number
            for number, part in enumerate(self._plan.parts)
            if any((part.channel, frame) in wanted for frame in range(*part.frames))
            and not self.is_done(number)
        ]

    def note(self, number: int, facts: Mapping[str, Any]) -> None:
        """Note that a part is finished and on the disk.

        Parameters
        ----------
        number
            Of the part.
        facts
            About it, ready for JSON.
        """
        with replacing(self._note(number), ".json") as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")

    def bands(self, number: int, role: str) -> Path:
        """Return the file in which a tile keeps its edges until they are blended.

        Parameters
        ----------
        number
            Of the part.
        role
            Of the result.
        """
        return self._folder / f"edges-{number:06d}-{role}.npy"

    def warnings_of(self, number: int) -> list[str]:
        """Return the warnings of a finished part."""
        try:
            facts = parsed_json(self._note(number).read_text("utf-8"))
            return [str(text) for text in facts["warnings"]]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def notes(self) -> dict[int, dict[str, Any]]:
        """Return what was noted about each finished part, by its number."""
        found = {}
        for number in range(self._plan.n_parts):
            try:
                found[number] = dict(parsed_json(self._note(number).read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                continue  # not finished
        return found

    @property
    def is_stopped(self) -> bool:
        """Whether the run was stopped, so that workers elsewhere end their parts."""
        return (self._folder / _STOP).exists()

    def stop(self) -> None:
        """Let workers end their parts, wherever they are."""
        if self._folder.is_dir():
            (self._folder / _STOP).touch()

    def go(self) -> None:
        """Let workers compute parts again."""
        remove_files([self._folder / _STOP])

    def forget(self) -> None:
        """Delete the folder, of which only files that were written here are deleted."""
        remove_files(self._folder / name for name in (_CREATED, PLAN_FILE, _STOP))
        remove_files([self._lock, *self._notes()])
        remove_empty_folder(self._folder)

    @property
    def _is_created(self) -> bool:
        return (self._folder / _CREATED).is_file()

    def _notes(self) -> list[Path]:
        """Return the notes of finished parts, and the edges of tiles."""
        return [*self._folder.glob("part-*.json"), *self._folder.glob("edges-*.npy")]

    def _check_results(self) -> None:
        """Raise `FileError` if a result is no longer that of this plan."""
        expected = {self._plan.identity(), *([""] if self.is_complete else [])}
        for path in self._plan.places:
            if unfinished(path) not in expected:
                raise FileError(
                    f"{path} is not the result of this plan any more; delete {self._folder}, and "
                    "begin again."
                )

    def _is_ours(self, path: Path) -> bool:
        try:
            return unfinished(path) == self._plan.identity()
        except FileError:
            return False

    def _may_create(self) -> bool:
        """Return whether this process, and no other, creates the results."""
        try:
            with self._lock.open("x", encoding="utf-8"):
                return True
        except FileExistsError:
            return False

    def _was_created(self) -> bool:
        """Wait for the process that creates the results; False if it was killed meanwhile."""
        lock, begun = self._changed(), time.monotonic()
        while not self._is_created:
            if self._changed() != lock:  # another process has taken its place
                return False
            if time.monotonic() > begun + _PATIENCE:
                remove_files([self._lock])
                return False
            time.sleep(0.2)
        return True

    def _changed(self) -> int:
        """Return when the lock was made; 0 if there is none."""
        try:
            return self._lock.stat().st_mtime_ns
        except OSError:
            return 0

    @property
    def _lock(self) -> Path:
        return self._folder / f"{_CREATED}.lock"

    def _note(self, number: int) -> Path:
        return self._folder / _name(number)


def _name(number: int) -> str:
    return f"part-{number:06d}.json"
