"""Memory and time of large runs, each in a process of its own, with as many threads as said."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from data import BUILD, DATA

from napari_cellinr.image import Image

ROWS = {
    "embryo": "10 × 35 × 128 × 178, time ×2 (the size of the goal)",
    "embryo-2": "the same with two threads",
    "long": "240 × 8 × 64 × 64, time ×2, few steps",
    "long-half": "120 × 8 × 64 × 64, the same",
    "paper": "240 × 8 × 64 × 64, preset `paper`, 4 steps of a small network, nothing rendered",
    "paper-short": "15 × 8 × 64 × 64, the same",
    "pieces": "4 × 8 × 64 × 64, all axes ×4, to OME-Zarr in pieces",
    "whole": "the same in memory",
}
"""What is run, in words."""

FRAMES = {"long": 240, "long-half": 120, "paper": 240, "paper-short": 15}
FEW = {"preset": "preview", "refinement": 0.15, "motion": "always"}
SMALL = {"preset": "paper", "steps": 4, "neurons": 32, "batch": 256, "latent": 16}


def run_costs() -> None:
    """Run what is not on the disk yet."""
    for name in ROWS:
        path = BUILD / "cost" / f"{name}.json"
        if path.exists() or (name.startswith("embryo") and not DATA.is_dir()):
            continue
        threads = "2" if name.endswith("-2") else "1"
        keys = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(keys, threads)}
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, name, str(path)], env=environment, check=True)
        print(name, path.read_text(), flush=True)


def costs_found() -> dict[str, dict[str, float]]:
    """Return what was measured by row."""
    paths = {name: BUILD / "cost" / f"{name}.json" for name in ROWS}
    return {name: json.loads(p.read_text()) for name, p in paths.items() if p.exists()}


def _embryo() -> Image:
    from napari_cellinr.io import read

    image = read(DATA / "celegans_membrane" / "membrane_t021-t030.nii.gz").canonical()
    data = image.array().reshape(image.shape[-4:])[:, 15:50, 64:192, 90:268]
    units = ("second", *("micrometer",) * 3)
    return Image(data.astype(np.float32), "TZYX", (1.0, 0.43, 0.18, 0.18), units)


def _moving(n_frames: int, shape: tuple[int, int, int]) -> Image:
    """Return blobs that go around, and noise."""
    generator = np.random.default_rng(0)
    z, y, x = np.indices(shape, np.float32)
    frames = []
    for t in range(n_frames):
        angle = 0.15 * t
        centre = shape[1] / 2 + 15 * np.sin(angle), shape[2] / 2 + 15 * np.cos(angle)
        far = (z - shape[0] / 2) ** 2 + (y - centre[0]) ** 2 + (x - centre[1]) ** 2
        frames.append(200 * np.exp(-far / 40) + generator.normal(20, 3, shape))
    return Image(np.asarray(frames, np.float32), "TZYX")


def _child(name: str, path: Path) -> None:
    from napari_cellinr import superresolve
    from napari_cellinr.io import write_in_steps

    if name.startswith("embryo"):
        image, scale = _embryo(), {"t": 2}
    elif name in FRAMES:
        image, scale = _moving(FRAMES[name], (8, 64, 64)), {"t": 2}
    else:
        image, scale = _moving(4, (8, 64, 64)), dict.fromkeys("tzyx", 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun, cpu = time.perf_counter(), time.process_time()
    lazily = name in {"pieces", "paper", "paper-short"}
    settings = FEW if name.startswith("long") else SMALL if name.startswith("paper") else {}
    result = superresolve(image, scale=scale, device="cpu", lazily=lazily, **settings).images[0]
    if name == "pieces":
        with tempfile.TemporaryDirectory() as folder:
            for _ in write_in_steps(Path(folder) / "out.ome.zarr", result):
                pass
    record = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - begun,
        "before_mb": before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "result_mb": float("nan")
        if name.startswith("paper")
        else 4 * float(np.prod(result.shape)) / 2**20,
    }
    path.write_text(json.dumps(record))


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]))
