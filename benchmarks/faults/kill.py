"""Kills of fits, of rendering, of converting and of saving.

Each command is killed by SIGKILL at a random time, or before a random call of the file system, and
is then resumed from its checkpoint, or given again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from forked import end_of, kill
from harm.fits import COMMANDS, FITS, Bench, n_calls, on_call
from outcome import Outcome

from napari_cellinr.methods.cellinr import tiling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WHOLE = "inputs as they were; each file is old, new or absent; "
TRIES = {"denoise": 15, "frames": 15, "tiles": 15, "superresolve": 10, "reconstruct": 15}
TILED = 2.6e7
"""Bytes that are enough for a part of the image, but not for all of it."""

RULE = WHOLE + "the resumed or repeated command gives the same to the bit, and nothing else is left"


def run(tries: int | None, seed: int, names: Iterable[str] = COMMANDS) -> list[Outcome]:
    """Kill each command.

    Parameters
    ----------
    tries
        How often each command is killed in each way.
    seed
        Of the times of the kills.
    names
        The commands.
    """
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        bench = Bench(Path(folder).resolve())
        return [outcome(bench, draw, name, tries) for name in names]


def outcome(bench: Bench, draw: random.Random, name: str, tries: int | None) -> Outcome:
    """Kill one command in both ways, and once more if it replaces older results."""
    with tiles(name):
        calls = n_calls(bench, name)
        started = time.monotonic()
        end_of(bench.run(bench.words(name, place := bench.place()), place))
        seconds = time.monotonic() - started
        each = tries or TRIES.get(name, 20)
        found = [at_a_time(bench, name, draw.uniform(0, seconds)) for _ in range(each)]
        found += [at_a_call(bench, name, draw.randint(1, calls)) for _ in range(each)]
    wrong = sorted({text for text in found if text})
    fault = f"{name} is killed" + (" while it stores checkpoints" if name in FITS else "")
    measured = f"killed before one of {calls} calls, or within {seconds:.1f} s"
    return Outcome(fault, len(found), sum(map(bool, found)), RULE, "; ".join([measured, *wrong]))


@contextlib.contextmanager
def tiles(name: str) -> Iterator[None]:
    """Let the memory be enough for tiles only, where these are tried."""
    before = tiling.available_memory
    tiling.available_memory = (lambda: TILED) if name == "tiles" else before
    try:
        yield
    finally:
        tiling.available_memory = before


def at_a_time(bench: Bench, name: str, seconds: float) -> str:
    """Kill a command some time after it was begun; half of them replace an older result."""
    place = bench.place()
    process = bench.run(bench.words(name, place), place)
    time.sleep(seconds)
    kill(process)
    return after(bench, name, place)


def at_a_call(bench: Bench, name: str, number: int) -> str:
    """Kill a command before a call of the file system; it replaces what it has written before."""
    place = bench.place()
    words = bench.words(name, place)
    if number % 2:
        assert end_of(bench.run(words, place)) == 0
        words.append("--overwrite")

    def harm(n: int) -> None:
        if n == number:
            os.kill(os.getpid(), signal.SIGKILL)

    end_of(bench.run(words, place, lambda: on_call(place, harm)))
    return after(bench, name, place)


def after(bench: Bench, name: str, place: Path) -> str:
    """Resume a killed command, or give it again; return what is wrong."""
    if fault := bench.fault_now(name, place):
        return fault
    words = bench.words(name, place)
    checkpoints = [path.parent for path in place.glob("*checkpoint/job.cellinr")]
    if checkpoints:
        words = [*words[:3], "--resume", str(checkpoints[0]), *files(words)]
    status = end_of(bench.run([*words, "--overwrite"], place))
    if status:
        return f"{name}: status {status} {bench.said(place)[-1:]}"
    return bench.fault(name, place)


def files(words: list[str]) -> list[str]:
    """Return the options of a command that name further files."""
    flags = ("--background-output", "--save-fit", "--motion")
    pairs = itertools.pairwise(words)
    return [word for pair in pairs if pair[0] in flags for word in pair]
