"""Checkpoints: the state of a running job on the disk, so that it can resume after a crash.

A job is deterministic on the CPU. To resume it, the job is run again from the start: whatever its
checkpoint holds is loaded instead of being computed. So a job only decides what is worth storing,
and `optimise` stores its own state for every method.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from napari_cellinr.config.base import CHECKPOINT_SECONDS
from napari_cellinr.errors import FileError
from napari_cellinr.io.safety import lock
from napari_cellinr.io.safety.checkpoint_folder import IDENTITY, JOB_FILE, CheckpointFolder
from napari_cellinr.io.safety.manifest import identity_of
from napari_cellinr.io.saved_fit import FITTED_SUFFIX, load_fitted, save_fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["JOB_FILE", "Checkpoint", "CheckpointEntry"]

logger = logging.getLogger(__name__)

_JOB = JOB_FILE.removesuffix(FITTED_SUFFIX)

_REQUESTED = "asked for other"
"""Header key of entries stored after a fit has requested initial parameters; from version 0.1."""

Contents = tuple[dict[str, Any], dict[str, Any]]


class Checkpoint:
    """The state of one job: values and tensors in the files of a folder of its own.

    Nothing is written before the job has run for `every` seconds, so that short jobs write no
    files. Only files that a checkpoint wrote are ever deleted or replaced. A checkpoint that cannot
    be written does not end the job: it is a warning, and the next one is tried after `every`
    seconds.

    Parameters
    ----------
    folder
        The folder of the checkpoint, created with the first file. If None, nothing is stored.
    describe
        Returns header and tensors that describe the job; called before the first file is written.
    every
        Seconds between two checkpoints.

    Attributes
    ----------
    scope : str
        The current part of the job.
    saved_steps : dict
        If a fit is continued: state of each optimisation to continue from, tensors by scope.
    initial : dict
        For a warm start: tensors of the other fit by scope, to take initial parameters from.
    initial_requested : bool
        Whether an optimisation has requested initial parameters, now or before an interruption.
    warning : str
        Why the first checkpoint that failed could not be written; empty if none has failed.
    """

    def __init__(
        self,
        folder: Path | None,
        describe: Callable[[], tuple[Mapping[str, Any], Mapping[str, Any]]] | None = None,
        *,
        every: float = CHECKPOINT_SECONDS,
    ) -> None:
        self.folder = folder
        self.every = every
        self.scope = ""
        self.saved_steps: Mapping[str, Mapping[str, NDArray[Any]]] = {}
        self.initial: dict[str, dict[str, NDArray[Any]]] = {}
        self.initial_requested = False
        self.warning = ""
        self._files = None if folder is None else CheckpointFolder(folder)
        self._describe = describe
        self._counts: dict[str, int] = {}
        self._saved = time.monotonic()
        self._is_marked = False
        self._identity = None if folder is None else identity_of(folder)

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self.folder is not None and time.monotonic() - self._saved >= self.every

    @property
    def exists(self) -> bool:
        """Whether anything is stored by this process."""
        if self.folder is None or not (self.folder / JOB_FILE).exists():
            return False
        return self._is_marked or not lock.is_of_another(self.folder)

    @property
    def continued(self) -> Mapping[str, NDArray[Any]] | None:
        """State from which the next optimisation continues, if it is one of a continued fit."""
        return None if self._counts.get("steps") else self.saved_steps.get(self.scope)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the folder while the job runs, so that no other job resumes or deletes it.

        Raises
        ------
        FileError
            If another job uses the folder, or it holds files that are not of a checkpoint.
        """
        if self.folder is None or self._files is None:
            yield
            return
        lock.check_free(self.folder)
        self._files.check_usable(new=False)
        lock.hold(self.folder)
        try:
            yield
        finally:
            lock.release(self.folder)

    def enter(self, scope: str) -> None:
        """Start an independent part of the job, such as `frame-3`, with its own entries."""
        self.scope = scope
        self._counts.clear()

    @contextmanager
    def within(self, scope: str) -> Iterator[None]:
        """Put entries into a scope inside the present one; later ones are numbered as without it.

        So work that some runs do and others do not leaves the names of all other entries alone.

        Parameters
        ----------
        scope
            Name of the part of the job, such as `parts-1`.
        """
        outer, counts = self.scope, dict(self._counts)
        self.enter(".".join(part for part in (outer, scope) if part))
        try:
            yield
        finally:
            self.scope, self._counts = outer, counts

    def holds(self, scope: str) -> bool:
        """Return whether anything is stored for a part of the job."""
        names = () if self._files is None else self._files.names
        return any(name.startswith(f"{scope}.") for name in names)

    def entry(self, kind: str) -> CheckpointEntry:
        """Return the next entry of this kind; a job requests its entries in a fixed order."""
        number = self._counts.get(kind, 0)
        name = ".".join(part for part in (self.scope, kind, str(number)) if part)
        known = self.continued if kind == "steps" else None
        self._counts[kind] = number + 1
        return CheckpointEntry(self, name, known)

    def initial_parameters(self) -> Mapping[str, NDArray[Any]] | None:
        """Return tensors from which an optimisation in the present scope may start, or None.

        If the other fit had fewer frames, those of its last frame.
        """
        self.initial_requested = True
        last = max(self.initial, key=_numbers, default="")
        return self.initial.get(self.scope) or self.initial.get(last)

    def remove_all_but(self, entry: CheckpointEntry) -> None:
        """Delete all entries of the present scope except `entry`, which holds its result.

        Nothing is deleted if `entry` could not be written.
        """
        if self._files is not None and self._files.find(entry.name) is not None:
            start = f"{self.scope}."
            own = [name for name in self._files.names if name.startswith(start)]
            self._files.remove(name for name in own if name != entry.name)

    def write(self, name: str, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Store values and tensors under a name; the file is written completely or not at all.

        Parameters
        ----------
        name
            Name of the entry in the checkpoint.
        header
            Plain values, ready for JSON.
        tensors
            Tensors or NumPy arrays by name.
        """
        if self.folder is None or self._files is None:
            return
        try:
            self._begin(self.folder, self._files)
            if self.initial_requested:
                header = {**header, _REQUESTED: True}
            self._put(self._files, name, header, tensors)
        except (FileError, OSError, MemoryError) as error:
            self._warn(self.folder, error)
        finally:
            self._saved = time.monotonic()

    def keep(self) -> None:
        """Store what the job is, if nothing is stored yet, so that it can be done again."""
        if self.folder is None or self._files is None:
            return
        try:
            self._begin(self.folder, self._files)
        except (FileError, OSError, MemoryError) as error:
            self._warn(self.folder, error)

    def _begin(self, folder: Path, files: CheckpointFolder) -> None:
        """Mark the folder and describe the job in it, unless that is done."""
        self._mark(folder, files)
        if self._describe is not None and not self.exists:
            self._put(files, _JOB, *self._describe())

    def _mark(self, folder: Path, files: CheckpointFolder) -> None:
        """Mark the folder as used by this process, once, and again if it was removed meanwhile."""
        found = identity_of(folder)
        if self._is_marked and found == self._identity:
            return
        lock.check_not_of_another(folder)
        if found not in (None, self._identity):
            raise FileError(f"{folder} holds the checkpoint of another fit.")
        files.claim()
        lock.mark(folder)
        self._is_marked, self._identity = True, files.identity

    def _warn(self, folder: Path, error: Exception) -> None:
        """Note the first failure as a warning of the job, which its progress and report give."""
        text = str(error) or "there is not enough memory."
        logger.info("a checkpoint was not written: %s", text)
        self.warning = self.warning or (
            f"the state of the fit could not be stored in {folder}: {text.rstrip('.')}. The fit is "
            "not affected; after an interruption, it starts again from the last state that was "
            "stored."
        )

    @staticmethod
    def _put(
        files: CheckpointFolder, name: str, header: Mapping[str, Any], tensors: Mapping[str, Any]
    ) -> None:
        """Write one file with the identity of this checkpoint."""
        place = files.place_for(name)
        save_fitted(place, header={**header, IDENTITY: files.identity}, tensors=tensors)

    def read(self, name: str) -> Contents | None:
        """Return what is stored under a name; None if there is nothing or the file is damaged."""
        path = None if self._files is None else self._files.find(name)
        if path is None:
            return None
        try:
            header, tensors = load_fitted(path)
        except FileError:
            return None  # it is computed again
        header.pop(IDENTITY, None)
        if header.pop(_REQUESTED, False):
            self.initial_requested = True
        return header, tensors

    def delete(self) -> None:
        """Delete the checkpoint unless it is another's, or in use; other files stay."""
        if self.folder is None or self._files is None or identity_of(self.folder) != self._identity:
            return
        if self._is_marked or not lock.is_of_another(self.folder):
            try:
                self._files.discard()
            except OSError as error:  # it was removed meanwhile, or its drive was
                logger.info("the checkpoint %s was not deleted: %s", self.folder, error)


def _numbers(scope: str) -> list[int]:
    """Return the numbers in a scope, by which scopes are sorted: frame 10 follows frame 9."""
    return [int(number) for number in re.findall(r"[0-9]+", scope)]


class CheckpointEntry:
    """One entry of a checkpoint.

    Parameters
    ----------
    owner
        The checkpoint.
    name
        Name of the entry.
    known
        Tensors to return if nothing is stored.
    """

    def __init__(
        self, owner: Checkpoint, name: str, known: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self._owner = owner
        self._known = known
        self.name = name

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self._owner.is_due

    @property
    def should_save(self) -> bool:
        """Whether to store now, because a checkpoint exists or is due."""
        return self._owner.is_due or self._owner.exists

    def save(self, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Store plain values and tensors.

        Parameters
        ----------
        header
            Plain values, ready for JSON.
        tensors
            Tensors or NumPy arrays by name.
        """
        self._owner.write(self.name, header, tensors)

    def load(self) -> Contents | None:
        """Return values and tensors, the latter as NumPy arrays, or None."""
        found = self._owner.read(self.name)
        if found is None and self._known is not None:
            return {}, dict(self._known)
        return found
