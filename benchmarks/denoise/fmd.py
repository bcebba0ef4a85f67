"""Denoising of the 16 real pairs of FMD, beside Anscombe + BM3D with the same estimated noise.

    python benchmarks/denoise/fmd.py --peers-python PYTHON --cache FOLDER [--preset best]

Prints for every pair the peak signal-to-noise ratio (dB, peak 255) of the raw image, of the initial
estimate, of the result and of BM3D, the lead, how many pixels lie inside 90 % intervals in each
third of brightness, and CPU seconds. Raw image and truth differ in exposure by up to 8 %: *fitted*
is the lead when the gain and the offset of each result are fitted to the truth, as intervals
are before voxels are counted. The noise of BM3D is that which the plugin has estimated. The
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
    line = "{}: lead over BM3D, mean {:+.2f}, worst {:+.2f}; fitted, mean {:+.2f}, worst {:+.2f} dB"
    columns = ("pair", "raw", "start", "result", "adds", "BM3D", "lead", "fitted", "inside 90 %")
    print("| " + " | ".join([*columns, "grain", "CPU-s"]) + " |")
    print("|" + "---|" * 11)
    for name in given.names or found:
        leads[name.split("_")[0]].append(one(name, given))
    for kind, own in leads.items():
        plain, scaled = zip(*own, strict=True)
        print(line.format(kind, np.mean(plain), min(plain), np.mean(scaled), min(scaled)))


def one(name: str, given: argparse.Namespace) -> tuple[float, float]:
    """Print the row of one pair, return the lead over BM3D in dB, as it is and fitted."""
    raw, truth = (
        iio.imread(given.pairs / f"{name}_{kind}.png").astype(np.float32) for kind in ("raw", "gt")
    )
    started = time.process_time()
    fit = denoise(Image(raw, "YX"), given.preset, background="keep")
    seconds = time.process_time() - started
    noise = Noise(**fit.report["noise"])
    start = unstabilise(fit.state["estimate"].numpy(), noise)
    result, error = fit.image("result").array(), fit.image("error").array()
    other = bm3d(raw, noise, given)
    images = (raw, start, result, other)
    before, first, ours, peer = (decibels(image, truth) for image in images)
    gain, offset = np.polyfit(result.ravel(), truth.ravel(), 1)
    inside = coverage(gain * result + offset, gain * error, truth)
    scaled = decibels(fitted(result, truth), truth) - decibels(fitted(other, truth), truth)
    print(
        f"| {name} | {before:.2f} | {first:.2f} | {ours:.2f} | {ours - first:+.2f} | {peer:.2f} | "
        f"{ours - peer:+.2f} | {scaled:+.2f} | {inside} | {noise.grain:.2f} | {seconds:.0f} |",
        flush=True,
    )
    return ours - peer, scaled


def decibels(image: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of 8-bit images."""
    return float(10 * np.log10(255**2 / np.mean((np.asarray(image, float) - truth) ** 2)))


def fitted(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return an image with the gain and the offset that bring it nearest to the truth."""
    gain, offset = np.polyfit(image.ravel().astype(float), truth.ravel().astype(float), 1)
    return np.asarray(gain * image + offset)


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
