"""Runs of methods in processes of their own, so that time and memory are theirs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
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


def run(case: Case, method: Method, settings: dict[str, Any], n_threads: int = 1) -> Run | None:
    """Return a run from the cache, or else make it; None if that is impossible."""
    found = find_run(case, method, settings)
    python = python_of(method.environment)
    if found or not python:
        return found
    path = run_path(case, method, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    job = {
        "module": method.module,
        "function": method.function,
        "settings": settings,
        "noise": asdict(noise_of(case)),
        "scale": case.scale,
        "path": str(path),
        "source": str(PACKAGE.parent),
    }
    np.save(path.with_suffix(".raw.npy"), case.raw)
    path.with_suffix(".job").write_text(json.dumps(job))
    worker = [python, "-W", "ignore", str(HERE / "worker.py"), str(path.with_suffix(".job"))]
    environment = {**os.environ, **dict.fromkeys(THREADS, str(n_threads))}
    log = path.with_suffix(".log")
    with log.open("w") as stream:
        ended = subprocess.run(
            worker, env=environment, stdout=stream, stderr=stream, check=False, cwd=path.parent
        )
    path.with_suffix(".raw.npy").unlink()
    path.with_suffix(".job").unlink()
    if ended.returncode:
        lines = log.read_text(errors="replace").strip().splitlines()
        print(f"  {method.name} failed on {case.name}: {lines[-1] if lines else 'no message'}")
        return None
    log.unlink()
    return find_run(case, method, settings)
