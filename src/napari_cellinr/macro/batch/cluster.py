"""Processes the images of a batch by workers of Dask, on this computer or others.

All workers have to see inputs and results under the same paths.
"""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import FileError
from napari_cellinr.io.safety.owned import new_temporary, remove_files
from napari_cellinr.macro.batch.item import replay_with, row_of
from napari_cellinr.macro.steps import Macro

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from concurrent.futures import Future

    from napari_cellinr.macro.batch.items import Item, Row
    from napari_cellinr.macro.batch.targets import Target
    from napari_cellinr.runs.scale.executors import Workers

__all__ = ["Cluster", "Submitted"]

_POLL: Final = 0.5  # seconds between two looks of a worker whether the batch was stopped
_PATIENCE: Final = 10.0  # seconds in which workers end after a stop
_CHECKED: Final = 3  # inputs that each worker looks for, and the folder of the results


class Cluster:
    """Workers that process images.

    Parameters
    ----------
    workers
        From `open_workers`.
    recipe
        The steps as JSON.
    output
        Folder of the results.
    protected
        The inputs of the whole batch, which must not be written.
    """

    def __init__(
        self, workers: Workers, recipe: str, output: Path, protected: Sequence[Path]
    ) -> None:
        self._workers, self._recipe, self._protected = workers, recipe, list(protected)
        self._output, self._stop = output, new_temporary(output, ".stop")
        self._futures: list[Future[Any]] = []

    @property
    def most(self) -> int:
        """Images that are given to the workers at the same time."""
        return 2 * self._workers.n_workers

    def ready(self) -> Generator[str, None, list[str]]:
        """Yield what is waited for until a worker can be used; return why others are left out.

        Raises
        ------
        FileError
            If the folder of the results cannot be made.
        FitError
            If no worker can be used.
        """
        try:
            self._output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"{self._output} cannot be made: {error.strerror or error}. Choose another folder "
                "for the results."
            ) from error
        places = [*self._protected[:_CHECKED], self._output]
        return (yield from self._workers.ready(_unseen, [str(path) for path in places]))

    def submit(self, item: Item, target: Target) -> Submitted:
        """Give an image to the workers.

        Parameters
        ----------
        item
            The image.
        target
            Where its results go.
        """
        task = (self._recipe, item, target, self._protected, str(self._stop))
        future = self._workers.submit(process, *task)
        self._futures.append(future)
        return Submitted(item, future)

    def close(self) -> None:
        """Let workers end what they have not finished, and leave them.

        A worker that has not ended in time, for example because a network folder shows it new
        files late, still finds the sign to stop; the next process that writes there removes it.
        """
        stop = not self._is_done
        if stop:
            self._stop.parent.mkdir(parents=True, exist_ok=True)
            self._stop.touch()
            end = time.monotonic() + _PATIENCE
            while time.monotonic() < end and not self._is_done:
                time.sleep(0.1)
        has_ended = self._is_done
        for future in self._futures:
            future.cancel()
        self._workers.close(stop=stop)
        if has_ended:
            remove_files([self._stop])

    @property
    def _is_done(self) -> bool:
        return all(future.done() for future in self._futures)


class Submitted:
    """An image that workers process.

    Parameters
    ----------
    item
        The image.
    future
        Of its row.
    """

    def __init__(self, item: Item, future: Future[Any]) -> None:
        self.item, self._future = item, future
        self._started = time.monotonic()

    def row(self) -> Row | None:
        """Return the row of the image once it is processed; None before."""
        if not self._future.done():
            return None
        seconds = time.monotonic() - self._started
        try:
            found: Row = self._future.result()
        except CancelledError:
            return row_of(self.item, "failed", seconds, "its worker was lost; run the batch again.")
        except Exception as error:  # Dask raises errors of its own
            text = str(error).strip().splitlines() or [""]
            return row_of(self.item, "failed", seconds, f"{type(error).__name__}: {text[0]}")
        return found

    def ask_to_end(self) -> None:
        """Do nothing: `Cluster.close` stops all images."""

    def end(self) -> None:
        """Wait for nothing: `Cluster.close` does."""


def process(recipe: str, item: Item, target: Target, protected: list[Path], stop: str) -> Row:
    """Process an image on a worker; end early if the batch is stopped.

    Parameters
    ----------
    recipe
        The steps as JSON.
    item, target, protected
        As for `replay_with`.
    stop
        A file that exists as soon as the batch is stopped.
    """
    if Path(stop).exists():
        return row_of(item, "stopped")
    message: Any = None
    looked = time.monotonic()
    with closing(replay_with(Macro.from_json(recipe), item, target, protected)) as job:
        while True:
            try:
                job.send(message)
            except StopIteration as end:
                row: Row = end.value
                return row
            if message is None and time.monotonic() - looked > _POLL:
                looked = time.monotonic()
                message = "stop" if Path(stop).exists() else None


def _unseen(paths: Sequence[str]) -> str:
    """Return which of some files or folders a worker does not see; empty if it sees all."""
    for path in paths:
        with suppress(OSError):
            if Path(path).exists():
                continue
        return (
            f"a worker does not see {path}; inputs and results have to be in a folder that all "
            "workers see under the same path."
        )
    return ""
