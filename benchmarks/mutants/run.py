"""Runs tests in a copy of the tree, each time in a new process in which libraries are loaded."""

from __future__ import annotations

import compileall
import multiprocessing
import os
import py_compile
import shutil
import signal
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection

    from table import Mutant

ROOT = Path(__file__).parents[2]

PACKAGE = "src/napari_cellinr"

LIBRARIES = (
    "torch", "torch._dynamo", "torch.optim", "scipy.ndimage", "scipy.sparse", "scipy.optimize",
    "skimage.metrics", "skimage.measure", "pydantic", "zarr", "tifffile", "nibabel", "pytest",
    "hypothesis", "safetensors.numpy", "psutil", "tqdm", "PIL.Image",
)  # fmt: skip
"""What most tests import; loaded once, since that takes longer than the tests."""


@dataclass(frozen=True)
class Outcome:
    """How a run of tests ended.

    Parameters
    ----------
    passed
        Whether all tests passed, and there was at least one.
    failed
        The first test that failed, or why there is none.
    output
        What pytest printed.
    """

    passed: bool
    failed: str = ""
    output: str = ""


class _FirstFailure:
    """Notes the first test that fails, or the first file that cannot be collected."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._note(report)

    def pytest_collectreport(self, report: Any) -> None:
        self._note(report)

    def _note(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


class Copy:
    """A copy of sources and tests in which one text at a time is replaced.

    Parameters
    ----------
    folder
        An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        # Checked by their contents: a mutant may be as long and as old as the original.
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "src", quiet=1, invalidation_mode=mode)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(LIBRARIES))

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Replace the text of a mutant inside the context."""
        path = self.folder / PACKAGE / mutant.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")

    def test(self, paths: Sequence[str], words: str, seconds: float) -> Outcome:
        """Run tests until the first one fails.

        Parameters
        ----------
        paths
            Test files, relative to the tree.
        words
            Expression that selects tests by name, as `-k` of pytest; empty for all.
        seconds
            Time after which they count as failed.
        """
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (self.folder, [*paths, *(["-k", words] if words else [])], sender)
        process = self._context.Process(target=_run, args=arguments)
        process.start()
        sender.close()
        process.join(seconds)
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            return Outcome(passed=False, failed=f"no end after {seconds:g} s")
        output = (self.folder / "output.txt").read_text(encoding="utf-8", errors="replace")
        try:
            code, failed = receiver.recv()
        except EOFError:
            return Outcome(passed=False, failed="the process crashed", output=output)
        if code == 0:
            return Outcome(passed=True, output=output)
        return Outcome(passed=False, failed=failed or f"pytest ended with {code}", output=output)


@contextmanager
def copies(count: int) -> Iterator[list[Copy]]:
    """Make some copies of the tree for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        folders = [Path(place) / str(number) for number in range(count)]
        for folder in folders:
            folder.mkdir()
        yield [Copy(folder) for folder in folders]


def _run(folder: Path, arguments: list[str], sender: Connection) -> None:
    """Run pytest in a copy, and send its exit code and the first test that failed."""
    os.setsid()  # with its own processes it can be ended together
    os.chdir(folder)
    with open("output.txt", "w", encoding="utf-8") as file:  # noqa: PTH123
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.path.insert(0, str(folder / "src"))
    sys.dont_write_bytecode = True
    os.environ |= {
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OMP_NUM_THREADS": "1",
    }
    import pytest
    import torch

    torch.set_num_threads(1)
    first = _FirstFailure()
    usual = ["-q", "-x", "-p", "pytest_timeout", "-p", "no:cacheprovider", "--tb=short"]
    ignored = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is loaded already
    code = pytest.main([*usual, *ignored, *arguments], plugins=[first])
    sender.send((int(code), first.name))
    sys.stdout.flush()
    os._exit(0)  # threads of a test that failed may never end
