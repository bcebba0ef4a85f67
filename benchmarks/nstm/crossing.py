"""How many of 14 crossing blobs are followed, on independent phantoms.

    python benchmarks/nstm/crossing.py [--phantoms FOLDER] [--seeds 0,1] [--noise 0.05]
        [--motion-layers 1]

Results are kept in `build/crossing`, and are not computed again. For each recording: the tracks
that are off by more than 2 pixels in some frame, how many of them are called better than half a
pixel, the first and the last frame of the scene and of the recording against the truth in dB, the
images that add up, and whether a warning doubts the motion. A track is not followed where its blob
is outside of the image.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.page import table
from doubt import HALF, PHANTOMS, ROOT, is_warned
from scipy.ndimage import map_coordinates

from napari_cellinr import Image, reconstruct

BUILD = ROOT / "build" / "crossing"
WRONG = 2.0  # pixels
OFFSET, PEAK = 100.0, 2000.0  # grey levels of the camera of `moving`

HEADS = (
    "seed",
    "wrong tracks",
    "of these called right",
    "scene, first / last, dB",
    "raw",
    "images",
    "warned",
    "CPU s",
)


def decibels(values: np.ndarray, truth: np.ndarray) -> float:
    """Return the ratio of the peak to the root mean square error in dB."""
    return float(20 * np.log10(PEAK / np.sqrt(np.mean((values - truth) ** 2))))


def measure(seed: int, noise: float, layers: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores of one recording, and the arrays that pictures are made of."""
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
    tracks = np.moveaxis(followed, 1, 2) + places[0]
    inside = ((places >= 0) & (places <= np.array(raw.shape[1:]) - 1)).all(2)
    wrong = np.where(inside, np.linalg.norm(tracks - places, axis=2), 0).max(0) > WRONG
    expected = fit.image("motion-error").array().max(0)
    sure = map_coordinates(expected, places[0].T, order=1, mode="nearest") < HALF
    truth, found = scene / scene.max() * PEAK, fit.image("result").array()
    scores = {
        "seed": seed,
        "noise": noise,
        "asked": layers,
        "tracks": len(wrong),
        "wrong": int(wrong.sum()),
        "wrong_and_sure": int((wrong & sure).sum()),
        "scene": [decibels(found[n], truth[n]) for n in (0, -1)],
        "raw": [decibels(raw[n] - OFFSET, truth[n]) for n in (0, -1)],
        "layers": fit.report["motion_layers"],
        "warned": is_warned(fit.report),
        "cpu_seconds": seconds,
    }
    ends = (0, len(raw) // 2, -1)
    arrays = {"raw": raw[[*ends]] - OFFSET, "scene": found[[*ends]], "truth": truth[[*ends]]}
    return scores, arrays | {"tracks": tracks, "places": places, "wrong": wrong}


def row(scores: dict[str, Any]) -> list[str]:
    """Return a row of the table."""
    clean, noisy = (" / ".join(f"{n:.1f}" for n in scores[name]) for name in ("scene", "raw"))
    return [
        str(scores["seed"]),
        f"{scores['wrong']} of {scores['tracks']}",
        str(scores["wrong_and_sure"]),
        clean,
        noisy,
        str(scores["layers"]),
        "yes" if scores["warned"] else "no",
        f"{scores['cpu_seconds']:.0f}",
    ]


def kept(seed: int, noise: float, layers: str) -> dict[str, Any]:
    """Return the scores of one recording, which is fitted if it was not before."""
    place = BUILD / f"{layers}-{noise:g}-{seed}.json"
    if not place.exists():
        scores, arrays = measure(seed, noise, layers)
        np.savez_compressed(place.with_suffix(".npz"), **arrays)
        place.write_text(json.dumps(scores))
    found: dict[str, Any] = json.loads(place.read_text())
    return found


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
    BUILD.mkdir(parents=True, exist_ok=True)
    print(table(HEADS, []))
    wrong = []
    for seed in map(int, given.seeds.split(",")):
        scores = kept(seed, given.noise, given.motion_layers)
        wrong.append(scores["wrong"])
        print(f"| {' | '.join(row(scores))} |", flush=True)
    print(f"\n{sum(wrong)} wrong tracks in {len(wrong)} recordings")


if __name__ == "__main__":
    main()
