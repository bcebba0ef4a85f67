"""Results on disk, one per case, method, settings and state of the code; made in processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.runs import Run, code_files, digest, digest_of, failure, stored_run
from data import BUILD, ROOT, Case

if TYPE_CHECKING:
    from peers import Method

HERE = Path(__file__).parent
PACKAGE = ROOT / "src" / "napari_cellinr"
_OURS = (
    *("methods/spatime/*.py", "methods/spatime/between/*.py", "config/spatime.py"),
    *("methods/spatime/finer/*.py", "classic/camera/noise.py"),
    *("fields/plane.py", "fields/trajectory.py"),
    *("classic/cell_means.py", "classic/sampling.py"),
)
_PUBLISHED = ("methods/spatime/published/*.py", "fields/hypercube.py", "fields/rcan.py")
_PEERS = ("classic/interpolate.py", "classic/sampling.py", "classic/warping.py")


def run_path(case: Case, method: Method, settings: dict[str, Any]) -> Path:
    """Return where a run is kept, without suffix: a name made of all that it depends on."""
    facts = [settings, case.scale, case.low.shape, code_of(method), _input(case)]
    state = digest(json.dumps(facts, sort_keys=True).encode())
    return BUILD / "runs" / case.name / f"{method.name}-{state}"


@cache
def code_of(method: Method) -> str:
    """Return a digest of the code that a method consists of."""
    patterns = _OURS if method.function == "field_of" else _PEERS
    if method.settings.get("preset") == "paper":
        patterns += _PUBLISHED
    files = code_files(PACKAGE, patterns)
    if method.function == "elsewhere":
        files.append(HERE / "flows_of_file.py")
    return digest_of(files)


def find_run(case: Case, method: Method, settings: dict[str, Any]) -> Run | None:
    """Return a finished run, or None."""
    return stored_run(run_path(case, method, settings))


def latest_run(case: Case, method: Method, settings: dict[str, Any]) -> Run | None:
    """Return the newest run with these settings on this very input, by whatever code."""
    folder = run_path(case, method, settings).parent
    given = _input(case)
    records = sorted(folder.glob(f"{method.name}-*.json"), key=lambda p: p.stat().st_mtime)
    for record in reversed(records):
        facts = json.loads(record.read_text())
        if "code" in facts and (facts["settings"], facts["input"]) == (settings, given):
            return Run(record.with_suffix(".npz"), facts)
    return None


def _input(case: Case) -> str:
    """Return a digest of the input."""
    return digest(np.asarray(case.low.array()).tobytes())


def make_run(
    case: Case, method: Method, settings: dict[str, Any], n_threads: int = 1
) -> Run | None:
    """Return a run, from the disk or made by a process of its own; None if it fails."""
    if found := find_run(case, method, settings):
        return found
    path = run_path(case, method, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    job = {"case": case.name, "function": method.function, "settings": settings}
    job |= {"path": str(path), "code": code_of(method), "input": _input(case)}
    order = path.with_suffix(".job")
    order.write_text(json.dumps(job))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(n_threads))
    command = [sys.executable, "-W", "ignore", str(HERE / "worker.py"), str(order)]
    log = path.with_suffix(".log")
    with log.open("w") as stream:
        ended = subprocess.run(
            command, env={**os.environ, **threads}, stdout=stream, stderr=stream, check=False
        )
    order.unlink()
    if ended.returncode:
        print(f"  {case.name} {method.name} failed: {failure(log)}")
        return None
    log.unlink()
    return find_run(case, method, settings)
