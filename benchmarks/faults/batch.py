"""Batches that are killed, inputs that change, marks that are damaged.

Each batch is run again after the fault, and then has to be as if there had been none.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from forked import begin, end_of, kill
from outcome import Outcome

from napari_cellinr import Image, write
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import Macro, Source, Step
from napari_cellinr.macro.batch.items import SUMMARY
from napari_cellinr.macro.batch.run import iter_batch

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = {"estimate": "gaussian", "steps": 3}
DENOISE = Step("denoise", (Source("a"),), SETTINGS, ("a denoised",), seed=0)
PLAIN = Macro((DENOISE,))
SAVING = Macro(
    (
        DENOISE,
        Step("save", (Source("a denoised"),), {"path": "clean.tif"}),
        Step("save", (Source("a denoised"),), {"path": "fit.cellinr"}),
    )
)
N_IMAGES = 3

WORKERS = """
import json, sys
from napari_cellinr.fitting.problem import finish
from napari_cellinr.macro import Macro
from napari_cellinr.macro.batch.run import iter_batch

recipe, inputs, out = json.loads(sys.argv[1])
finish(iter_batch(Macro.from_json(recipe), inputs, out, workers=2))
"""


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Run all faults.

    Parameters
    ----------
    tries
        How often each is tried; by default as often as for the page.
    seed
        Of the times and kinds of the faults.
    """
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), draw)
        return [
            bench.outcome(*fault, tries or n_tries)
            for *fault, n_tries in (
                ("a batch is killed at a random time", bench.killed, SAME, 100),
                ("a batch with 2 workers is killed", bench.parent_killed, ENDED, 10),
                ("a worker process is killed", bench.child_killed, ALONE, 10),
                ("a mark in .done is damaged", bench.damaged, f"that image is redone; {SAME}", 60),
                ("an input changes while it is fitted", bench.changed, ALONE, 60),
                ("an input is missing", bench.missing, ALONE, 40),
            )
        ]


SAME = "the next run completes it; each file is equal to that of a batch without a fault"
ENDED = f"no process is left after 10 s; {SAME}"
ALONE = f"only that image fails; {SAME}"


