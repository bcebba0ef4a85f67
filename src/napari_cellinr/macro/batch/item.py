"""Replays a recipe with one image of a batch, and returns the row of the summary."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError, FileError
from napari_cellinr.macro.batch.items import Item, Row
from napari_cellinr.macro.batch.marks import (
    has_changed,
    key_of,
    stamp_of,
    with_file,
    write_mark,
)
from napari_cellinr.macro.replay.run import iter_replay

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from napari_cellinr.fitting.problem import Message, Progress
    from napari_cellinr.macro.batch.items import State
    from napari_cellinr.macro.batch.marks import Mark, Stamp
    from napari_cellinr.macro.batch.targets import Target
    from napari_cellinr.macro.steps import Macro

__all__ = ["replay_with", "row_of"]


def replay_with(
    macro: Macro, item: Item, target: Target, protected: Sequence[Path] = ()
) -> Generator[Progress, Message, Row]:
    """Do the steps of a recipe with one image as a job, and return its row.

    Parameters
    ----------
    macro
        The recipe.
    item
        The image.
    target
        Where its results go; those of an earlier batch are replaced.
    protected
        The inputs of the whole batch, which must not be written.
    """
    started = time.monotonic()
    try:
        state, written = yield from _steps(macro, item, target, protected)
    except (CellINRError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        return row_of(item, "failed", time.monotonic() - started, text)
    except Exception as error:  # any error is reported in the row; other images are not affected
        text = f"{type(error).__name__}: {error}"
        return row_of(item, "failed", time.monotonic() - started, text)
    return row_of(item, state, time.monotonic() - started, written=written)


def _steps(
    macro: Macro, item: Item, target: Target, protected: Sequence[Path]
) -> Generator[Progress, Message, tuple[State, list[Path]]]:
    """Do the steps, mark the image as done, and return how it ended, and its results."""
    try:
        stamp = stamp_of(item.path)
    except OSError as error:
        raise FileError(f"{item.path} cannot be read: {error.strerror or error}.") from error
    notes = _Notes(target)
    job = iter_replay(
        macro,
        source=item.path,
        output=target.folder,
        series=item.series,
        time=item.time,
        name=target.name,
        overwrite=target.replaces_others,
        protected=protected,
        own=target.mark.files,
        note=notes.add,
    )
    written, is_stopped = yield from _followed(job, item, stamp)
    if is_stopped:
        return "stopped", written
    notes.end(key_of(macro, item, stamp), written)
    return "done", written


class _Notes:
    """Notes in the mark of an image what is written for it."""

    def __init__(self, target: Target) -> None:
        self._place = target.place
        self._mark: Mark = replace(target.mark, key="", written=())

    def add(self, path: Path) -> None:
        """Note a file that is about to be written."""
        self._mark = with_file(self._mark, path)
        write_mark(self._place, self._mark)

    def end(self, key: str, written: Iterable[Path]) -> None:
        """Note that the image is done."""
        paths = tuple(str(path) for path in written)
        write_mark(self._place, replace(self._mark, key=key, written=paths))


def _followed(
    job: Generator[Progress, Message, list[Path]], item: Item, stamp: Stamp
) -> Generator[Progress, Message, tuple[list[Path], bool]]:
    """Run the job; return its results, and whether the user stopped it.

    The input is looked at when it has been read, which is before the first progress, and at the
    end, because large images are read in pieces.
    """
    message: Message = None
    is_first, is_stopped = True, False
    with closing(job):
        while True:
            try:
                progress = job.send(message)
            except StopIteration as end:
                _check_unchanged(item, stamp)
                written: list[Path] = end.value
                return written, is_stopped
            if is_first:
                _check_unchanged(item, stamp)
                is_first = False
            message = yield progress
            is_stopped = is_stopped or message == "stop"


def _check_unchanged(item: Item, stamp: Stamp) -> None:
    if has_changed(stamp):
        raise FileError(
            f"{item.path} has changed while it was being processed; run the batch again when it "
            "is complete."
        )


def row_of(
    item: Item,
    state: State,
    seconds: float = 0.0,
    error: str = "",
    written: Iterable[str | Path] = (),
) -> Row:
    """Return the row of an image.

    Parameters
    ----------
    item
        The image.
    state, seconds, error, written
        As in `Row`.
    """
    names = tuple(map(str, written))
    return Row(str(item.path), state, seconds, error, names, item.series, item.time)
