"""Processes one image of a batch in a process of its own; if it crashes, the others continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.macro.batch.item import replay_with, row_of
from napari_cellinr.macro.batch.items import Item, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["WorkerProcess", "main"]

_GRACE_PERIOD: Final = 2.0  # seconds for a process to end before it is killed

_CODE: Final = "from napari_cellinr.macro.batch.worker_process import main; main()"


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
    folder, name, protected
        As for `replay_with`.
    threads
        Number of threads that it may use.
    """

    def __init__(
        self,
        recipe: str,
        item: Item,
        folder: Path,
        name: str,
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
        )
        request = {
            "recipe": recipe,
            "path": str(item.path),
            "series": item.series,
            "time": item.time,
            "folder": str(folder),
            "name": name,
            "protected": list(map(str, protected)),
            "modules": [path for path in sys.path if path],
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request))
        self._process.stdin.close()

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

    def end(self) -> None:
        """End the process, and kill it if it does not end in time."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_GRACE_PERIOD)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._answer.close()
        self._errors.close()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid


def main() -> None:
    """Process the request on standard input, and write the row to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends this one
    request = json.load(sys.stdin)
    sys.path[:] = list(dict.fromkeys([*sys.path, *request["modules"]]))
    from napari_cellinr.fitting.problem import finish
    from napari_cellinr.macro.steps import Macro

    item = Item(Path(request["path"]), request["series"], request["time"])
    recipe = Macro.from_json(request["recipe"])
    protected = [Path(path) for path in request["protected"]]
    folder, name = Path(request["folder"]), request["name"]
    row = finish(replay_with(recipe, item, folder, name, protected))
    sys.stdout.write(f"\n{json.dumps(asdict(row))}\n")


def _lines(file: Any) -> list[str]:
    """Return the lines of a file that are not empty."""
    file.seek(0)
    return [line.strip() for line in file if line.strip()]
