"""All parts of a plan, computed one after the other here or at the same time by workers."""

from __future__ import annotations

import math
import re
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.errors import CellINRError, FitError
from napari_cellinr.fitting.monitor import Monitor
from napari_cellinr.fitting.problem import Progress
from napari_cellinr.runs.scale.changes import RecordingChangedError
from napari_cellinr.runs.scale.executors import WorkersLostError
from napari_cellinr.runs.scale.parts import check_worker, compute, finish_plan, part_job
from napari_cellinr.runs.scale.patience import Patience
from napari_cellinr.runs.scale.state import State
from napari_cellinr.text import n_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from concurrent.futures import Future

    from napari_cellinr.fitting.problem import Message
    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.executors import Workers
    from napari_cellinr.runs.scale.plan import Plan

__all__ = ["Finished", "run_plan"]

RESTARTS: Final = 20
"""Times that lost workers or a lost scheduler are replaced without a part finishing in between."""

POLL: Final = 0.2
"""Seconds between two looks at the workers."""

AGAIN: Final = 60.0
"""Seconds for which a lost scheduler is looked for."""

NEWS: Final = 3.0
"""Seconds between two looks for new workers."""

COARSER: Final = 0.1e-6
"""Seconds that coarser levels take for each voxel of the result, before that is measured."""


