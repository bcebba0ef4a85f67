"""How much faster two workers are than one, one thread each.

Two cores share caches and memory, and the computer other work, so that the throughput of two
processes that know nothing of each other is measured in turn with that of the workers.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recordings import frames

from napari_cellinr import denoise, read, write
from napari_cellinr.config import CellINRConfig
from napari_cellinr.fitting.problem import finish
from napari_cellinr.runs.scale.executors import open_workers
from napari_cellinr.runs.scale.make import make_plan
from napari_cellinr.runs.scale.run import run_plan
from napari_cellinr.runs.scale.source import Source

if TYPE_CHECKING:
    from napari_cellinr.runs.scale.plan import Plan

SETTINGS = {"coupling": False}
FRAMES, SHAPE = 16, (16, 48, 48)
"""Of the movie; each of its frames is a part."""


def compared(rounds: int, scheduler: str | None) -> dict[str, Any]:
    """Return the times that one and two workers take for the same plan, in turn.

    Parameters
    ----------
    rounds
        How often each is measured.
    scheduler
        Of the workers, as for the command line; processes of this computer if not given.

    Returns
    -------
    dict
        Number of parts; seconds of each round by number of workers, without the start of the
        workers; how many times faster two are than one in the median of the rounds; and how many
        times the throughput of one process two independent ones have.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan = _planned(Path(folder).resolve())
        seconds: dict[int, list[float]] = {1: [], 2: []}
        alone: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for number in (1, 2):
                seconds[number].append(_timed(plan, number, scheduler))
                alone[number].append(_independent(Path(folder) / "in.zarr", number))
    faster, limit = _ratio(seconds), 2 * _ratio(alone)
    return {"parts": len(plan.parts), "seconds": seconds, "faster": faster, "limit": limit}


def _ratio(seconds: dict[int, list[float]]) -> float:
    """Return the time of one relative to that of two, in the median of the rounds."""
    return statistics.median(one / two for one, two in zip(seconds[1], seconds[2], strict=True))


def _independent(path: Path, number: int) -> float:
    """Return the seconds in which each of some processes denoises a whole movie alone."""
    command = [sys.executable, __file__, str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(number)
    ]
    return statistics.mean(float(one.communicate()[0]) for one in processes)


def _planned(folder: Path) -> Plan:
    write(folder / "in.zarr", frames(FRAMES, SHAPE))
    outputs = {"result": str(folder / "out.zarr")}
    config = CellINRConfig(**SETTINGS)
    return make_plan("denoise", Source(str(folder / "in.zarr")), config, outputs, 1e12)


def _timed(plan: Plan, number: int, scheduler: str | None) -> float:
    """Return the seconds of all parts; the workers have computed them once before."""
    workers = open_workers(scheduler, number, threads=1)
    try:
        for _ in range(2):
            started = time.monotonic()
            found = finish(run_plan(plan, workers, overwrite=True))
            assert found.is_complete, found.failed
    finally:
        workers.close(stop=True)
    return time.monotonic() - started


if __name__ == "__main__":
    image = read(sys.argv[1])
    warnings.simplefilter("ignore")
    denoise(image.take("T", 0), **SETTINGS)
    started = time.monotonic()
    denoise(image.crop(T=(0, 4)), **SETTINGS)
    print(time.monotonic() - started)
