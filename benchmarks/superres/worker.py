"""The child process: one method on one case."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import peers
from data import case


def main(file: str) -> None:
    job = json.loads(Path(file).read_text())
    subject = case(job["case"])
    function = getattr(peers, job["function"])
    wall, cpu = time.perf_counter(), _cpu()
    result = function(subject.low, subject.scale, **job["settings"])
    record = {
        "settings": job["settings"],
        "code": job["code"],
        "input": job["input"],
        "wall": time.perf_counter() - wall,
        "cpu": _cpu() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "report": _plain(getattr(function, "report", {})),
    }
    path = Path(job["path"])
    np.savez(path.with_suffix(".npz"), result=result.astype(np.float32))
    path.with_suffix(".json").write_text(json.dumps(record))


def _cpu() -> float:
    """Return CPU seconds of this process and its children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def _plain(report: dict) -> dict:
    """Return what of a report can be written as JSON."""
    return json.loads(json.dumps(report, default=str))


if __name__ == "__main__":
    main(sys.argv[1])
