"""`python benchmarks/nstm/large.py`: time and memory of 16 phase-contrast frames of 256×256 pixels.

A process of its own, since the largest memory is that of the whole process. Figures go to
`build/nstm-large.json`, from which the report takes them.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import data
import numpy as np
import torch
from data import ROOT
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from napari_cellinr import Image, reconstruct

SIZE, FRAMES, AROUND = 256, 16, 16
SHIFT, TURN = 24.0, 8.0  # pixels, degrees over the whole recording


def recording() -> Image:
    """Return frames under four patterns in turn of a texture that drifts and turns."""
    n = SIZE + 2 * AROUND
    random = np.random.default_rng(100)
    texture = gaussian_filter(random.standard_normal((2 * n, 2 * n)), 2.0)
    texture = spline_filter(texture / texture.std() * 0.3, order=3)
    transfer, frames = data.phase_transfer(n), []
    centre = (n - 1) / 2
    places = np.mgrid[:n, :n] - centre
    for i, s in enumerate(np.linspace(-0.5, 0.5, FRAMES)):
        turn = np.deg2rad(TURN) * s
        y = np.cos(turn) * places[0] + np.sin(turn) * places[1] + 0.6 * SHIFT * s
        x = np.cos(turn) * places[1] - np.sin(turn) * places[0] + 0.8 * SHIFT * s
        phase = map_coordinates(texture, [y + n, x + n], order=3, prefilter=False)
        frames.append(np.fft.ifft2(transfer[i % 4] * np.fft.fft2(phase)).real)
    inside = np.s_[:, AROUND:-AROUND, AROUND:-AROUND]
    raw = np.array(frames)[inside]
    raw += 0.01 * random.standard_normal(raw.shape)
    step = data.STEP
    units = ("second", "micrometer", "micrometer")
    return Image(raw.astype(np.float32), "TYX", scale=(1, step, step), units=units)


def memory() -> float:
    """Return the largest memory of this process so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    image = recording()
    small = Image(image.array()[:4, :32, :32], "TYX", scale=image.scale, units=image.units)
    optics = {**data.DPC_CONSTANTS, "normalise": False}
    reconstruct(small, optics, device="cpu", steps=2)  # loads what is loaded once
    before, wall, cpu = memory(), time.monotonic(), time.process_time()
    fitted = reconstruct(image, optics, device="cpu")
    found = {
        "threads": torch.get_num_threads(),
        "wall_seconds": time.monotonic() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "memory_mb": memory() - before,
        "bytes_per_voxel": (memory() - before) * 2**20 / (FRAMES * SIZE**2),
        "fits": len(fitted.report["attempts"]),
        "misfit": fitted.report["misfit"],
        "held_out": fitted.report["held_out"],
        "warnings": list(fitted.report["warnings"]),
    }
    path = ROOT / "build" / "nstm-large.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
