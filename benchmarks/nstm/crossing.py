"""How many of 14 crossing blobs are followed, on independent phantoms.

    python benchmarks/nstm/crossing.py [--phantoms FOLDER] [--seeds 0,1] [--noise 0.05]
        [--motion-layers 1]

For each recording: the tracks that are off by more than 2 pixels in some frame, how many of them
are called better than half a pixel, the first and the last frame of the scene and of the recording
against the truth in dB, the images that add up, and whether a warning doubts the motion. A track is
not followed where its blob is outside of the image.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from doubt import HALF, PHANTOMS, is_warned
from scipy.ndimage import map_coordinates

from napari_cellinr import Image, reconstruct

WRONG = 2.0  # pixels
OFFSET, PEAK = 100.0, 2000.0  # grey levels of the camera of `moving`


def decibels(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the ratio of the peak to the root mean square error in dB."""
    return float(20 * np.log10(PEAK / np.sqrt(np.mean((values - truth) ** 2))))


def row(seed: int, noise: float, layers: str) -> tuple[str, int]:
    """Return a row of the table, and the number of wrong tracks."""
    import moving

    scene, places = moving.crossing(seed)
    raw = moving.camera(scene, noise, np.random.default_rng(seed))
    image = Image(raw, "TYX", (1.0, 1.0, 1.0), ("second", "pixel", "pixel"))
    begun = time.process_time()
    fit = reconstruct(
        image, {"kind": "time-lapse", "background": OFFSET}, device="cpu", motion_layers=layers
    )
    seconds = time.process_time() - begun
    moved = fit.image("motion").array()
    followed = [
        [map_coordinates(part, places[0].T, order=1, mode="nearest") for part in frame]
        for frame in moved
    ]
    errors = np.linalg.norm(np.moveaxis(followed, 1, 2) + places[0] - places, axis=2)
    inside = ((places >= 0) & (places <= np.array(raw.shape[1:]) - 1)).all(2)
    wrong = np.where(inside, errors, 0).max(0) > WRONG
    expected = fit.image("motion-error").array().max(0)
    sure = map_coordinates(expected, places[0].T, order=1, mode="nearest") < HALF
    truth, found = scene / scene.max() * PEAK, fit.image("result").array()
    clean, noisy = (
        " / ".join(f"{decibels(some[n], truth[n]):.1f}" for n in (0, -1))
        for some in (found, raw - OFFSET)
    )
    warned = "yes" if is_warned(fit.report) else "no"
    return (
        f"| {seed} | {wrong.sum()} of {len(wrong)} | {(wrong & sure).sum()} | {clean} | {noisy} | "
        f"{fit.report['motion_layers']} | {warned} | {seconds:.0f} |",
        int(wrong.sum()),
    )


def main() -> None:
    """Measure the chosen recordings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of moving.py")
    parser.add_argument("--seeds", default="0", help="comma-separated")
    parser.add_argument("--noise", type=float, default=0.05, help="relative to the peak")
    parser.add_argument("--motion-layers", default="auto", help="1 for one motion")
    given = parser.parse_args()
    sys.path.insert(0, str(given.phantoms))
    warnings.simplefilter("ignore")
    heads = ("seed", "wrong tracks", "of these called right", "scene, first / last", "raw")
    print(f"| {' | '.join(heads)} | images | warned | CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    numbers = []
    for seed in map(int, given.seeds.split(",")):
        text, wrong = row(seed, given.noise, given.motion_layers)
        numbers.append(wrong)
        print(text, flush=True)
    print(f"\n{sum(numbers)} wrong tracks in {len(numbers)} recordings")


if __name__ == "__main__":
    main()
