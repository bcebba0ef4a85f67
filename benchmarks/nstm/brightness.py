"""Brightness of the scene, and structured light beside Wiener, on independent phantoms.

    python benchmarks/nstm/brightness.py [--phantoms FOLDER] [--seeds 0,1] [KIND:MOTION:NOISE …]

Of a time lapse: mean of the scene over that of the truth, and slope of the scene against it. Of
structured light: correlation with the truth, mean over its frames, and that of the Wiener filter
with the parameter, and the frame of the truth, that suit it best. Results are kept in
`build/brightness`, and are not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from phantom_cases import Phantom, phantom

from napari_cellinr import reconstruct

ROOT = Path(__file__).resolve().parents[2]
PHANTOMS = ROOT.parent / "shared" / "phantoms"
BUILD = ROOT / "build" / "brightness"
PEAK = 2000.0  # grey levels of the brightest pixel above the offset of the camera
PARAMETERS = np.geomspace(0.003, 10, 25)  # of Wiener

HEADS = ("recording, noise, seed", "mean; slope", "correlation", "best Wiener", "moves", "CPU s")

CASES = (
    *(f"time-lapse:{motion}:{noise}" for motion in ("turning", "still") for noise in (0.15, 0.4)),
    *(f"sim2d:{m}:{noise}" for m, noise in (("still", 0.01), ("still", 0.05), ("turning", 0.01))),
)


def measure(kind: str, motion: str, noise: float, seed: int) -> dict[str, Any]:
    """Return the scores of one recording."""
    made = phantom(kind, motion, noise, seed)
    begun = time.process_time()
    fitted = reconstruct(made.image, made.optics, device="cpu")
    scores: dict[str, Any] = {
        "cpu_seconds": time.process_time() - begun,
        "moves": fitted.report["moves"],
        "warnings": list(fitted.report["warnings"]),
        "attempts": [one["attempt"] for one in fitted.report["attempts"]],
    }
    found = np.asarray(fitted.image("result").array(), float)
    truth = made.truth * PEAK / made.truth.max()
    if kind == "sim2d":
        scores["correlation"] = np.mean([_likeness(*two) for two in zip(found, truth, strict=True)])
        scores["wiener"] = _best_wiener(made)
    else:
        scores["mean"] = found.mean() / truth.mean()
        scores["slope"] = np.polyfit(truth.ravel(), found.ravel(), 1)[0]
    return scores


def _best_wiener(made: Phantom) -> float:
    """Return the largest correlation of a Wiener reconstruction with a frame of the truth."""
    from napari_cellinr.acquisition import prepare
    from napari_cellinr.classic.deconvolve import wiener
    from napari_cellinr.config.optics import optics_from_dict
    from napari_cellinr.optics.sim import SIMModel

    measurement = prepare(made.image, optics_from_dict(made.optics))
    model, frames = measurement.model, torch.from_numpy(measurement.frames)
    assert isinstance(model, SIMModel)
    found = (wiener(model, frames, float(noise)).numpy() for noise in PARAMETERS)
    return max(_likeness(scene, truth) for scene in found for truth in made.truth)


def _likeness(scene: Any, truth: Any) -> float:
    return float(np.corrcoef(scene.ravel(), truth.ravel())[0, 1])


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="KIND:MOTION:NOISE")
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of moving.py")
    parser.add_argument("--seeds", default="0", help="comma-separated")
    given = parser.parse_args()
    sys.path.insert(0, str(given.phantoms))
    BUILD.mkdir(parents=True, exist_ok=True)
    print(f"| {' | '.join(HEADS)} |")
    print("|---" * len(HEADS) + "|")
    for case in given.cases or CASES:
        kind, motion, noise = case.split(":")
        for seed in map(int, given.seeds.split(",")):
            name = f"{case.replace(':', '-')}-{seed}"
            place = BUILD / f"{name}.json"
            if not place.exists():
                place.write_text(json.dumps(measure(kind, motion, float(noise), seed)))
            print(f"| {' | '.join(row(name, json.loads(place.read_text())))} |", flush=True)


def row(name: str, one: dict[str, Any]) -> list[str]:
    """Return the row of one recording."""
    light = f"{one['mean']:.3f}; {one['slope']:.3f}" if "mean" in one else "–"
    both = [f"{one[key]:.4f}" if key in one else "–" for key in ("correlation", "wiener")]
    return [name, light, *both, "yes" if one["moves"] else "no", f"{one['cpu_seconds']:.0f}"]


if __name__ == "__main__":
    main()
