"""Checkpoints: what a running job has reached, on the disk, so that it can go on after a crash.

A job is deterministic on the CPU. It is resumed by running it again from the beginning with its
checkpoint at hand: whatever is stored there is taken instead of being computed. So a job needs
to say only what is worth storing, and the loop of `optimise` does that for every method.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety import lock as holder
from napari_cellinr.io.safety.checkpoint_folder import IDENTITY, JOB_FILE, CheckpointFolder
from napari_cellinr.io.saved_fit import FITTED_SUFFIX, load_fitted, save_fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.fitting.problem import Message, Progress

__all__ = ["EVERY", "JOB_FILE", "Keeper", "Place", "keeper", "keeping"]

EVERY = 60.0
"""Seconds between two checkpoints, if nothing else is said."""

_JOB = JOB_FILE.removesuffix(FITTED_SUFFIX)

_ASKED = "asked for other"
"""Note in what is stored after a loop has asked what other fit it is to begin with."""

Contents = tuple[dict[str, Any], dict[str, Any]]
Result = TypeVar("Result")

_current: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


class Keeper:
    """The checkpoint of one job: values and tensors in the files of a folder of its own.

    Nothing is written before the job has run for `every` seconds, so that short jobs leave no
    trace. Only files that a checkpoint wrote are ever deleted or replaced.

    Parameters
    ----------
    folder
        The folder of the checkpoint itself, made when something is to be stored. If not given,
        nothing is.
    describe
        Gives header and tensors that say which job it is; called before the first checkpoint.
    every
        Seconds between two checkpoints.

    Attributes
    ----------
    asked_for_other
        Whether a loop has asked what other fit it is to begin with, be it before an interruption.
    """

    def __init__(
        self,
        folder: Path | None,
        describe: Callable[[], tuple[Mapping[str, Any], Mapping[str, Any]]] | None = None,
        *,
        every: float = EVERY,
    ) -> None:
        self.folder = folder
        self.every = every
        self._files = None if folder is None else CheckpointFolder(folder)
        self._describe = describe
        self._known: dict[str, Mapping[str, NDArray[Any]]] = {}
        self._others: dict[str, Mapping[str, NDArray[Any]]] = {}
        self.scope = ""
        self.asked_for_other = False
        self._counts: dict[str, int] = {}
        self._saved = time.monotonic()
        self._is_marked = False

    def know(
        self,
        steps: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        others: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
    ) -> None:
        """Let the loops of a job go on, or begin, with those of a fit that was kept.

        Parameters
        ----------
        steps
            Tensors by scope that the loop there goes on with, as if it had stored them.
        others
            Tensors by scope of the loops of another fit, whose parameters are to begin with.
        """
        self._known.update(steps or {})
        self._others.update(others or {})

    @property
    def is_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self.folder is not None and time.monotonic() - self._saved >= self.every

    @property
    def has_begun(self) -> bool:
        """Whether anything is stored, and not by a job of another process."""
        if self.folder is None or not (self.folder / JOB_FILE).exists():
            return False
        return self._is_marked or not holder.is_of_another(self.folder)

    def hold(self) -> None:
        """Say that a job works in the folder, so that nobody takes it for interrupted.

        Raises
        ------
        FileError
            If another one does, or the folder holds anything but a checkpoint.
        """
        if self.folder is not None and self._files is not None:
            holder.check_free(self.folder)
            self._files.check_usable(new=False)
            holder.hold(self.folder)

    def release(self) -> None:
        """Say that the job has ended."""
        if self.folder is not None:
            holder.release(self.folder)

    def enter(self, scope: str) -> None:
        """Begin an independent part of the job, such as `frame-3`; its places count anew."""
        self.scope = scope
        self._counts.clear()

    def place(self, kind: str) -> Place:
        """Return where the next thing of this kind is stored; a job asks in a fixed order."""
        number = self._counts.get(kind, 0)
        self._counts[kind] = number + 1
        name = ".".join(part for part in (self.scope, kind, str(number)) if part)
        known = self._known.get(self.scope) if (kind, number) == ("steps", 0) else None
        return Place(self, name, known)

    def other(self) -> Mapping[str, NDArray[Any]] | None:
        """Return what the loop of the present scope is to begin with, or None.

        Where another fit had fewer frames, the last one of them counts.
        """
        self.asked_for_other = True
        return self._others.get(self.scope) or next(iter(reversed(self._others.values())), None)

    def forget(self, place: Place) -> None:
        """Delete what the present scope has stored, but for `place`: it holds their result."""
        if self._files is not None:
            start = f"{self.scope}."
            own = [name for name in self._files.names if name.startswith(start)]
            self._files.remove(name for name in own if name != place.name)

    def write(self, name: str, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Store something under a name; the file appears complete or not at all.

        Raises
        ------
        FileError
            If the folder holds anything but a checkpoint, or the file system refuses.
        """
        if self.folder is None or self._files is None:
            return
        self._mark(self.folder, self._files)
        if self._describe is not None and not self.has_begun:
            self._put(self._files, _JOB, *self._describe())
        if self.asked_for_other:
            header = {**header, _ASKED: True}
        self._put(self._files, name, header, tensors)
        self._saved = time.monotonic()

    def _mark(self, folder: Path, files: CheckpointFolder) -> None:
        """Make the folder ours, once."""
        if not self._is_marked:
            holder.check_not_of_another(folder)
            files.claim()
            holder.mark(folder)
            self._is_marked = True

    @staticmethod
    def _put(
        files: CheckpointFolder, name: str, header: Mapping[str, Any], tensors: Mapping[str, Any]
    ) -> None:
        """Write one file, which says that it is of this checkpoint."""
        place = files.place_for(name)
        save_fitted(place, header={**header, IDENTITY: files.identity}, tensors=tensors)

    def read(self, name: str) -> Contents | None:
        """Return what is stored under a name, or None; a damaged file counts as none."""
        path = None if self._files is None else self._files.find(name)
        if path is None:
            return None
        try:
            header, tensors = load_fitted(path)
        except FileError:
            return None  # it is computed again
        header.pop(IDENTITY, None)
        if header.pop(_ASKED, False):
            self.asked_for_other = True
        return header, tensors

    def discard(self) -> None:
        """Delete the checkpoint, unless it is another process's; files of others stay."""
        if self.folder is None or self._files is None:
            return
        if self._is_marked or not holder.is_of_another(self.folder):
            self._files.discard()


