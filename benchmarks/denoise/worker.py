"""The child process: one method on one image, with one or more settings."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import platform
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.runs import cpu_seconds, peak_mb

_PACKAGES = ("scikit-image", "bm3d", "bm4d", "careamics", "torch", "numpy")


def main(file: str) -> None:
    for job in json.loads(Path(file).read_text()):
        work(job)


def work(job: dict[str, Any]) -> None:
    """Run one job and write its results and its cost."""
    sys.path.insert(0, job["source"])
    function = getattr(importlib.import_module(job["module"]), job["function"])
    raw = np.load(job["raw"])
    given = {"raw": raw, "noise": _noise(job["noise"]), **job["settings"]}
    if "scale" in inspect.signature(function).parameters:
        given["scale"] = job["scale"]
    before = peak_mb()
    wall, cpu = time.perf_counter(), cpu_seconds()
    results = function(**given)
    record: dict[str, Any] = {
        "settings": job["settings"],
        "wall": time.perf_counter() - wall,
        "cpu": cpu_seconds() - cpu,
        "peak": peak_mb(),
        "peak_before": before,
        "versions": _versions(),
        **results.pop("report", {}),
    }
    np.savez(job["path"] + ".npz", **results)
    Path(job["path"] + ".json").write_text(json.dumps(record))


def _noise(facts: dict[str, float]) -> Any:
    """Return the noise, as a plain namespace where the plugin cannot be imported."""
    try:
        from napari_cellinr.classic.camera.anscombe import Noise
    except ImportError:
        return SimpleNamespace(**facts)
    return Noise(**facts)


def _versions() -> dict[str, str]:
    """Return the versions of the packages that there are."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


if __name__ == "__main__":
    main(sys.argv[1])
