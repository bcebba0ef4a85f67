"""Standard output that is lost, and signals, on every command.

Each command runs in a copy of this process whose streams are closed, full, or pipes without a
reader, or which gets a signal at a random time.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from forked import begin, end_of
from harm.commands import placed
from outcome import Outcome

from napari_cellinr import Image, read, write
from napari_cellinr.cli import main
from napari_cellinr.config.optics import KINDS
from napari_cellinr.macro import Macro, Source, Step

if TYPE_CHECKING:
    from collections.abc import Callable

FIT = ("--steps", "3")
DPC = KINDS["dpc"].example().as_json()
COMMANDS = {
    "info": ("info", "raw.tif"),
    "optics": ("optics", "dpc"),
    "compare": ("compare", "raw.tif", "other.tif"),
    "plan": ("replay", "recipe.json", "--plan", "--folder", "planned"),
    "help": ("denoise", "--help"),
    "convert": ("convert", "raw.tif", "made.zarr"),
    "difference": ("compare", "raw.tif", "other.tif", "--difference", "made.tif"),
    "sample": ("sample", "embryo-nuclei", "made", "--size", "8,16,16"),
    "denoise": ("denoise", "raw.tif", "made.tif", *FIT, "--set", "estimate=gaussian"),
    "superresolve": ("superresolve", "movie.tif", "made.tif", *FIT, "--scale", "t=2"),
    "reconstruct": ("reconstruct", "movie.tif", "made.tif", *FIT, "--optics", DPC),
    "render": ("render", "fit.cellinr", "made.tif"),
    "show-motion": ("show-motion", "scene.cellinr", "made.csv", "--seeds", "2"),
    "replay": ("replay", "recipe.json", "--input", "raw.tif", "--folder", "made"),
    "batch": ("batch", "recipe.json", "raw.tif", "other.tif", "--folder", "made"),
}
ANSWERS = ("info", "optics", "compare", "plan", "help")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOST = "warning: standard output cannot be written"


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Run all commands with all faults.

    Parameters
    ----------
    tries
        How many signals each command gets; each way of losing a stream is tried once.
    seed
        Of the times of the signals.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        bench = Bench(Path(folder), random.Random(seed))
        return [
            outcome("standard output is closed", bench.all(lose_output("closed")), OUTPUT),
            outcome("standard output is on a full disk", bench.all(lose_output("full")), OUTPUT),
            outcome("nobody reads standard output", bench.all(lose_output("unread")), UNREAD),
            outcome("standard error is closed or full", bench.all(lose_errors), ERRORS),
            *(
                outcome(
                    f"{number.name} at a random time",
                    [one for _ in range(tries or 6) for one in bench.all(Signal(number))],
                    SIGNALLED,
                )
                for number in SIGNALS
            ),
        ]


OUTPUT = "files are written with status 0 and one warning; a lost answer is status 1 and one line"
UNREAD = "files are written with status 0 and one warning; a lost answer is status 141 in silence"
ERRORS = "files are written, status as without the fault"
SIGNALLED = "status 128 + n and one line; each file is whole, or not there"


def outcome(fault: str, found: list[str], rule: str) -> Outcome:
    """Return what was found for one fault."""
    wrong = sorted({text for text in found if text})
    return Outcome(fault, len(found), sum(map(bool, found)), rule, "; ".join(wrong[:4]))


class Bench:
    """Inputs for all commands."""

    def __init__(self, folder: Path, draw: random.Random) -> None:
        self.folder, self.draw, self.count = folder, draw, 0
        self.seconds: dict[str, float] = {}
        noise = np.random.default_rng(0)
        stack = noise.poisson(30, (2, 10, 12)).astype(np.float32)
        movie = noise.poisson(30, (4, 12, 12)).astype(np.float32)
        units = ("second", "micrometer", "micrometer")
        write("raw.tif", Image(stack, "ZYX"))
        write("other.tif", Image(stack + 1, "ZYX"))
        write("movie.tif", Image(movie, "TYX", (1.0, 0.5, 0.5), units))
        step = Step("denoise", (Source("a"),), {"estimate": "gaussian", "steps": 3}, seed=0)
        Path("recipe.json").write_text(Macro((step,)).as_json(), encoding="utf-8")
        quiet = silent(*COMMANDS["denoise"], "--save-fit", "fit.cellinr")
        assert quiet == 0
        assert silent(*COMMANDS["reconstruct"], "--overwrite", "--save-fit", "scene.cellinr") == 0
        Path("made.tif").unlink()

    def all(self, fault: Callable[[Bench, str, list[str], Path], str]) -> list[str]:
        """Run each command with a fault; return what was wrong with each."""
        found = []
        for name, words in COMMANDS.items():
            self.count += 1
            place = self.folder / f"try-{self.count}"
            place.mkdir()
            text = fault(self, name, placed(words, self.folder, place), place)
            found.append(f"{name}: {text}" if text else "")
        return found


def lose_output(kind: str) -> Callable[[Bench, str, list[str], Path], str]:
    """Return a fault that takes standard output away."""

    def fault(bench: Bench, name: str, words: list[str], place: Path) -> str:
        status, said = ended(begin(lambda: command(words, place, out=kind)), place)
        if name not in ANSWERS:
            warned = sum(line.startswith(LOST) for line in said)
            return report(status, 0, said) or files_fault(place) or ("" if warned == 1 else "mute")
        if kind == "unread":
            return report(status, 141, said) or ("" if not said else said[0])
        return report(status, 1, said) or ("" if len(said) == 1 else "more than one line")

    return fault


def lose_errors(bench: Bench, name: str, words: list[str], place: Path) -> str:
    """Take standard error away, in one way or another."""
    kind = bench.draw.choice(["closed", "full", "unread"])
    started = time.monotonic()
    status, said = ended(begin(lambda: command(words, place, errors=kind)), place)
    bench.seconds[name] = time.monotonic() - started
    return report(status, 0, said) or ("" if name in ANSWERS else files_fault(place))


class Signal:
    """A signal at a random time of a command."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __call__(self, bench: Bench, name: str, words: list[str], place: Path) -> str:
        """Send it; return what was wrong."""
        ready, told = os.pipe()
        process = begin(lambda: command(words, place, told=told))
        os.close(told)
        os.read(ready, 1)
        os.close(ready)
        time.sleep(0.01 + bench.draw.uniform(0, bench.seconds.get(name, 0.3)))
        os.kill(process, self.number)
        status, said = ended(process, place)
        if status == -self.number:  # it came when the command was over; 128 + n for a shell
            return files_fault(place, some=name not in ANSWERS)
        if status not in {0, 128 + self.number}:
            return f"status {status} {said[-1:]}"
        if status and not any("stopped" in line for line in said):
            return "no sentence"
        return report(status, status, said) or files_fault(
            place, some=status == 0 and name not in ANSWERS
        )


