"""Commands that fit, render, convert and save, run in a copy of this process that is harmed."""

from __future__ import annotations

import io
import os
import resource
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from forked import begin, end_of

from harm.commands import placed
from napari_cellinr import Image, read, write
from napari_cellinr.cli import main
from napari_cellinr.config.optics import KINDS
from napari_cellinr.io import load_fitted
from napari_cellinr.simulate.embryo import embryo

if TYPE_CHECKING:
    from collections.abc import Callable

ESTIMATE = ("--set", "estimate=gaussian")
STORED = ("--checkpoint-seconds", "0.001")
ALSO = ("--background-output", "made-background.nii.gz", "--save-fit", "made.cellinr")
MOVED = ("--motion", "made-motion.tif", "--save-fit", "made.cellinr")
DPC = KINDS["dpc"].example().as_json()
COMMANDS = {
    "denoise": ("denoise", "stack.tif", "made.tif", "--steps", "6", *ESTIMATE, *STORED, *ALSO),
    "frames": ("denoise", "pair.tif", "made.zarr", "--steps", "4", *ESTIMATE, *STORED),
    "tiles": ("denoise", "wide.tif", "made.tif", "--steps", "4", *ESTIMATE, *STORED),
    "superresolve": (
        "superresolve", "movie.tif", "made.zarr", "--steps", "4", "--scale", "t=2", *STORED,
        "--save-fit", "made.cellinr",
    ),
    "paper": (
        "superresolve", "movie.tif", "made.tif", "--preset", "paper", "--steps", "5",
        "--set", "latent=4", "--set", "neurons=8", "--set", "batch=64", "--scale", "t=2", *STORED,
    ),
    "reconstruct": (
        "reconstruct", "movie.tif", "made.tif", "--steps", "4", "--optics", DPC, *STORED, *MOVED,
    ),
    "render": ("render", "fit.cellinr", "made.zarr", "--scale", "2"),
    "convert": ("convert", "stack.tif", "made.zarr"),
    "save": ("convert", "stack.tif", "made.ome.tif"),
}  # fmt: skip
FITS = ("denoise", "frames", "tiles", "superresolve", "paper", "reconstruct")

EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "ctypes.dlsym")
"""What Python tells before a call of the file system; the last one comes before an exchange."""


@dataclass
class Bench:
    """Inputs, and the results of each command without a fault.

    Parameters
    ----------
    folder
        For everything; the present folder.
    """

    folder: Path
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_calls: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        """Make the inputs, and run each command once."""
        torch.set_num_threads(1)
        frames = [embryo("membranes", (4, 24, 24), seed=n).raw.array() for n in (0, 1)]
        movie = np.random.default_rng(0).poisson(30, (4, 12, 12)).astype(np.float32)
        write("stack.tif", Image(frames[0], "ZYX", (0.4, 0.2, 0.2)))
        wide = embryo("membranes", (6, 40, 72), seed=2).raw
        write("wide.tif", wide)
        write("pair.tif", Image(np.stack(frames), "TZYX", (2, 0.4, 0.2, 0.2)))
        units = ("second", "micrometer", "micrometer")
        write("movie.tif", Image(movie, "TYX", (1.0, 0.5, 0.5), units))
        assert silent(list(COMMANDS["denoise"]))[0] == 0
        Path("made.cellinr").rename("fit.cellinr")
        self.inputs = {path.name: path.read_bytes() for path in self.folder.glob("*.*")}

    def place(self) -> Path:
        """Return a new, empty folder."""
        self.count += 1
        place = self.folder / f"try-{self.count}"
        place.mkdir()
        return place

    def words(self, name: str, place: Path) -> list[str]:
        """Return the command that writes into a folder."""
        return placed(COMMANDS[name], self.folder, place)

    def run(self, words: list[str], place: Path, harm: Callable[[], None] | None = None) -> int:
        """Begin a command in a copy of this process, after it has been harmed; return its id."""

        def command() -> int:
            if harm is not None:
                harm()
            status, said = silent(words)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            with (self.folder / f"{place.name}.txt").open("a", encoding="utf-8") as file:
                file.write(said)
            return status

        return begin(command)

    def said(self, place: Path) -> list[str]:
        """Return the lines that the commands of a try have written to standard error."""
        path = self.folder / f"{place.name}.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def fault(self, name: str, place: Path) -> str:
        """Return what is wrong with the files after a command that has ended well."""
        for path, content in self.inputs.items():
            if (self.folder / path).read_bytes() != content:
                return f"{name}: the input {path} has changed"
        found = contents(place)
        if found.keys() != self.wanted[name].keys():
            return f"{name}: there is {sorted(found)}"
        for path, values in self.wanted[name].items():
            if not same(found[path], values):
                return f"{name}: {path} is another one"
        return ""

    def fault_now(self, name: str, place: Path) -> str:
        """Return what is wrong with the files that are there after a kill: each is whole."""
        try:
            found = contents(place, hidden=False)
        except Exception as error:  # whatever a broken file makes the reader raise
            return f"{name}: {type(error).__name__} {error}"
        old = {path: values for path, values in self.wanted[name].items() if path in found}
        wrong = [path for path, values in old.items() if not same(found[path], values)]
        return f"{name}: {wrong[0]} is neither old nor new" if wrong else ""


