"""One recipe on many files: one that fails does not stop the rest, what is done is passed over."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from napari_cellinr.errors import CellINRError, ConfigError
from napari_cellinr.fit import Progress, finish
from napari_cellinr.macro.replay import iter_replay
from napari_cellinr.macro.steps import Macro

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from os import PathLike

    from napari_cellinr.fit import Message

__all__ = ["SUMMARY", "Row", "State", "iter_batch"]

State: TypeAlias = Literal["waiting", "running", "done", "skipped", "failed", "stopped"]

SUMMARY = "summary.csv"
"""Name of the table of a batch, in its folder of results."""

_MARKS = ".done"


@dataclass(frozen=True)
class Row:
    """One file of a batch.

    Parameters
    ----------
    source
        The file.
    state
        How far it is.
    seconds
        Time that it took.
    error
        Why it failed.
    written
        The files that came out.
    """

    source: str
    state: State = "waiting"
    seconds: float = 0.0
    error: str = ""
    written: tuple[str, ...] = ()


def iter_batch(
    macro: Macro,
    inputs: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    workers: int = 1,
    tell: Callable[[tuple[Row, ...]], None] | None = None,
) -> Generator[Progress, Message, tuple[Row, ...]]:
    """Do the steps of a macro with every input as a job; yield `Progress`, return the rows.

    A file is passed over if an earlier batch has done it with the same steps, and its results
    are still there. The table `summary.csv` is up to date at any time.

    Parameters
    ----------
    macro
        The recipe; it works on one file.
    inputs
        The files.
    output
        Folder for the results, with one folder per input if the recipe names its files.
    workers
        Files that are worked on at the same time, each in a process of its own if more than 1.
    tell
        Called with all rows whenever one has changed, from the thread of the job.

    Raises
    ------
    ConfigError
        If there are no inputs, no steps, or no worker.
    """
    if not inputs or not macro.repeatable or workers < 1:
        raise ConfigError(
            f"{len(inputs)} files, {len(macro.repeatable)} steps and {workers} workers were given; "
            "at least one of each is needed."
        )
    batch = _Batch(macro, [Path(one).expanduser() for one in inputs], Path(output), tell)
    if workers == 1:
        yield from batch.one_by_one()
    else:
        yield from batch.together(workers)
    return batch.rows


class _Batch:
    """The rows of a batch, and where its results go."""

    def __init__(
        self,
        macro: Macro,
        inputs: list[Path],
        output: Path,
        tell: Callable[[tuple[Row, ...]], None] | None,
    ) -> None:
        self._macro = macro
        self._inputs = inputs
        self._output = output.expanduser()
        self._tell = tell
        self._started = time.monotonic()
        self.rows = tuple(Row(str(path)) for path in inputs)

    def one_by_one(self) -> Generator[Progress, Message, None]:
        """Do one file after the other in this process."""
        message: Message = None
        for place, path in enumerate(self._inputs):
            if message == "stop":
                self._put(place, replace(self.rows[place], state="stopped"))
                continue
            if self._is_done(place):
                continue
            self._put(place, replace(self.rows[place], state="running"))
            job = _one(self._macro, path, self._folder(place))
            message = yield from self._passed_on(job, place, path)

    def together(self, workers: int) -> Generator[Progress, Message, None]:
        """Do several files at the same time, each in a process of its own."""
        pending: dict[Future[Row], int] = {}
        context = get_context("spawn")  # a fork of a process with threads may hang
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for place, path in enumerate(self._inputs):
                if not self._is_done(place):
                    words = (self._macro.as_json(), str(path), str(self._folder(place)))
                    pending[pool.submit(_in_process, *words)] = place
                    self._put(place, replace(self.rows[place], state="running"))
            total = len(self._inputs)
            while pending:
                done, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(future, pending.pop(future))
                message = yield self._progress("files", total - len(pending), total)
                if message == "stop":
                    for future in pending:
                        future.cancel()

    def _collect(self, future: Future[Row], place: int) -> None:
        if future.cancelled():
            self._put(place, replace(self.rows[place], state="stopped"))
            return
        error = future.exception()
        row = Row(str(self._inputs[place]), "failed", error=str(error)) if error else None
        self._put(place, row or future.result())

    def _passed_on(
        self, job: Generator[Progress, Message, Row], place: int, path: Path
    ) -> Generator[Progress, Message, Message]:
        """Pass on the job of one file, and return the last word of the user."""
        message: Message = None
        stopped = False
        while True:
            try:
                progress = job.send(message)
            except StopIteration as end:
                row: Row = end.value
                self._put(place, replace(row, state="stopped") if stopped else row)
                return "stop" if stopped else None
            stage = f"{path.name} ({place + 1} of {len(self._inputs)}): {progress.stage}"
            message = yield replace(progress, stage=stage, preview=None)
            stopped = stopped or message == "stop"

    def _put(self, place: int, row: Row) -> None:
        """Change a row, and write down what is known."""
        self.rows = (*self.rows[:place], row, *self.rows[place + 1 :])
        if row.state == "done":
            self._mark(place, row)
        if row.state != "running":
            _write_summary(self._output / SUMMARY, self.rows)
        if self._tell is not None:
            self._tell(self.rows)

    def _progress(self, stage: str, step: int, steps: int) -> Progress:
        return Progress(stage, step, steps, seconds=time.monotonic() - self._started)

    def _folder(self, place: int) -> Path:
        """Return the folder of the results of an input: its own if the recipe names files."""
        names_files = any(step.action == "save" for step in self._macro.repeatable)
        return self._output / self._stem(place) if names_files else self._output

    def _stem(self, place: int) -> str:
        """Return the name of an input without suffix; a number tells equal ones apart."""
        stems = [path.name.split(".")[0] or path.name for path in self._inputs]
        earlier = stems[:place].count(stems[place])
        return stems[place] if not earlier else f"{stems[place]}-{earlier + 1}"

    def _mark_path(self, place: int) -> Path:
        return self._output / _MARKS / f"{self._stem(place)}.json"

    def _key(self, place: int) -> str:
        """Return what a result depends on: the steps, and size and time of the input."""
        found = self._inputs[place].stat()
        steps = [(step.action, step.settings) for step in self._macro.repeatable]
        text = json.dumps([steps, str(self._inputs[place]), found.st_size, found.st_mtime_ns])
        return hashlib.sha256(text.encode()).hexdigest()

    def _mark(self, place: int, row: Row) -> None:
        path = self._mark_path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"key": self._key(place), **asdict(row)}), encoding="utf-8")

    def _is_done(self, place: int) -> bool:
        """Pass over an input whose results are there, and return whether they are."""
        try:
            mark: dict[str, Any] = json.loads(self._mark_path(place).read_text(encoding="utf-8"))
            there = mark["key"] == self._key(place) and all(
                Path(one).is_file() for one in mark["written"]
            )
        except (OSError, ValueError, KeyError):
            return False
        if there:
            written = tuple(mark["written"])
            self._put(place, Row(str(self._inputs[place]), "skipped", written=written))
        return there


def _one(macro: Macro, path: Path, folder: Path) -> Generator[Progress, Message, Row]:
    """Do the steps with one file, and return how it went."""
    begun = time.monotonic()
    try:
        written = yield from iter_replay(macro, source=path, output=folder)
    except (CellINRError, OSError, MemoryError) as error:
        text = str(error) or type(error).__name__
        return Row(str(path), "failed", time.monotonic() - begun, text)
    return Row(str(path), "done", time.monotonic() - begun, "", tuple(map(str, written)))


def _in_process(recipe: str, path: str, folder: str) -> Row:
    """Do the steps with one file, in a process of its own."""
    return finish(_one(Macro.from_json(recipe), Path(path), Path(folder)))


def _write_summary(path: Path, rows: tuple[Row, ...]) -> None:
    from napari_cellinr.io.atomic import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["file", "state", "seconds", "error", "results"])
    for row in rows:
        results = " ".join(row.written)
        table.writerow([row.source, row.state, f"{row.seconds:.1f}", row.error, results])
    with replacing(path, ".csv") as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
