"""Memory and time of long, narrow images.

Each image is denoised in a process of its own; its largest memory and its CPU time are measured.
"""

import itertools
import subprocess
import sys

from outcome import Outcome

MOST = 1e9
"""Largest memory in bytes that a fit may take, the program itself included."""

MOST_GROWTH = 2.5
"""Largest growth of the CPU time when the pixels are doubled; 4 would be quadratic."""

LENGTHS = (25_000, 50_000, 100_000)
SHAPES = ((100_000, 2), (16, 20_000), *((2, length) for length in LENGTHS))

CHILD = """
import resource, sys, time
import numpy as np
import napari_cellinr
shape, seed = (int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[3])
y, x = np.ogrid[: shape[0], : shape[1]]
noise = np.random.default_rng(seed).normal(0, 11, shape)
image = (100 + 50 * np.sin(x / 5) * np.cos(y / 7) + noise).astype(np.float32)
napari_cellinr.denoise(image, seed=seed)
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, time.process_time())
"""


def denoised(shape: tuple[int, int], seed: int) -> tuple[float, float]:
    """Return the largest memory in bytes and the CPU seconds of one fit; infinity if it failed."""
    command = [sys.executable, "-c", CHILD, *map(str, (*shape, seed))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return float("inf"), float("inf")
    memory, seconds = done.stdout.split()
    return float(memory), float(seconds)


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return what was found for the first `tries` shapes, or for all of them."""
    found = {shape: denoised(shape, seed) for shape in SHAPES[:tries]}
    outcomes = [
        Outcome(
            f"denoise {shape[0]} × {shape[1]}", 1, int(memory > MOST), "1 GB at most",
            f"{memory / 1e9:.2f} GB, {seconds:.0f} CPU-seconds",
        )
        for shape, (memory, seconds) in found.items()
    ]  # fmt: skip
    times = [found[2, length][1] for length in LENGTHS if (2, length) in found]
    growth = [later / before for before, later in itertools.pairwise(times)]
    if growth:
        too_much = sum(not one <= MOST_GROWTH for one in growth)
        rule = f"twice the pixels take {MOST_GROWTH} times as long at most"
        factors = ", ".join(f"{one:.1f}" for one in growth)
        outcomes.append(Outcome("2 × n, n doubled", len(growth), too_much, rule, factors))
    return outcomes
