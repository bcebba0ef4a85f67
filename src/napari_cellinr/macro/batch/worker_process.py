"""Processes one image of a batch in a process of its own; if it crashes, the others continue.

The process reads its request from a pipe that its parent keeps open. When the pipe ends, the parent
is gone, however that was, and the process ends, too, with all that it has started itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.macro.batch.item import replay_with, row_of
from napari_cellinr.macro.batch.items import Item, Row
from napari_cellinr.macro.batch.marks import Mark
from napari_cellinr.macro.batch.targets import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["WorkerProcess", "main"]

_GRACE_PERIOD: Final = 2.0  # seconds for a process to end before it is killed

_TERMINATED: Final = 128 + signal.SIGTERM

_CODE: Final = "from napari_cellinr.macro.batch.worker_process import main; main()"

_orphaned = threading.Event()
"""Set in a worker process whose parent is gone."""


class WorkerProcess:
    """A process that does the steps of a recipe with one image.

    It is started as a new Python interpreter. A process of `multiprocessing` would run the main
    script of its parent again; in napari that is the last script that was dropped onto a viewer.

    Parameters
    ----------
    recipe
        The steps as JSON.
    item
        The image.
    target, protected
        As for `replay_with`.
    threads
        Number of threads that it may use.

    Raises
    ------
    OSError
        If the system starts no other process.
    """

    def __init__(
        self,
        recipe: str,
        item: Item,
        target: Target,
        threads: int,
        protected: Sequence[Path] = (),
    ) -> None:
        self.item = item
        self._started = time.monotonic()
        self._answer = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            text=True,
            start_new_session=True,  # signals of the terminal reach the parent, which ends this one
        )
        request = {
            "recipe": recipe,
            "path": str(item.path),
            "series": item.series,
            "time": item.time,
            "folder": str(target.folder),
            "name": target.name,
            "place": str(target.place),
            "mark": asdict(target.mark),
            "replaces_others": target.replaces_others,
            "protected": list(map(str, protected)),
            "modules": [path for path in sys.path if path],
        }
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended already; its row will say so
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def row(self) -> Row | None:
        """Return the row of the image once the process has ended; None before."""
        code = self._process.poll()
        if code is None:
            return None
        answer = _lines(self._answer)
        seconds = time.monotonic() - self._started
        if code == 0 and answer:
            values: dict[str, Any] = json.loads(answer[-1])
            found = Row(**{**values, "written": tuple(values["written"])})
        else:
            errors = _lines(self._errors)
            text = f"its process ended with status {code}; it may have run out of memory."
            found = row_of(self.item, "failed", seconds, " ".join([text, *errors[-1:]]))
        self.end()
        return found

    def ask_to_end(self) -> None:
        """Tell the process to remove what is unfinished and to end, without waiting for it."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """End the process, and kill it if it does not end in time, and what it has started."""
        self.ask_to_end()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_PERIOD)
        if self._process.poll() is None or sys.platform != "win32":
            _kill_group(self._process.pid)
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._answer.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid


def main() -> None:
    """Process the request on standard input, and write the row to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one
    signal.signal(signal.SIGTERM, _end)
    request = json.loads(sys.stdin.readline())
    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        row = _row_of(request)
    finally:  # also where the parent is gone while modules are imported
        if _orphaned.is_set():  # otherwise, the parent kills what this process has started
            _kill_group(os.getpid())
    sys.stdout.write(f"\n{json.dumps(asdict(row))}\n")


def _row_of(request: dict[str, Any]) -> Row:
    """Return the row of the image that a request names, once it is processed."""
    sys.path[:] = list(dict.fromkeys([*sys.path, *request["modules"]]))
    from napari_cellinr.fitting.problem import finish
    from napari_cellinr.macro.steps import Macro

    item = Item(Path(request["path"]), request["series"], request["time"])
    recipe = Macro.from_json(request["recipe"])
    protected = [Path(path) for path in request["protected"]]
    target = Target(
        Path(request["folder"]),
        request["name"],
        Path(request["place"]),
        Mark(**request["mark"]),
        request["replaces_others"],
    )
    return finish(replay_with(recipe, item, target, protected))


def _end(number: int, frame: FrameType | None) -> None:
    """End the process as after an error, so that unfinished files are removed."""
    raise SystemExit(_TERMINATED)


def _end_with_parent() -> None:
    """Wait until the parent has closed its end of the pipe, or is gone; then end the process."""
    with suppress(OSError):
        while os.read(0, 1024):  # below the buffer of sys.stdin, which a thread must not hold
            pass
    _orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_PERIOD)
    _kill_group(os.getpid())


def _kill_group(pid: int) -> None:
    """Kill a process of this module, with all that it has started."""
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)
    else:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _lines(file: Any) -> list[str]:
    """Return the lines of a file that are not empty."""
    file.seek(0)
    return [line.strip() for line in file if line.strip()]
