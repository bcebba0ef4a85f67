"""Applies a recipe to many images.

An image that fails does not stop the others; images that are done are skipped next time.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from napari_cellinr.errors import ConfigError, FileError
from napari_cellinr.fitting.problem import Progress
from napari_cellinr.io.names import place_of
from napari_cellinr.macro.batch.cluster import Cluster
from napari_cellinr.macro.batch.item import replay_with, row_of
from napari_cellinr.macro.batch.items import (
    SUMMARY,
    Item,
    Row,
    State,
    check_summary,
    items_of,
    with_folders,
    write_summary,
)
from napari_cellinr.macro.batch.marks import is_current, stamp_of
from napari_cellinr.macro.batch.targets import targets_of
from napari_cellinr.macro.batch.worker_process import WorkerProcess
from napari_cellinr.macro.paths import with_local_paths
from napari_cellinr.macro.plan import saved_files
from napari_cellinr.runs.scale.executors import open_workers
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from os import PathLike
    from pathlib import Path

    from napari_cellinr.fitting.problem import Message
    from napari_cellinr.macro.batch.cluster import Submitted
    from napari_cellinr.macro.batch.targets import Target
    from napari_cellinr.macro.steps import Macro

__all__ = ["LINK", "SUMMARY", "Item", "Row", "State", "iter_batch"]

logger = logging.getLogger(__name__)

LINK: Final = "progress of the workers:"
"""Begins the sentence with the address of the page of Dask."""

_POLLING: Final = 0.1  # seconds between two checks of the worker processes


def iter_batch(
    macro: Macro,
    inputs: Sequence[str | PathLike[str] | Item],
    output: str | PathLike[str],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    every_series: bool = False,
    every_time: bool = False,
    again: bool = False,
    overwrite: bool = False,
    tell: Callable[[tuple[Row, ...]], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Generator[Progress, Message, tuple[Row, ...]]:
    """Do the steps of a macro with every image as a job, and return the rows of the summary.

    An image is skipped if an earlier batch has done it with the same steps and its results still
    exist. The table `summary.csv` is updated after each image.

    Parameters
    ----------
    macro
        The recipe, which works on one image.
    inputs
        The files; a folder stands for the images in it, or is one image if the recipe works on
        numbered files.
    output
        Folder for the results; each image has a folder in it if the recipe names its files.
    workers
        Number of images that are processed at the same time, in separate processes if more
        than 1.
    scheduler
        Workers of Dask instead of these processes: as for `open_workers`.
    every_series, every_time
        As for `items_of`.
    again
        Whether to process images again that are done.
    overwrite
        Whether to replace files that no batch has written, too; inputs never are.
    tell
        Called with all rows whenever one has changed, in the thread of the job.
    say
        Called with sentences about the workers of Dask, in the thread of the job.

    Raises
    ------
    ConfigError
        If there are no inputs, no steps, or no workers; or the extra `cluster` is missing.
    FitError
        If the scheduler cannot be reached, or none of its workers can be used.
    FileError
        If the folder has a `summary.csv` that was not written by a batch, or cannot be written;
        or if two steps of the macro save the same file.
    """
    macro = with_local_paths(macro)
    if not inputs or not macro.repeatable or workers < 1:
        raise ConfigError(
            f"{n_of(len(inputs), 'file')}, {n_of(len(macro.repeatable), 'step')} and "
            f"{n_of(workers, 'worker')} were given; at least one of each is needed."
        )
    inputs = with_folders(inputs, place_of(output), as_series=macro.is_of_series)
    check_summary(place_of(output) / SUMMARY)
    saved_files(macro, output)
    message: Message = None
    if every_series or every_time:
        message = yield Progress("reading file metadata")
    items = items_of(inputs, every_series=every_series, every_time=every_time)
    place = place_of(output)
    if scheduler is not None:  # workers have a current folder of their own
        place = place.absolute()
        items = [replace(item, path=item.path.absolute()) for item in items]
    batch = _Batch(macro, items, place, tell, replaces_others=overwrite)
    if not again:
        batch.skip_done()
    if scheduler is not None and message != "stop":
        yield from batch.by_workers(scheduler, workers, say or logger.info)
    elif workers == 1 or message == "stop":
        yield from batch.one_by_one(message)
    else:
        yield from batch.together(workers)
    batch.write()
    return batch.rows


class _Batch:
    """The rows of a batch, and where its results go."""

    def __init__(
        self,
        macro: Macro,
        items: list[Item],
        output: Path,
        tell: Callable[[tuple[Row, ...]], None] | None,
        *,
        replaces_others: bool,
    ) -> None:
        self._macro = macro
        self._items = items
        self._output = output
        self._tell = tell
        self._started = time.monotonic()
        self._targets = targets_of(macro, items, self._output, replaces_others=replaces_others)
        self.rows = tuple(row_of(item, "waiting") for item in items)

    @property
    def _inputs(self) -> list[Path]:
        return list(dict.fromkeys(item.path for item in self._items))

    @property
    def _waiting(self) -> list[int]:
        return [place for place, row in enumerate(self.rows) if row.state == "waiting"]

    def skip_done(self) -> None:
        """Skip the images that an earlier batch has done."""
        for place, item in enumerate(self._items):
            written = self._done(place)
            if written is not None:
                self._put(place, row_of(item, "skipped", written=written))

    def one_by_one(self, message: Message) -> Generator[Progress, Message, None]:
        """Process one image after the other in this process."""
        for place in self._waiting:
            if message == "stop":
                self._put(place, row_of(self._items[place], "stopped"))
                continue
            self._put(place, row_of(self._items[place], "running"))
            target, inputs = self._targets[place], self._inputs
            job = replay_with(self._macro, self._items[place], target, inputs)
            message = yield from self._followed(job, place)

    def together(self, workers: int) -> Generator[Progress, Message, None]:
        """Process several images at the same time, each in a worker process."""
        recipe, threads = self._macro.as_json(), max(1, (os.cpu_count() or 1) // workers)

        def start(item: Item, target: Target) -> WorkerProcess:
            return WorkerProcess(recipe, item, target, threads, self._inputs)

        yield from self._at_once(start, workers)

    def by_workers(
        self, scheduler: str, workers: int, say: Callable[[str], None]
    ) -> Generator[Progress, Message, None]:
        """Process images by workers of Dask."""
        if not self._waiting:
            return
        yield Progress("connecting to the scheduler", 0, len(self._items))
        opened = open_workers(scheduler, workers)
        cluster = Cluster(opened, self._macro.as_json(), self._output, self._inputs)
        try:
            if opened.link:
                say(f"{LINK} {opened.link}")
            texts = yield from self._ready(cluster)
            if texts is None:
                for place in self._waiting:
                    self._put(place, row_of(self._items[place], "stopped"))
                return
            for text in texts:
                say(text)
            yield from self._at_once(cluster.submit, cluster.most)
        finally:
            cluster.close()

    def _ready(self, cluster: Cluster) -> Generator[Progress, Message, list[str] | None]:
        """Wait for workers; return sentences about them, or None if stopped meanwhile."""
        waiting = cluster.ready()
        while True:
            try:
                stage = next(waiting)
            except StopIteration as end:
                texts: list[str] = end.value
                return texts
            if (yield Progress(stage, 0, len(self._items))) == "stop":
                return None
            time.sleep(_POLLING)

    def _at_once(
        self, start: Callable[[Item, Target], WorkerProcess | Submitted], most: int
    ) -> Generator[Progress, Message, None]:
        """Process several images at the same time, wherever they are started."""
        running: dict[int, WorkerProcess | Submitted] = {}
        left, paused = self._waiting, False
        try:
            while left or running:
                while left and len(running) < most and not paused:
                    place = left.pop(0)
                    item, target = self._items[place], self._targets[place]
                    try:
                        running[place] = start(item, target)
                    except OSError as error:
                        self._put(place, row_of(item, "failed", error=f"no process: {error}"))
                        continue
                    self._put(place, row_of(item, "running"))
                for place, process in list(running.items()):
                    row = process.row()
                    if row is not None:
                        del running[place]
                        self._put(place, row)
                message = yield self._progress(len(running), len(left))
                if message == "stop":
                    break
                paused = message == "pause" or (paused and message != "resume")
                time.sleep(_POLLING)
        finally:
            for process in running.values():
                process.ask_to_end()
            for process in running.values():
                process.end()
        for place in [*running, *left]:
            self._put(place, row_of(self._items[place], "stopped"))

    def write(self) -> None:
        """Write the summary."""
        write_summary(self._output / SUMMARY, self.rows)

    def _followed(
        self, job: Generator[Progress, Message, Row], place: int
    ) -> Generator[Progress, Message, Message]:
        """Run the job of one image, and return `stop` if the user stopped it."""
        message: Message = None
        title = f"{self._items[place].title} ({place + 1} of {len(self._items)})"
        while True:
            try:
                progress = job.send(message)
            except StopIteration as end:
                row: Row = end.value
                self._put(place, row)
                return "stop" if row.state == "stopped" or message == "stop" else None
            message = yield replace(progress, stage=f"{title}: {progress.stage}", preview=None)

    def _put(self, place: int, row: Row) -> None:
        """Change a row, and update the summary."""
        self.rows = (*self.rows[:place], row, *self.rows[place + 1 :])
        if row.state not in {"running", "skipped"}:
            self._update_summary()
        if self._tell is not None:
            self._tell(self.rows)

    def _progress(self, n_running: int, n_left: int) -> Progress:
        total = len(self._items)
        done = total - n_running - n_left
        stage = f"{n_running} images at the same time" if n_running > 1 else "images"
        return Progress(stage, done, total, seconds=time.monotonic() - self._started)

    def _update_summary(self) -> None:
        """Write the summary; if that fails, the images are processed all the same."""
        try:
            self.write()
        except FileError as error:  # raised at the end, if it lasts
            logger.warning("%s", error)

    def _done(self, place: int) -> tuple[str, ...] | None:
        """Return the results of an image that is done; None if it is not."""
        mark, item = self._targets[place].mark, self._items[place]
        try:
            is_same = is_current(mark, self._macro, item, stamp_of(item.path))
        except OSError:
            return None
        return mark.written if is_same and all(map(os.path.exists, mark.written)) else None
