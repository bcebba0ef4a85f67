"""Denoising of the 16 real pairs of FMD, beside Anscombe + BM3D with the same estimated noise.

    python benchmarks/denoise/fmd.py --peers-python PYTHON --cache FOLDER [--preset best]

Prints for every pair the peak signal-to-noise ratio (dB, peak 255) of the raw image, of the initial
estimate, of the result and of BM3D, the lead, how many pixels lie inside 90 % intervals in each
third of brightness, and CPU seconds. The noise of BM3D is that which the plugin has estimated. The
pairs (Zhang et al. 2019, "A Poisson-Gaussian denoising dataset with real fluorescence microscopy
images") are in the folder `shared/data/fmd_pairs` beside the project.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from field import coverage

from napari_cellinr import denoise
from napari_cellinr.classic.camera.anscombe import Noise, stabilise, unstabilise
from napari_cellinr.image import Image

ROOT = Path(__file__).parents[2]
PAIRS = ROOT.parent / "shared" / "data" / "fmd_pairs"


def main() -> None:
    """Denoise the chosen pairs, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="all pairs if none is given")
    parser.add_argument("--pairs", type=Path, default=PAIRS, help="folder of the pairs")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "fmd")
    parser.add_argument("--peers-python", default=sys.executable, help="Python with bm3d")
    parser.add_argument("--preset", default="fast")
    given = parser.parse_args()
    found = sorted(path.stem.removesuffix("_raw") for path in given.pairs.glob("*_raw.png"))
    leads = defaultdict(list)
    print("| pair | raw | start | result | adds | BM3D | lead | inside 90 % | grain | CPU-s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in given.names or found:
        leads[name.split("_")[0]].append(one(name, given))
    for kind, own in leads.items():
        print(f"{kind}: lead over BM3D, mean {np.mean(own):+.2f}, worst {min(own):+.2f} dB")


def one(name: str, given: argparse.Namespace) -> float:
    """Print the row of one pair, return the lead over BM3D in dB."""
    raw, truth = (
        iio.imread(given.pairs / f"{name}_{kind}.png").astype(np.float32) for kind in ("raw", "gt")
    )
    started = time.process_time()
    fit = denoise(Image(raw, "YX"), given.preset, background="keep")
    seconds = time.process_time() - started
    noise = Noise(**fit.report["noise"])
    start = unstabilise(fit.state["estimate"].numpy(), noise)
    result, error = fit.image("result").array(), fit.image("error").array()
    images = (raw, start, result, bm3d(raw, noise, given))
    before, first, ours, peer = (decibels(image, truth) for image in images)
    print(
        f"| {name} | {before:.2f} | {first:.2f} | {ours:.2f} | {ours - first:+.2f} | {peer:.2f} | "
        f"{ours - peer:+.2f} | {coverage(result, error, truth)} | {noise.grain:.2f} | "
        f"{seconds:.0f} |",
        flush=True,
    )
    return ours - peer


def decibels(image: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of 8-bit images."""
    return float(10 * np.log10(255**2 / np.mean((np.asarray(image, float) - truth) ** 2)))


def bm3d(raw: np.ndarray, noise: Noise, given: argparse.Namespace) -> np.ndarray:
    """Return what BM3D makes of the stabilised image, from the cache if it is there."""
    key = hashlib.sha256(raw.tobytes() + repr(noise).encode()).hexdigest()[:20]
    path = given.cache / f"{key}.npy"
    if not path.exists():
        given.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.npy"
            np.save(source, stabilise(raw, noise))
            script = Path(__file__).with_name("bm_of_file.py")
            command = [given.peers_python, str(script), str(source), str(path)]
            subprocess.run(command, check=True, capture_output=True)
    return np.asarray(unstabilise(np.load(path), noise))


if __name__ == "__main__":
    main()
