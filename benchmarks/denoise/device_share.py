"""How much of the CPU time of a denoised volume is spent in code that moves to a GPU.

    OMP_NUM_THREADS=1 python benchmarks/denoise/device_share.py [--size 32 256 256]

Profiles the preset `fast` in all threads by the CPU time of each, on simulated membranes. Prints
seconds by library, and of the stages that are computed by NumPy and SciPy whatever the device.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import threading
import time

import torch

from napari_cellinr import Image, denoise
from napari_cellinr.simulate.embryo import embryo

TENSORS = ("groups.py", "patches.py", "classic/estimate.py", "fields/", "model.py")
"""Files whose own time is that of operators of tensors, such as the product of matrices."""

STAGES = {
    "noise of the camera": "estimate_noise",
    "variance of stabilised noise": "uneven_variance",
    "detection of structures": "find_structure",
    "width of the background": "choose_width",
    "separation of the background": "separate",
    "defective pixels": "find_defects",
    "patterns of the camera": "without_pattern",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=[32, 256, 256])
    raw = embryo("membranes", tuple(parser.parse_args().size), 0).raw
    torch.set_num_threads(1)
    stats = profiled(raw)
    print(f"{stats.total_tt:.1f} CPU seconds")
    found = {**by_library(stats), **by_stage(stats)}
    for name, seconds in found.items():
        print(f"{name}: {seconds:.2f} s, {100 * seconds / stats.total_tt:.1f} %")


def profiled(raw: Image) -> pstats.Stats:
    """Return the profile of all threads of a fit."""
    profiles = [cProfile.Profile(time.thread_time)]
    run = threading.Thread.run

    def run_profiled(thread: threading.Thread) -> None:
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].runcall(run, thread)

    threading.Thread.run = run_profiled
    profiles[0].runcall(denoise, raw, preset="fast", device="cpu")
    threading.Thread.run = run
    stats = pstats.Stats(profiles[0])
    for profile in profiles[1:]:
        stats.add(profile)
    return stats


def by_library(stats: pstats.Stats) -> dict[str, float]:
    """Return the seconds in PyTorch, in NumPy and SciPy, and in all else, imports included."""
    seconds = dict.fromkeys(("PyTorch", "NumPy and SciPy", "other"), 0.0)
    for (file, _, name), (_, _, own, *_) in stats.stats.items():
        place, inside = f"{file} {name}", file.partition("napari_cellinr/")[2]
        if "torch" in place or (inside and any(part in inside for part in TENSORS)):
            seconds["PyTorch"] += own
        elif inside or any(word in place for word in ("numpy", "scipy", "skimage")):
            seconds["NumPy and SciPy"] += own
        else:
            seconds["other"] += own
    return seconds


def by_stage(stats: pstats.Stats) -> dict[str, float]:
    """Return the seconds of the stages, with all that they call."""
    return {
        stage: sum(
            cumulative
            for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()
            if name == function and "napari_cellinr" in file
        )
        for stage, function in STAGES.items()
    }


if __name__ == "__main__":
    main()