@dataclass
class Finished:
    """How the parts of a plan ended.

    Parameters
    ----------
    done, total
        Number of finished parts, and of all.
    failed
        What went wrong, by the number of the part.
    warnings
        Of all parts, each once.
    stopped
        Whether the user or the time limit stopped the run.
    is_late
        Whether it was the time limit.
    """

    done: int = 0
    total: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    stopped: bool = False
    is_late: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all parts are finished."""
        return self.done == self.total


def run_plan(
    plan: Plan,
    workers: Workers | None = None,
    *,
    overwrite: bool = False,
    image: Image | None = None,
    started: float | None = None,
) -> Generator[Progress, Message, Finished]:
    """Compute all parts that are not finished: yield `Progress`, return how they ended.

    A part that fails does not prevent the others; finished parts are kept, and are not computed
    again by another run of the same plan. The time limit of the settings ends the run as a stop
    does; pauses do not count.

    Parameters
    ----------
    plan
        The plan.
    workers
        Compute parts at the same time; one part after the other in this process if not given.
    overwrite
        Whether another result in the same place is replaced.
    image
        The recording, if it is in no file; then there are no workers.
    started
        `time.monotonic()` when the whole job began, from which the time limit counts, without
        pauses; now if not given.

    Raises
    ------
    FileError
        If the results cannot be created.
    FitError
        If no worker can compute the plan.
    """
    state = State(plan)
    state.begin(overwrite=overwrite)
    state.go()
    run = _Run(plan, state, started)
    try:
        yield from run.all_parts(workers, image)
    except FitError as error:
        raise FitError(
            f"{error} Finished parts are kept; go on with --resume {plan.folder}."
        ) from error
    return run.finished()


class _Run:
    """A running plan."""

    def __init__(self, plan: Plan, state: State, started: float | None = None) -> None:
        self._plan, self._state, self._limit = plan, state, plan.config.max_seconds
        self._started = time.monotonic() if started is None else started
        self._ended_pauses, self._monitor, self._restarts = 0.0, Monitor(), 0
        self.found, self._changed = Finished(total=plan.n_parts), False
        self._patience = Patience(plan, state)
        self._done = len(state.done)
        self.begin(1)

    def begin(self, n_workers: int) -> None:
        """Start to measure how fast parts are finished: those of coarser levels take less time."""
        self._before, self._begun = self._done, self._seconds
        voxels = math.prod(self._plan.result["shape"]) / max(1, self._plan.n_coarse)
        self._coarse = COARSER * voxels / n_workers

    def all_parts(
        self, workers: Workers | None, image: Image | None
    ) -> Generator[Progress, Message, None]:
        """Compute the parts that are not finished: those of coarser levels are last."""
        if workers is not None:
            yield from self._ready(workers)
        n_main = len(self._plan.parts)
        for numbers in (range(n_main), range(n_main, self._plan.n_parts)):
            if self.found.stopped or self.found.failed:
                return
            left = [number for number in numbers if not self._state.is_done(number)]
            self.begin(1 if workers is None else workers.n_workers)
            if workers is None:
                yield from self.one_by_one(left, image)
            else:
                yield from self.together(left, workers)

    @property
    def _seconds(self) -> float:
        """Seconds since the run began, without pauses."""
        paused = self._ended_pauses + self._monitor.paused_seconds_so_far
        return time.monotonic() - self._started - paused

    def _ends(self, message: Message) -> bool:
        """Return whether the run ends here: stopped by the user, or by the time limit."""
        if message == "stop":
            self.found.stopped = True
        elif self._limit is not None and self._seconds >= self._limit:
            self.found.stopped = self.found.is_late = True
        return self.found.stopped

    def one_by_one(
        self, numbers: list[int], image: Image | None
    ) -> Generator[Progress, Message, None]:
        """Compute parts in this process."""
        for number in numbers:
            if self._ends(None):
                return
            message: Message = None
            self._monitor = Monitor()
            job = part_job(self._plan, number, self._monitor, image)
            try:
                while True:
                    progress = job.send(message)
                    message = yield self._of_part(progress, number)
                    if self._ends(message):
                        message = "stop"
            except StopIteration:
                self._done += 1
            except CellINRError as error:
                if not self.found.stopped:
                    self._fail(number, error)
            finally:
                job.close()
            self._ended_pauses += self._monitor.paused_seconds_so_far
            self._monitor = Monitor()
            if self.found.stopped or self._changed:
                return

    def together(self, numbers: list[int], workers: Workers) -> Generator[Progress, Message, None]:
        """Compute parts at the same time."""
        left = list(numbers)
        pending: dict[Future[Any], int] = {}
        paused, looked = False, time.monotonic()
        try:
            while left or pending:
                lost = not paused and not self._fill(left, pending, workers)
                for future in [one for one in pending if one.done()]:
                    number = pending.pop(future)
                    outcome = self._outcome(future, number)
                    if outcome == "done":
                        self._patience.note(number)
                        self._done, self._restarts = self._done + 1, 0
                    elif outcome == "lost":
                        lost = True
                        self._again(number, left)
                    if self._changed:
                        self._state.stop()
                        return
                if lost or (pending and workers.are_lost):
                    for future, number in pending.items():
                        future.cancel()
                        left.append(number)
                    pending.clear()
                    yield from self._restart(workers)
                elif time.monotonic() > looked + NEWS:
                    self._look_for_new(workers)
                    self._take_back(left, pending, workers)
                    looked = time.monotonic()
                if self.found.stopped:
                    self._state.stop()
                    return
                message = yield self._progress(n_of(workers.n_workers, "worker"))
                if self._ends(message):
                    self._state.stop()
                    return
                if message in {"pause", "resume"}:
                    paused = message == "pause"
                begun = time.monotonic()
                time.sleep(POLL)
                self._ended_pauses += time.monotonic() - begun if paused else 0
        finally:
            for future in pending:
                future.cancel()

    def _fill(self, left: list[int], pending: dict[Future[Any], int], workers: Workers) -> bool:
        """Submit parts; return whether the workers are there."""
        while left and len(pending) < 2 * workers.n_workers:
            number = left.pop(0)
            try:
                pending[workers.submit(compute, self._plan, number)] = number
            except Exception as error:  # a lost pool or connection raises errors of many kinds
                if isinstance(error, CellINRError) and not isinstance(error, WorkersLostError):
                    raise
                left.insert(0, number)
                return False
        return True

    def _look_for_new(self, workers: Workers) -> None:
        """Check workers that have come since."""
        with suppress(WorkersLostError):  # the next part that is submitted will notice it
            self.found.warnings += workers.check(check_worker, self._plan)

    def _take_back(
        self, left: list[int], pending: dict[Future[Any], int], workers: Workers
    ) -> None:
        """Take parts from workers that hang, and give them to others."""
        for future, text in workers.overdue(self._patience.limit):
            if (number := pending.pop(future, None)) is None:
                continue
            future.cancel()
            if text:
                self.found.warnings.append(text)
            if text and self._patience.is_over(number):
                self.found.failed[number] = self._patience.text(number)
            else:
                self._again(number, left)

    def _ready(self, workers: Workers) -> Generator[Progress, Message, None]:
        """Wait until a worker can be used."""
        waiting = workers.ready(check_worker, self._plan)
        while True:
            try:
                stage = next(waiting)
            except StopIteration as end:
                self.found.warnings += end.value
                return
            except WorkersLostError:
                yield from self._restart(workers)
                return
            if self._ends((yield self._progress(stage))):
                return
            time.sleep(POLL)

    def _again(self, number: int, left: list[int]) -> None:
        """Compute a part again whose worker was lost."""
        if self._state.is_done(number):  # it was written before the worker was lost
            self._done += 1
            return
        left.append(number)

    def _fail(self, number: int, error: Exception) -> None:
        """Note why a part has failed; all others would if the recording has changed."""
        self._changed = self._changed or isinstance(error, RecordingChangedError)
        is_ours = isinstance(error, CellINRError)
        self.found.failed[number] = str(error) if is_ours else f"{type(error).__name__}: {error}"

    def _outcome(self, future: Future[Any], number: int) -> str:
        """Return `done`, `lost` if the worker was lost, or `failed`."""
        try:
            future.result()
        except CellINRError as error:
            self._fail(number, error)
            return "failed"
        except (BrokenProcessPool, CancelledError, OSError, TimeoutError):
            return "lost"
        except Exception as error:  # Dask raises errors of its own
            lost = {"KilledWorker", "FutureCancelledError", "CommClosedError", "FuturesCancelled"}
            if type(error).__name__ in lost:
                return "lost"
            self._fail(number, error)
            return "failed"
        return "done"

    def _restart(self, workers: Workers) -> Generator[Progress, Message, None]:
        """Start lost workers again, or connect to their scheduler, for up to a minute; wait."""
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise FitError(
                "the workers were lost again and again, perhaps because memory ran out; use fewer "
                "workers."
            )
        end = time.monotonic() + AGAIN
        while not self._ends((yield self._progress("workers were lost; starting them again"))):
            try:
                workers.restart()
            except FitError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)
            else:
                yield from self._ready(workers)
                return

    def _of_part(self, progress: Progress, number: int) -> Progress:
        """Return the progress of the run for that of a part."""
        stage = f"{progress.stage} (part {number + 1} of {self.found.total})"
        return replace(self._progress(stage), warning=progress.warning)

    def _progress(self, stage: str) -> Progress:
        seconds = time.monotonic() - self._started
        return Progress(stage, self._done, self.found.total, seconds=seconds, eta=self._eta())

    def _eta(self) -> float | None:
        """Return about how many seconds are left; None before a part is finished."""
        new, left = self._done - self._before, self.found.total - self._done
        coarse = min(left, self._plan.n_coarse)
        each = (self._seconds - self._begun) / new if new else None
        if left == coarse:
            return left * (self._coarse if each is None else each)
        return None if each is None else each * (left - coarse) + self._coarse * coarse

    def finished(self) -> Finished:
        """Return how the parts ended; completes the results if all are finished."""
        notes = self._state.notes()
        self.found.done = len(notes)
        texts: Iterable[str] = (text for note in notes.values() for text in note["warnings"])
        known = [*self._plan.warnings, *self.found.warnings]
        self.found.warnings = list(dict.fromkeys([*known, *_alike(texts)]))
        if self.found.is_complete:
            if self.found.is_late:  # the last part ended nevertheless
                self.found.stopped = self.found.is_late = False
            finish_plan(self._plan)
        return self.found


def _alike(texts: Iterable[str]) -> list[str]:
    """Return warnings of parts; of those that differ in numbers only, the first and their count."""
    kinds: dict[str, list[str]] = {}
    for text in texts:
        kinds.setdefault(re.sub(r"\d+(\.\d+)?", "0", text), []).append(text)
    found = []
    for first, *others in kinds.values():
        more = len(others)
        parts = "another part" if more == 1 else f"{more} other parts"
        same = not more or {first} == set(others)
        found.append(first if same else f"{first} The same kind of warning concerns {parts}.")
    return found
