"""Runs of methods in processes of their own, so that time and memory are theirs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.runs import failure
from store import BUILD, HERE, PACKAGE, Run, find_run, noise_of, run_path

if TYPE_CHECKING:
    from catalogue import Method
    from data import Case

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def python_of(environment: str) -> str | None:
    """Return the interpreter of an environment, or None if it was not made."""
    if environment == "own":
        return sys.executable
    python = BUILD / environment / "bin" / "python"
    return str(python) if python.exists() else None


def run(
    case: Case, method: Method, candidates: list[dict[str, Any]], n_threads: int = 1
) -> list[Run | None]:
    """Return the runs with all these settings, from the cache or made by one process.

    None where that is impossible. Cost is only meaningful for the first run of a process.
    """
    missing = [settings for settings in candidates if not find_run(case, method, settings)]
    python = python_of(method.environment)
    if missing and python:
        jobs = [_job(case, method, settings) for settings in missing]
        _work(python, jobs, n_threads)
    return [find_run(case, method, settings) for settings in candidates]


def _job(case: Case, method: Method, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what the child process has to know."""
    path = run_path(case, method, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path.parent / "raw.npy", case.raw)
    return {
        "module": method.module,
        "function": method.function,
        "settings": settings,
        "noise": asdict(noise_of(case)),
        "scale": case.scale,
        "raw": str(path.parent / "raw.npy"),
        "path": str(path),
        "source": str(PACKAGE.parent),
    }


def _work(python: str, jobs: list[dict[str, Any]], n_threads: int) -> None:
    """Run jobs one after the other in a child process; say so if it fails."""
    first = Path(jobs[0]["path"])
    order, log = first.with_suffix(".jobs"), first.with_suffix(".log")
    order.write_text(json.dumps(jobs))
    command = [python, "-W", "ignore", str(HERE / "worker.py"), str(order)]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(n_threads))}
    with log.open("w") as stream:
        ended = subprocess.run(
            command, env=environment, stdout=stream, stderr=stream, check=False, cwd=first.parent
        )
    order.unlink()
    if ended.returncode:
        print(f"  {first} failed: {failure(log)}")
    else:
        log.unlink()
