"""Memory and time of long, narrow images.

Each image is fitted in a process of its own; its largest memory and its CPU time are measured.
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

SETTINGS = {
    "denoise": {},
    "superresolve": {"scale": {"Y": 1.5, "X": 1.5}},
    "reconstruct": {"steps": 4},  # they change the time, not the memory
}

LIMITS = (0.1e9, 0.3e9, 0.6e9, 1e9)
"""Memory in bytes that a process may take in addition to that of the program."""

LIMITED = (400, 500)

CHILD = """
import resource, sys, time
import numpy as np, psutil
import napari_cellinr, torch
from napari_cellinr.errors import CellINRError
method, shape, seed, settings, limit = eval(sys.argv[1])
if limit:
    most = int(psutil.Process().memory_info().vms + limit)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
y, x = np.ogrid[: shape[0], : shape[1]]
frames = 3 if method == "reconstruct" else 1
noise = np.random.default_rng(seed).normal(0, 11, (frames, *shape))
image = (100 + 50 * np.sin(x / 5) * np.cos(y / 7) + noise).astype(np.float32)
if frames == 1:
    image = image[0]
image = napari_cellinr.Image(image, "TYX"[-image.ndim :])
try:
    getattr(napari_cellinr, method)(image, seed=seed, **settings)
except CellINRError as error:
    print(str(error), file=sys.stderr)
    sys.exit(3)
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, time.process_time())
"""

REFUSED = 3


def child(
    method: str, shape: tuple[int, int], seed: int, limit: float = 0.0
) -> subprocess.CompletedProcess[str]:
    """Return a process that has fitted an image, within a limit of its memory if one is given."""
    words = repr((method, shape, seed, SETTINGS[method], limit))
    command = [sys.executable, "-c", CHILD, words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fitted(method: str, shape: tuple[int, int], seed: int) -> tuple[float, float]:
    """Return the largest memory in bytes and the CPU seconds of one fit; infinity if it failed."""
    done = child(method, shape, seed)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return float("inf"), float("inf")
    memory, seconds = done.stdout.split()
    return float(memory), float(seconds)


def run(tries: int | None, seed: int) -> list[Outcome]:
    """Return what was found for the first `tries` shapes and limits, or for all of them."""
    outcomes = []
    for method in SETTINGS:
        outcomes += long_images(method, SHAPES[:tries], seed)
    return outcomes + [limited(method, LIMITS[:tries], seed) for method in SETTINGS]


def long_images(method: str, shapes: tuple[tuple[int, int], ...], seed: int) -> list[Outcome]:
    """Return memory and time of one method."""
    found = {shape: fitted(method, shape, seed) for shape in shapes}
    frames = "3 × " if method == "reconstruct" else ""
    outcomes = [
        Outcome(
            f"{method} {frames}{shape[0]} × {shape[1]}", 1, int(memory > MOST), "1 GB at most",
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
        outcomes.append(Outcome(f"{method} 2 × n, n doubled", len(growth), too_much, rule, factors))
    return outcomes


def limited(method: str, limits: tuple[float, ...], seed: int) -> Outcome:
    """Return how one method does within limits of the address space."""
    codes = []
    for limit in limits:
        done = child(method, LIMITED, seed, limit)
        good = done.returncode == 0 or (
            done.returncode == REFUSED and "Traceback" not in done.stderr
        )
        codes.append(done.returncode if good else -99)
        if not good:
            print(limit, done.returncode, done.stderr, file=sys.stderr)
    rule = "it is fitted, if need be in tiles, or refused with one sentence"
    measured = f"{codes.count(0)} fitted, {codes.count(REFUSED)} refused"
    name = f"{method} {LIMITED[0]} × {LIMITED[1]}, limited to 0.1 to 1 GB"
    return Outcome(name, len(limits), codes.count(-99), rule, measured)
