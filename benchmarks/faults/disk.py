"""Disks that are full, read-only or removed while a command runs.

Calls of the file system fail in a copy of this process, from a random one on or only that one; or
no file may grow beyond a random size; or a folder is removed in the middle.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from forked import end_of
from harm.fits import FITS, Bench, advised, contents, n_calls, on_call
from outcome import Outcome

from napari_cellinr import read
from napari_cellinr.cli.shared import saving
from napari_cellinr.fitting.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Harm: TypeAlias = "Callable[[random.Random, Path, int], Callable[[], None]]"
"""Returns what harms a command: draws, the folder of its results, its calls of the file system."""

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
TRIED = ("denoise", "frames", "paper", "reconstruct", "render", "convert", "save")
LARGEST = 20_000
"""Bytes up to which a file may grow, at most; the largest files are larger."""

WHOLE = "one line says what is wrong; inputs as they were, each file whole or absent; "
SAVED = WHOLE + "once a fit is done, the advised command gives its result"
AGAIN = WHOLE + "given again, the command gives the same to the bit"
SAME = "status 0, and the results as without the fault, to the bit"


def run(tries: int | None, seed: int, names: Iterable[str] = TRIED) -> list[Outcome]:
    """Harm all commands in all ways.

    Parameters
    ----------
    tries
        How often each fault is tried.
    seed
        Of the commands and the calls.
    names
        The commands, tried in turn.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["XDG_STATE_HOME"] = str(Path(folder).resolve() / "state")
        bench = Bench(Path(folder).resolve())
        calls = {name: n_calls(bench, name) for name in names}
        trial = partial(outcome, bench, random.Random(seed), calls)
        return [
            trial("the disk is full from one call on", full(ERRORS, on=True), SAVED, tries or 60),
            trial("one call of the file system fails", full(ERRORS, on=False), SAVED, tries or 60),
            trial("the disk is read-only from one call on", full((errno.EROFS,), on=True), SAVED,
                  tries or 40),
            trial("no file can grow beyond a random size", small, AGAIN, tries or 40),
            trial("the folder of the checkpoint is removed", forgotten, SAME, tries or 30),
            trial("the folder of the results is removed", removed, SAVED, tries or 30),
        ]  # fmt: skip


def outcome(
    bench: Bench,
    draw: random.Random,
    calls: dict[str, int],
    fault: str,
    harm: Harm,
    rule: str,
    tries: int,
) -> Outcome:
    """Try one fault on commands in turn."""
    names = [name for name in calls if rule != SAME or name in FITS]
    found = []
    for number in range(tries):
        name, place = names[number % len(names)], bench.place()
        done = bench.folder / f"{place.name}.done"
        words = bench.words(name, place)
        begun = partial(harmed, done, harm(draw, place, calls[name]))
        process = bench.run(words, place, begun)
        found.append(after(bench, name, place, end_of(process), rule))
    wrong = sorted({text for text in found if text})
    return Outcome(fault, tries, sum(map(bool, found)), rule, "; ".join(wrong[:4]))


def harmed(done: Path, harm: Callable[[], None]) -> None:
    """Harm the process, and let it note when a fit is done, and when all is written."""
    writers, delete = saving._writers, Checkpoint.delete

    def all_is_written(checkpoint: Checkpoint) -> None:
        done.with_suffix(".written").touch()
        delete(checkpoint)

    Checkpoint.delete = all_is_written  # type: ignore[method-assign]

    def noted(*arguments: Any) -> Any:
        done.touch()
        return writers(*arguments)

    saving._writers = noted
    harm()


def full(errors: tuple[int, ...], *, on: bool) -> Harm:
    """Return a fault that lets calls of the file system fail."""

    def harm(draw: random.Random, place: Path, calls: int) -> Callable[[], None]:
        first, number = draw.randint(1, calls), draw.choice(errors)

        def fail(n: int) -> None:
            if n == first or (on and n > first):
                raise OSError(number, os.strerror(number))

        return lambda: on_call(place, fail)

    return harm


def small(draw: random.Random, place: Path, calls: int) -> Callable[[], None]:
    """Let no file grow beyond a random size."""
    most = draw.randrange(LARGEST)
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def forgotten(draw: random.Random, place: Path, calls: int) -> Callable[[], None]:
    """Remove the folder of the checkpoint, once it is there."""
    return gone(draw.randint(1, calls), lambda: list(place.glob("*checkpoint")), place)


def removed(draw: random.Random, place: Path, calls: int) -> Callable[[], None]:
    """Remove the folder for the results."""
    return gone(draw.randint(1, calls), lambda: [place], place)


def gone(first: int, found: Callable[[], list[Path]], place: Path) -> Callable[[], None]:
    """Return what removes folders once, at a call or later."""
    is_done, written = [False], place.with_name(f"{place.name}.written")

    def remove(n: int) -> None:
        if n < first or is_done[0] or written.exists():
            return
        is_done[0] = True  # what follows are calls, too
        for folder in found():
            shutil.rmtree(folder)

    return lambda: on_call(place, remove)


def after(bench: Bench, name: str, place: Path, status: int, rule: str) -> str:
    """Return what is wrong after a command that was harmed."""
    said = bench.said(place)
    errors = [line for line in said if line.startswith("error: ")]
    if status not in {0, 1, 2} or len(errors) != (status != 0):
        return f"{name}: status {status} {said[-1:]}"
    if other := [line for line in said if not line.startswith(("error: ", "warning: "))]:
        return f"{name}: it said {other[0]!r}"
    place.mkdir(exist_ok=True)
    if fault := bench.fault_now(name, place):
        return fault
    if status == 0:
        return "" if missing(bench, name, place) == [] else f"{name}: a file is missing"
    if rule == SAME:
        return f"{name}: {errors[0]}"
    if rule == AGAIN:
        return again(bench, name)
    return saved(bench, name, place, said)


def missing(bench: Bench, name: str, place: Path) -> list[str]:
    """Return the files that a command has not written."""
    return sorted(bench.wanted[name].keys() - contents(place, hidden=False).keys())


def again(bench: Bench, name: str) -> str:
    """Give a command again without the fault; return what is wrong."""
    place = bench.place()
    if end_of(bench.run(bench.words(name, place), place)) != 0:
        return f"{name}: given again: {bench.said(place)[-1:]}"
    return bench.fault(name, place)


def saved(bench: Bench, name: str, place: Path, said: list[str]) -> str:
    """Return what is wrong with the result that an error says how to get."""
    output = bench.words(name, bench.place())[2]
    words = advised(said, Path(output))
    if words is None:
        is_done = (bench.folder / f"{place.name}.done").exists()
        return f"{name}: the fit is lost {said[-1:]}" if is_done else again(bench, name)
    if end_of(bench.run(words, Path(output).parent)) != 0:
        return f"{name}: advised: {bench.said(Path(output).parent)[-1:]}"
    values = read(output).array()
    wanted = bench.wanted[name][Path(output).name]["values"]
    tolerance = {"rtol": 1e-4, "atol": 1e-2} if words[0] == "render" else {"rtol": 0, "atol": 0}
    return "" if np.allclose(values, wanted, **tolerance) else f"{name}: the result is another one"