def command(
    words: list[str], place: Path, out: str = "", errors: str = "", told: int | None = None
) -> int:
    """Run a command in this copy of the process, with these streams, as an interpreter does."""
    lose(0, "closed" if errors == "closed" else "null", place)
    lose(1, out or "null", place)
    lose(2, errors or "file", place)
    sys.stdin = None  # type: ignore[assignment]
    sys.stdout, sys.stderr = stream(1, out), stream(2, errors)  # type: ignore[assignment]
    if told is not None:
        os.write(told, b"!")
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for one in (sys.stdout, sys.stderr):
        try:
            one.flush()
        except (OSError, ValueError):
            return 120  # as an interpreter ends that cannot flush its streams
    return status


def lose(number: int, kind: str, place: Path) -> None:
    """Close a stream, or let it lead somewhere."""
    os.close(number)
    if kind == "closed":
        return
    if kind == "unread":
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, number)
        return
    path = {"full": "/dev/full", "null": os.devnull, "file": str(place / "said.txt")}[kind]
    found = os.open(path, os.O_RDWR | os.O_CREAT)
    if found != number:
        os.dup2(found, number)
        os.close(found)


def stream(number: int, kind: str) -> io.TextIOWrapper | None:
    """Return the stream of Python for a file descriptor; None if that is closed."""
    if kind == "closed":
        return None
    return io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w", closefd=False)), "utf-8")


def silent(*words: str) -> int:
    """Run a command in this process without a word, and return its status."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        return main(words)
    finally:
        sys.stdout, sys.stderr = streams


def ended(process: int, place: Path) -> tuple[int, list[str]]:
    """Return the status of a process, and the lines that it wrote to standard error."""
    status = end_of(process)
    said = place / "said.txt"
    return status, said.read_text(encoding="utf-8").splitlines() if said.exists() else []


def report(status: int, wanted: int, said: list[str]) -> str:
    """Return what is wrong with a status, and with lines on standard error."""
    if status != wanted:
        return f"status {status}, {wanted} was wanted {said[-1:]}"
    other = [line for line in said if not line.startswith(("warning: ", "error: "))]
    return f"it said {other[0]!r}" if other else ""


def files_fault(place: Path, *, some: bool = True) -> str:
    """Return what is wrong with the files of a command: none, or one that is not whole."""
    made = [*place.glob("made*"), *place.glob("made/*")]
    if some and not made:
        return "no file"
    left = [path.name for path in place.rglob(".cellinr-*")]
    if left:
        return f"{left[0]} was left"
    try:
        for path in made:
            if path.suffix in {".tif", ".zarr"}:
                read(path)
    except Exception as error:  # whatever a broken file makes the reader raise
        return f"{type(error).__name__} of {path.name}"
    return ""
