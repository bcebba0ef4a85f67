"""One image of a batch in a process of its own: if that dies, the others go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_cellinr.macro.items import Item, Row

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Child", "row_of"]

_PATIENCE = 2.0  # seconds that a process gets to end by itself


class Child:
    """A process that does the steps of a recipe with one image.

    Parameters
    ----------
    recipe
        The steps as JSON.
    item
        The image.
    folder, name
        Folder of its results, and what the image is called in their names.
    threads
        How many threads it may take.
    """

    def __init__(self, recipe: str, item: Item, folder: Path, name: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.item = item
        self._answer, theirs = context.Pipe(duplex=False)
        words = (recipe, item, folder, name, threads, theirs)
        self._process = context.Process(target=_work, args=words, daemon=True)
        self._begun = time.monotonic()
        self._process.start()
        theirs.close()

    def row(self) -> Row | None:
        """Return what became of the image once the process has ended; nothing before."""
        with suppress(EOFError, OSError):  # it has died without a word
            if self._answer.poll():
                found: Row = self._answer.recv()
                self._process.join(_PATIENCE)
                self.end()
                return found
        if self._process.is_alive():
            return None
        code = self._process.exitcode
        text = f"its process ended with status {code}; it may have run out of memory."
        seconds = time.monotonic() - self._begun
        self.end()
        return row_of(self.item, "failed", seconds, text)

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._answer.close()


def row_of(item: Item, state: Any, seconds: float = 0.0, error: str = "", written: Any = ()) -> Row:
    """Return the row of an image."""
    names = tuple(map(str, written))
    return Row(str(item.path), state, seconds, error, names, item.series, item.time)


def _work(recipe: str, item: Item, folder: Path, name: str, threads: int, pipe: Any) -> None:
    """Do the steps with one image, and send the row."""
    # Of this process alone, and before anything that counts threads is imported.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    from napari_cellinr.fit import finish
    from napari_cellinr.macro.batch import done_with
    from napari_cellinr.macro.steps import Macro

    pipe.send(finish(done_with(Macro.from_json(recipe), item, folder, name)))
    pipe.close()