def silent(words: list[str]) -> tuple[int, str]:
    """Run a command; return its status and what it wrote to standard error."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        said = sys.stderr.getvalue()
        sys.stdout, sys.stderr = streams
    return status, said


def contents(place: Path, *, hidden: bool = True) -> dict[str, Any]:
    """Return what the files of a folder hold, without what differs from run to run.

    Parameters
    ----------
    place
        The folder.
    hidden
        Whether temporary files and checkpoints count, too.
    """
    found: dict[str, Any] = {}
    for path in place.iterdir():
        if path.name.startswith(".") or path.name.endswith("checkpoint"):
            if hidden:
                found[path.name] = None
        elif path.suffix == ".cellinr":
            found[path.name] = load_fitted(path)[1]
        else:
            image = read(path)
            found[path.name] = {"values": image.array(), "scale": np.array(image.scale)}
    return found


def same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Return whether two files hold the same, to the bit."""
    if one is None or other is None or one.keys() != other.keys():
        return False
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def on_call(place: Path, harm: Callable[[int], None]) -> None:
    """Call a function before each call of the file system that may change a folder.

    Parameters
    ----------
    place
        The folder.
    harm
        Gets the number of the call, from 1.
    """
    count = [0]
    start = f"{place}{os.sep}"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and changes(event, arguments, start):
            count[0] += 1
            harm(count[0])

    sys.addaudithook(hook)


def changes(event: str, arguments: tuple[Any, ...], start: str) -> bool:
    """Return whether a call of the file system may change a folder whose path begins like this."""
    if event == "ctypes.dlsym":
        return bool(arguments[1] == "renameat2")
    if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        return False
    return str(arguments[0]).startswith(start)


def n_calls(bench: Bench, name: str) -> int:
    """Return how many calls of the file system a command makes; its results are the wanted ones."""
    silent(bench.words(name, bench.place()))  # loads and compiles what all copies need
    place = bench.place()
    counter = bench.folder / f"{place.name}.count"

    def note(number: int) -> None:
        counter.write_text(f"{number}")

    assert end_of(bench.run(bench.words(name, place), place, lambda: on_call(place, note))) == 0, (
        bench.said(place)
    )
    bench.wanted[name] = contents(place)
    return int(counter.read_text())


def advised(said: list[str], output: Path) -> list[str] | None:
    """Return the command that an error advises to get a result, or None if it does not."""
    for line in said:
        if "lost: napari-cellinr " in line:
            words = shlex.split(line.split("lost: napari-cellinr ")[1])
            return [str(output) if word == "ELSEWHERE" else word for word in words]
    return None
