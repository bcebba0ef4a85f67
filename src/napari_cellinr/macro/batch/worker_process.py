"""One image of a batch in a process of its own: if that dies, the others go on."""

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

from napari_cellinr.macro.batch.item import done_with, row_of
from napari_cellinr.macro.batch.items import Item, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Child", "main"]

_PATIENCE: Final = 2.0  # seconds that a process gets to end by itself

_CODE: Final = "from napari_cellinr.macro.batch.worker_process import main; main()"


class Child:
    """A process that does the steps of a recipe with one image.

    It is a plain Python: one of `multiprocessing` runs the main script of its parent again, and
    in napari that is the last script that was dropped onto a viewer.

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
    protected
        Files that it must not write: the inputs of the whole batch.
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
        self._begun = time.monotonic()
        self._answer = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._complaints = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=self._complaints,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            text=True,
        )
        words = {
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
        self._process.stdin.write(json.dumps(words))
        self._process.stdin.close()

    def row(self) -> Row | None:
        """Return what became of the image once the process has ended; nothing before."""
        code = self._process.poll()
        if code is None:
            return None
        answer = _lines(self._answer)
        seconds = time.monotonic() - self._begun
        if code == 0 and answer:
            values: dict[str, Any] = json.loads(answer[-1])
            found = Row(**{**values, "written": tuple(values["written"])})
        else:
            said = _lines(self._complaints)
            text = f"its process ended with status {code}; it may have run out of memory."
            found = row_of(self.item, "failed", seconds, " ".join([text, *said[-1:]]))
        self.end()
        return found

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._answer.close()
        self._complaints.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid


def main() -> None:
    """Do the steps that standard input tells, and write the row to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends us
    words = json.load(sys.stdin)
    sys.path[:] = list(dict.fromkeys([*sys.path, *words["modules"]]))
    from napari_cellinr.fitting.problem import finish
    from napari_cellinr.macro.steps import Macro

    item = Item(Path(words["path"]), words["series"], words["time"])
    recipe = Macro.from_json(words["recipe"])
    protected = [Path(path) for path in words["protected"]]
    row = finish(done_with(recipe, item, Path(words["folder"]), words["name"], protected))
    sys.stdout.write(f"\n{json.dumps(asdict(row))}\n")


def _lines(file: Any) -> list[str]:
    """Return the lines of a file that are not empty."""
    file.seek(0)
    return [line.strip() for line in file if line.strip()]
