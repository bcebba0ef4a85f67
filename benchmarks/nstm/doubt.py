"""How often a reconstruction doubts its motion rightly, on independent phantoms.

    python benchmarks/nstm/doubt.py [--phantoms FOLDER] [--seeds 0,1] [KIND:MOTION:NOISE …]

For each recording: the error of the displacement from the first to the last frame at its points
(median and 90 %), the points that are said to be better than half a pixel and how many of them are,
and whether a warning about the motion is shown. Results are kept in `build/doubt`, and are not
computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from phantom_cases import CASES, MOTIONS, phantom

from napari_cellinr import reconstruct

ROOT = Path(__file__).resolve().parents[2]
PHANTOMS = ROOT.parent / "shared" / "phantoms"
BUILD = ROOT / "build" / "doubt"
HALF = 0.5  # pixels


def measure(kind: str, motion: str, noise: float, seed: int) -> dict[str, Any]:
    """Return the scores of one recording."""
    made = phantom(kind, motion, noise, seed)
    begun = time.process_time()
    fitted = reconstruct(made.image, made.optics, device="cpu")
    errors = made.errors(fitted.image("motion"))
    scores = {
        "median": float(np.median(errors)),
        "ninety": float(np.quantile(errors, 0.9)),
        "moves": fitted.report["moves"],
        "motion_error": fitted.report["motion_error"],
        "warnings": list(fitted.report["warnings"]),
        "errors": errors.round(3).tolist(),
        "attempts": [one["attempt"] for one in fitted.report["attempts"]],
        "cpu_seconds": time.process_time() - begun,
    }
    if "motion-error" in fitted.roles:
        expected = made.at_points(fitted.image("motion-error").array().max(0))
        scores["expected"] = expected.round(3).tolist()
    return scores


def is_warned(scores: dict[str, Any]) -> bool:
    """Return whether a warning doubts the motion; that nothing moves is none."""
    return any("Do not" in text for text in scores["warnings"])


def line_of(name: str, scores: dict[str, Any]) -> str:
    """Return a row of the table."""
    called, right = called_points([scores])
    return (
        f"| {name} | {scores['median']:.2f} / {scores['ninety']:.2f} | "
        f"{called:.0%} | {right:.0%} | {'yes' if is_warned(scores) else 'no'} | "
        f"{'yes' if scores['moves'] else 'no'} | {scores['cpu_seconds']:.0f} |"
    )


def called_points(found: list[dict[str, Any]]) -> tuple[float, float]:
    """Return which part of points is called better than half a pixel, and which part of it is."""
    some = [one for one in found if "expected" in one]
    if not some:
        return 0.0, 1.0
    errors = np.concatenate([one["errors"] for one in some])
    called = np.concatenate([one["expected"] for one in some]) < HALF
    return float(called.mean()), float((errors[called] < HALF).mean()) if called.any() else 1.0


def summary(found: list[dict[str, Any]]) -> str:
    """Return what the table says as a whole."""
    wrong = np.array([one["median"] > HALF for one in found])
    warned = np.array([is_warned(one) for one in found])
    called, right = called_points(found)
    return (
        f"{len(found)} recordings: wrong without a warning {np.mean(wrong & ~warned):.0%}, "
        f"warned without cause {np.mean(~wrong & warned):.0%}; of the points, {called:.0%} are "
        f"called better than half a pixel, and {right:.0%} of these are."
    )


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="KIND:MOTION:NOISE")
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of moving.py")
    parser.add_argument("--seeds", default="0", help="comma-separated")
    given = parser.parse_args()
    sys.path.insert(0, str(given.phantoms))
    cases = given.cases or [f"{kind}:{m}:{noise:g}" for kind, noise in CASES for m in MOTIONS]
    BUILD.mkdir(parents=True, exist_ok=True)
    print(
        "| case | error: median / 90 % | called < ½ px | of these right | warned | moves | CPU s |"
    )
    print("|---|---|---|---|---|---|---|")
    found = []
    for case in cases:
        kind, motion, noise = case.split(":")
        for seed in map(int, given.seeds.split(",")):
            name = f"{case.replace(':', '-')}-{seed}"
            place = BUILD / f"{name}.json"
            if not place.exists():
                place.write_text(json.dumps(measure(kind, motion, float(noise), seed)))
            found.append(json.loads(place.read_text()))
            print(line_of(name, found[-1]), flush=True)
    print(f"\n{summary(found)}")


if __name__ == "__main__":
    main()