class Place:
    """One thing that a job stores.

    Parameters
    ----------
    owner
        The checkpoint that it belongs to.
    name
        Its name there.
    known
        Tensors that are found if nothing is stored.
    """

    def __init__(
        self, owner: Keeper, name: str, known: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self._owner = owner
        self._known = known
        self.name = name

    @property
    def is_due(self) -> bool:
        """Whether it is time to store something."""
        return self._owner.is_due

    @property
    def is_worth_it(self) -> bool:
        """Whether something is to be stored now, because a checkpoint exists or is due."""
        return self._owner.is_due or self._owner.has_begun

    def save(self, header: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Store plain values and tensors."""
        self._owner.write(self.name, header, tensors)

    def load(self) -> Contents | None:
        """Return values and tensors, the latter as NumPy arrays, or None."""
        found = self._owner.read(self.name)
        if found is None and self._known is not None:
            return {}, dict(self._known)
        return found


def keeper() -> Keeper:
    """Return the checkpoint of the job that is running in this thread; an idle one if none is."""
    return _current.get() or Keeper(None)


def keeping(
    job: Generator[Progress, Message, Result], owner: Keeper
) -> Generator[Progress, Message, Result]:
    """Pass on a job, so that it finds `owner` as its `keeper()`; delete that when the job is done.

    The checkpoint stays if the job is given up, fails, or was stopped by the user. While the job
    runs, it is held: nobody else can go on with it or delete it.

    Parameters
    ----------
    job
        Any job.
    owner
        Its checkpoint.

    Raises
    ------
    FileError
        If another job holds it.
    """
    owner.hold()
    try:
        return (yield from _keeping(job, owner))
    finally:
        owner.release()


def _keeping(
    job: Generator[Progress, Message, Result], owner: Keeper
) -> Generator[Progress, Message, Result]:
    """Pass on a job whose checkpoint is held."""
    message: Message = None
    while True:
        try:
            with _as_current(owner):
                progress = job.send(message)
        except StopIteration as finished:
            result: Result = finished.value
            if getattr(result, "stopped", None) != "user":
                owner.discard()
            return result
        try:
            message = yield progress
        except GeneratorExit:
            with _as_current(owner):
                job.close()
            raise


@contextmanager
def _as_current(owner: Keeper) -> Iterator[None]:
    token = _current.set(owner)
    try:
        yield
    finally:
        _current.reset(token)
