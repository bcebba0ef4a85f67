"""The command line of the package, each command in a process of its own on one thread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Folder"]

_ROOT = Path(__file__).parents[2]
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_WAIT = 120.0  # seconds after which a checkpoint is no longer waited for

_MAIN = """
import sys
from importlib import import_module
free, module, function = sys.argv.pop(1), *sys.argv.pop(1).split(":")
if free:
    import psutil
    memory = psutil.virtual_memory()._replace(available=int(free))
    psutil.virtual_memory = lambda: memory
sys.argv[0] = "napari-cellinr"
sys.exit(getattr(import_module(module), function)())
"""


@dataclass(frozen=True)
class Folder:
    """Where one run reads and writes, and how it calls the package.

    Parameters
    ----------
    path
        An empty folder.
    output
        What the commands of the run have printed, by a name.
    """

    path: Path
    output: dict[str, str] = field(default_factory=dict)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def cli(self, *words: object, free: int | None = None, keep: str = "", status: int = 0) -> str:
        """Run `napari-cellinr WORDS` and return what it prints.

        Parameters
        ----------
        words
            The words of the command line.
        free
            Free memory in bytes that the process is told; the true one if not given.
        status
            The exit status that is right.
        keep
            Name under which the printed text is compared; it is not compared if not given.

        Raises
        ------
        RuntimeError
            If the exit status is another one.
        """
        done = subprocess.run(self._words(words, free), **self._options(), check=False)
        if done.returncode != status:
            said = f"napari-cellinr {' '.join(map(str, words))}: status {done.returncode}"
            raise RuntimeError(f"{said}\n{done.stderr}")
        if keep:
            self.output[keep] = done.stdout
        return str(done.stdout)

    def python(self, text: str) -> None:
        """Run Python code in a process of its own, in this folder."""
        words = [sys.executable, "-c", text]
        done = subprocess.run(words, **self._options(), check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def killed(self, checkpoint: str, *words: object) -> None:
        """Run a command and kill it as soon as it has stored something in its checkpoint.

        Raises
        ------
        RuntimeError
            If it ends before.
        """
        words = (*words, "--checkpoint", checkpoint)
        process = subprocess.Popen(self._words(words, None), **self._options())
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() < begun + _WAIT:
            stored = {path.name for path in (self.path / checkpoint).rglob("[!.]*.cellinr")}
            if {"job.cellinr"} < stored:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        _, error = process.communicate()
        if process.returncode != -signal.SIGKILL:
            raise RuntimeError(f"it ended before it could be interrupted: {error}")

    def _words(self, words: tuple[object, ...], free: int | None) -> list[str]:
        given = ["" if free is None else str(free), _entry()]
        return [sys.executable, "-c", _MAIN, *given, *map(str, words)]

    def _options(self) -> dict[str, object]:
        paths = [str(_ROOT / "src"), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            **dict.fromkeys(_THREADS, "1"),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CUDA_VISIBLE_DEVICES": "",
        }
        pipe = subprocess.PIPE
        return {"cwd": self.path, "env": environment, "stdout": pipe, "stderr": pipe, "text": True}


def _entry() -> str:
    """Return the entry point of the command line, such as `package.module:function`."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["scripts"]["napari-cellinr"])
