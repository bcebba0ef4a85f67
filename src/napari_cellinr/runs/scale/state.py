"""Which parts of a plan are finished: one small file for each, in a folder beside the result."""

from __future__ import annotations

import math
import os
import re
import time
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.notes import RUN, Notes, read_note
from napari_cellinr.io.safety.owned import is_plain_file, remove_empty_folder, remove_files
from napari_cellinr.io.zarr.regions import begin, unfinished
from napari_cellinr.runs.scale.plan import OtherVersionError, Plan, load_plan, save_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["PLAN_FILE", "State"]

PLAN_FILE: Final = "plan.json"
_MANIFEST: Final = "cellinr-parts.json"
_STOP: Final = "stop"
_CREATED: Final = "created"
_COMPARED: Final = "compared"
_OLD_LOCK: Final = "created.lock"
_FORMAT: Final = "napari-cellinr parts 1"
_RUNS: Final = re.compile("[0-9a-f]{32}")
_ROLE: Final = re.compile("[a-z-]{1,20}")
_MOST_PARTS: Final = 10**6
"""Of a manifest of another plan; nobody else makes a manifest that takes long."""

_PATIENCE: Final = 60.0
"""Seconds after which a process that creates the results counts as killed."""


class State:
    """The folder of a plan in which finished parts are noted.

    The manifest says whose the folder is, and with the plan it gives the names of all files. Only
    files of these names whose contents name the plan are read, replaced or deleted.

    Parameters
    ----------
    plan
        The plan.
    folder
        Where it is noted; beside the first result if not given.
    """

    def __init__(self, plan: Plan, folder: Path | None = None) -> None:
        self._plan = plan
        self._folder = plan.folder if folder is None else folder
        self._identity = plan.identity()
        self._notes = Notes(self._folder, self._identity, self._is_old_note)
        self._is_old: bool | None = None

    def begin(self, *, overwrite: bool = False) -> None:
        """Create the folder and the results, unless this plan has done so before.

        Parameters
        ----------
        overwrite
            Whether other results, and the notes of another plan, are replaced; also those of this
            plan if its results are gone or damaged.

        Raises
        ------
        FileError
            If the results are those of another plan, or cannot be written.
        """
        place, self._is_old = self._folder / PLAN_FILE, None
        if os.path.lexists(place):
            self._check_plan(place, overwrite=overwrite)
        if place.is_file() and self.is_begun:
            try:
                self._check_results()
            except FileError:
                if not overwrite:
                    raise
                self.forget()
            else:
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
        self._clear()
        facts = {"parts": self._plan.n_parts, "roles": list(self._plan.outputs)}
        self._notes.write(_MANIFEST, {"format": _FORMAT, **facts})
        save_plan(self._plan, place)
        for path in self._plan.places:
            begin(path, self._plan.image, self._identity)
        self._notes.write(_CREATED, {})

    @property
    def is_begun(self) -> bool:
        """Whether the results were created, and have not been completed."""
        return self._notes.find(_CREATED) is not None

    def is_done(self, number: int) -> bool:
        """Return whether a part is finished."""
        return self._notes.find(_name(number)) is not None

    @property
    def done(self) -> set[int]:
        """The numbers of all finished parts."""
        return {number for number in self._named() if self.is_done(number)}

    @property
    def is_complete(self) -> bool:
        """Whether all parts are finished."""
        n_parts = self._plan.n_parts  # most often, the names alone show that some are missing
        return len(self._named()) == n_parts and len(self.done) == n_parts

    def _named(self) -> list[int]:
        """Return the parts of which there is a file of the name of the note."""
        try:
            names = {entry.name for entry in os.scandir(self._folder)}
        except OSError:
            return []
        return [number for number in range(self._plan.n_parts) if _name(number) in names]

    def parts_of(self, frames: Sequence[Mapping[str, int]]) -> list[int]:
        """Return the parts that compute some frames, finished or not."""
        wanted = {(one.get("C", 0), one.get("T", 0)) for one in frames}
        return [
            number
            for number, part in enumerate(self._plan.parts)
            if any((part.channel, frame) in wanted for frame in range(*part.frames))
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
        self._notes.write(_name(number), facts)

    def bands(self, number: int, role: str) -> Path:
        """Return the file in which a tile keeps its edges until they are blended.

        Parameters
        ----------
        number
            Of the part.
        role
            Of the result.
        """
        return self._folder / _edges(self._identity, number, role)

    def facts(self, number: int) -> dict[str, Any]:
        """Return what was noted about a part; nothing if it is not finished."""
        return self._notes.read(_name(number)) or {}

    def time_of(self, number: int) -> float:
        """Return when a part was finished, as of `time.time`; infinite if that was not noted."""
        found = self.facts(number).get("time")
        return float(found) if isinstance(found, int | float) else math.inf

    def warnings_of(self, number: int) -> list[str]:
        """Return the warnings of a finished part."""
        found = self.facts(number).get("warnings", ())
        return [str(text) for text in found] if isinstance(found, list) else []

    def notes(self) -> dict[int, dict[str, Any]]:
        """Return what was noted about each finished part, by its number."""
        found = {number: self._notes.read(_name(number)) for number in range(self._plan.n_parts)}
        return {number: facts for number, facts in found.items() if facts is not None}

    @property
    def compared(self) -> str:
        """Stamp of the recording with which the finished parts were compared last."""
        return str((self._notes.read(_COMPARED) or {}).get("stamp", ""))

    def note_compared(self, stamp: str) -> None:
        """Note that finished parts have read what the recording holds now.

        Parameters
        ----------
        stamp
            Of the recording.
        """
        self._notes.write(_COMPARED, {"stamp": stamp})

    @property
    def is_stopped(self) -> bool:
        """Whether the run was stopped, so that workers elsewhere end their parts."""
        return self._notes.find(_STOP) is not None

    def stop(self) -> None:
        """Let workers end their parts, wherever they are."""
        if self._folder.is_dir():
            self._notes.write(_STOP, {})

    def go(self) -> None:
        """Let workers compute parts again."""
        self._remove(_STOP)

    def forget(self) -> None:
        """Delete our files, and then the folder if nothing else is in it."""
        place, notes = self._folder / PLAN_FILE, self._written()
        self._remove(_CREATED)  # from here on, the results would be created again
        if self._is_of_plan(place):
            remove_files([place])
        remove_files([self._lock])
        remove_files(notes)
        remove_empty_folder(self._folder)

    def _remove(self, name: str) -> None:
        """Delete a note of this plan, if it is there."""
        remove_files([path for path in [self._notes.find(name)] if path is not None])

    def _written(self) -> list[Path]:
        """Return the notes of this plan that are there; the manifest, which lists them, is last."""
        n_parts = self._plan.n_parts
        names = (_STOP, _COMPARED, _OLD_LOCK, *map(_name, range(n_parts)), _MANIFEST)
        edges = _kept_edges(self._folder, self._identity, n_parts, self._plan.outputs)
        return [*edges, *_found(self._notes, names)]

    def _clear(self) -> None:
        """Delete the notes of a run that was killed while it began or ended."""
        manifest = read_note(self._folder / _MANIFEST) or {}
        run, n_parts = manifest.get(RUN), manifest.get("parts")
        is_known = manifest.get("format") == _FORMAT and _RUNS.fullmatch(str(run))
        if is_known and isinstance(n_parts, int) and run != self._identity:
            run = str(run)
            remove_files([self._folder / _lock(run)])
            n_parts = min(n_parts, _MOST_PARTS)
            roles = found if isinstance(found := manifest.get("roles"), list) else []
            known = [role for role in roles if _ROLE.fullmatch(str(role))]
            remove_files(_kept_edges(self._folder, run, n_parts, known))
            names = (_CREATED, _STOP, _COMPARED, *map(_name, range(n_parts)), _MANIFEST)
            remove_files(_found(Notes(self._folder, run), names))
        remove_files(self._written())
        self._is_old = False

    def _is_old_note(self, path: Path) -> bool:
        """Return whether a file is a note of this plan from before notes named their plan."""
        if path.name.startswith(_MANIFEST.removesuffix(".json")):
            return False
        if self._is_old is None:
            self._is_old = self._notes.find(_MANIFEST) is None and self._is_of_plan(
                self._folder / PLAN_FILE
            )
        if not self._is_old:
            return False
        if path.name in {_CREATED, _STOP, _OLD_LOCK}:
            return path.stat().st_size == 0
        return {"seconds", "warnings"} <= (read_note(path) or {}).keys()

    def _is_of_plan(self, place: Path) -> bool:
        """Return whether a plain file holds this plan."""
        try:
            return is_plain_file(place) and load_plan(place).identity() == self._identity
        except FileError:
            return False

    def _check_plan(self, place: Path, *, overwrite: bool) -> None:
        """Raise `FileError` if a file is not this plan; another one is forgotten if `overwrite`."""
        if not is_plain_file(place):
            raise FileError(f"{place} is no plain file; move it elsewhere, and begin again.")
        try:
            found = load_plan(place)
        except OtherVersionError:
            if not overwrite:
                raise
            return  # its notes are deleted by their manifest
        if found.identity() == self._identity:
            return
        if not overwrite:
            raise FileError(
                f"{self._folder} belongs to another plan; resume that one with --resume "
                f"{self._folder}, or replace it with --overwrite."
            )
        State(found, self._folder).forget()

    def _check_results(self) -> None:
        """Raise `FileError` if a result is no longer that of this plan."""
        expected = {self._identity, *([""] if self.is_complete else [])}
        for path in self._plan.places:
            if unfinished(path) not in expected:
                raise FileError(
                    f"{path} is not the result of this plan any more; delete {self._folder}, and "
                    "begin again."
                )

    def _is_ours(self, path: Path) -> bool:
        try:
            return unfinished(path) == self._identity
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
        while not self.is_begun:
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
        return self._folder / _lock(self._identity)


def _found(notes: Notes, names: Iterable[str]) -> list[Path]:
    return [path for name in names if (path := notes.find(name)) is not None]


def _lock(run: str) -> str:
    return f"{_CREATED}.{run}.lock"


def _name(number: int) -> str:
    return f"part-{number:06d}.json"


def _edges(run: str, number: int, role: str) -> str:
    return f"edges-{run}-{number:06d}-{role}.npy"


def _kept_edges(folder: Path, run: str, n_parts: int, roles: Iterable[str]) -> list[Path]:
    """Return the files of a run in which tiles have kept their edges; their names hold the run."""
    names = (_edges(run, number, role) for role in roles for number in range(n_parts))
    return [path for name in names if is_plain_file(path := folder / name)]
