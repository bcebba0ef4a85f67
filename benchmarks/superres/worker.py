"""The child process: one method on one case."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

import peers
from common.runs import cpu_seconds, peak_mb
from data import case


def main(file: str) -> None:
    job = json.loads(Path(file).read_text())
    subject = case(job["case"])
    function = getattr(peers, job["function"])
    wall, cpu = time.perf_counter(), cpu_seconds()
    result = function(subject.low, subject.scale, **job["settings"])
    record = {
        "settings": job["settings"],
        "code": job["code"],
        "input": job["input"],
        "wall": time.perf_counter() - wall,
        "cpu": cpu_seconds() - cpu - getattr(function, "overhead", 0.0),
        "peak_mb": peak_mb(),
        "report": _plain(getattr(function, "report", {})),
    }
    path = Path(job["path"])
    np.savez(path.with_suffix(".npz"), result=result.astype(np.float32))
    path.with_suffix(".json").write_text(json.dumps(record))


def _plain(report: dict) -> dict:
    """Return what of a report can be written as JSON."""
    return json.loads(json.dumps(report, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