class Bench:
    """Three small images, the results that a batch makes of them, and the faults."""

    def __init__(self, folder: Path, draw: random.Random) -> None:
        self.folder, self.draw = folder, draw
        self.count = 0
        self.wanted: dict[str, dict[str, str]] = {}
        self.seconds = 0.0
        noise = np.random.default_rng(0)
        self.images = [
            Image(noise.poisson(30, (2, 10, 12)).astype(np.float32), "ZYX") for _ in range(N_IMAGES)
        ]
        states(PLAIN, *self.fresh())  # loads and compiles what all copies need
        for macro in (PLAIN, SAVING):
            inputs, out = self.fresh()
            started = time.monotonic()
            assert finished(macro, inputs, out) == 0
            self.seconds = time.monotonic() - started
            self.wanted[macro.as_json()] = digests(out)

    def outcome(self, fault: str, one: Callable[[Macro], str], rule: str, tries: int) -> Outcome:
        """Try a fault, with both recipes in turn."""
        found = [one((PLAIN, SAVING)[n % 2]) for n in range(tries)]
        wrong = [text for text in found if text]
        return Outcome(fault, tries, len(wrong), rule, "; ".join(sorted(set(wrong))[:3]))

    def fresh(self) -> tuple[list[Path], Path]:
        """Return new inputs, and a folder for results."""
        self.count += 1
        place = self.folder / f"{self.count}"
        place.mkdir()
        inputs = [write(place / f"{n}.tif", image) for n, image in enumerate(self.images)]
        return inputs, place / "out"

    def killed(self, macro: Macro) -> str:
        """Kill a batch in one process."""
        inputs, out = self.fresh()
        process = begin(lambda: states(macro, inputs, out))
        time.sleep(self.draw.uniform(0, self.seconds))
        kill(process)
        return table_fault(out) or self.fault_after(macro, inputs, out)

    def parent_killed(self, macro: Macro) -> str:
        """Kill a batch whose images have processes of their own."""
        inputs, out = self.fresh()
        process = workers(macro, inputs, out)
        time.sleep(self.draw.uniform(0.5, 5))
        children = children_of(process)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, 10)
        left = [one.kill() for one in alive if one.status() != psutil.STATUS_ZOMBIE]
        if left:
            return f"{len(left)} processes were left"
        return table_fault(out) or self.fault_after(macro, inputs, out)

    def child_killed(self, macro: Macro) -> str:
        """Kill one of the processes of a batch."""
        inputs, out = self.fresh()
        process = workers(macro, inputs, out)
        while process.poll() is None and not children_of(process):
            time.sleep(0.02)
        time.sleep(self.draw.uniform(0, 2.5))
        killed = self.draw.sample(children := children_of(process), min(len(children), 1))
        for child in killed:
            child.kill()
        process.wait()
        ends = sorted(row["state"] for row in rows_of(out))
        if ends not in (["done"] * 3, ["done"] * 2 + ["failed"]):
            return f"{ends}"
        return self.fault_after(macro, inputs, out)

    def damaged(self, macro: Macro) -> str:
        """Damage the mark of one image."""
        inputs, out = self.fresh()
        if finished(macro, inputs, out):
            return "the first batch failed"
        mark = self.draw.choice(sorted((out / ".done").glob("*.json")))
        text = bytearray(mark.read_bytes())
        kind = self.draw.randrange(4)
        if kind == 0:
            text = text[: self.draw.randrange(len(text))]
        elif kind == 1:
            text = bytearray(self.draw.randbytes(len(text)))
        elif kind == 2:
            text = bytearray(len(text))
        else:
            place = self.draw.randrange(len(text) - 8)
            text[place : place + 8] = b"\0" * 8
        mark.write_bytes(bytes(text))
        return self.fault_after(macro, inputs, out, skipped=2)

    def changed(self, macro: Macro) -> str:
        """Change an input while the batch runs; restore it, with a new time stamp."""
        inputs, out = self.fresh()
        place = self.draw.randrange(N_IMAGES)
        write(inputs[place], self.images[place - 1])
        job = iter_batch(macro, inputs, out)
        n_steps = self.draw.randrange(1, 30)
        try:
            for _ in range(n_steps):
                next(job)
            write(inputs[place], self.images[place])
            rows = finish(job)
        except StopIteration as end:
            write(inputs[place], self.images[place])
            rows = end.value
        ends = [row.state for row in rows]
        allowed = [["done"] * 3, ["done"] * place + ["failed"] + ["done"] * (2 - place)]
        return f"{ends}" if ends not in allowed else self.fault_after(macro, inputs, out)

    def missing(self, macro: Macro) -> str:
        """Run a batch without one of its inputs."""
        inputs, out = self.fresh()
        place = self.draw.randrange(N_IMAGES)
        inputs[place].unlink()
        ends = [row.state for row in finish(iter_batch(macro, inputs, out))]
        if ends != ["done"] * place + ["failed"] + ["done"] * (2 - place):
            return f"{ends}"
        write(inputs[place], self.images[place])
        return self.fault_after(macro, inputs, out, skipped=2)

    def fault_after(
        self, macro: Macro, inputs: list[Path], out: Path, skipped: int | None = None
    ) -> str:
        """Run the batch again; return what is wrong then, or an empty text."""
        if finished(macro, inputs, out):
            return "the next run failed"
        n_skipped = [row["state"] for row in rows_of(out)].count("skipped")
        if skipped is not None and n_skipped != skipped:
            return f"{n_skipped} images were skipped"
        if digests(out) != self.wanted[macro.as_json()]:
            return "files differ"
        states(macro, inputs, out)
        states_now = {row["state"] for row in rows_of(out)}
        return "" if states_now == {"skipped"} else f"then {sorted(states_now)}"


def states(macro: Macro, inputs: list[Path], out: Path) -> int:
    """Run a batch; return how many images have failed."""
    rows = finish(iter_batch(macro, inputs, out))
    return sum(row.state not in {"done", "skipped"} for row in rows)


def finished(macro: Macro, inputs: list[Path], out: Path) -> int:
    """Run a batch in a process of its own to its end."""
    return end_of(begin(lambda: states(macro, inputs, out)))


def workers(macro: Macro, inputs: list[Path], out: Path) -> subprocess.Popen[bytes]:
    """Start a batch that processes two images at a time, each in a process of its own."""
    words = json.dumps([macro.as_json(), list(map(str, inputs)), str(out)])
    return subprocess.Popen([sys.executable, "-c", WORKERS, words], stderr=subprocess.DEVNULL)


def children_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return the processes that a process has started."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def rows_of(out: Path) -> list[dict[str, str]]:
    """Return the rows of the summary; none if there is no summary yet."""
    if not (out / SUMMARY).exists():
        return []
    with (out / SUMMARY).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table_fault(out: Path) -> str:
    """Return what is wrong with a summary that may be unfinished, but not half written."""
    rows = rows_of(out)
    whole = all(None not in row and None not in row.values() for row in rows)
    return "" if not rows or (whole and len(rows) == N_IMAGES) else "the summary is not whole"


def digests(out: Path) -> dict[str, str]:
    """Return a checksum of each result; of a saved fit, of its size, as it holds the time."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        if path.is_file() and name.parts[0] not in {".done", SUMMARY}:
            is_image = path.suffix == ".tif"
            found[f"{name}"] = hashlib.sha256(path.read_bytes()).hexdigest() if is_image else "fit"
    return {name: text for name, text in found.items() if ".cellinr-" not in name}
