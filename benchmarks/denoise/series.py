"""Time series: frames that help each other against frames alone; run before the report.

    python benchmarks/denoise/series.py [--seeds 100] [--kinds membranes nuclei]

Results are kept in build/denoise/series.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from data import KINDS
from store import BUILD

from napari_cellinr import denoise
from napari_cellinr.metrics import psnr
from napari_cellinr.simulate.embryo import embryo_series

SIZE = (10, 48, 96, 96)
BLEACHING = 0.03
FILE = BUILD / "series.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[100])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    for kind in options.kinds:
        for seed in options.seeds:
            measure(kind, seed)


def measure(kind: str, seed: int) -> None:
    """Denoise one series in both ways, and keep the scores."""
    sample = embryo_series(kind, SIZE, seed, bleaching=BLEACHING)
    kept, clean = sample.truth_with_background.array(), sample.truth.array()
    for mode, coupled in (("together", True), ("frame by frame", False)):
        begun = time.process_time()
        fitted = denoise(sample.raw, background="keep", coupling=coupled)
        seconds = time.process_time() - begun
        result, signal = (fitted.image(role).array() for role in ("result", "signal"))
        lost = np.array(fitted.report["bleaching"])
        row = {
            "kind": kind,
            "seed": seed,
            "mode": mode,
            "kept": quality(result, kept),
            "clean": quality(signal, clean),
            "seconds": seconds / len(kept),
            "flicker": flicker(result, kept),
            "bleaching": float(np.abs(lost - brightness(clean)).max()),
        }
        rows = [r for r in load() if any(r[key] != row[key] for key in ("kind", "seed", "mode"))]
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps([*rows, row], indent=1))
        print(row, flush=True)


def quality(result: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean PSNR of the frames."""
    return float(np.mean([psnr(*pair, 255.0) for pair in zip(result, truth, strict=True)]))


def brightness(truth: np.ndarray) -> np.ndarray:
    """Return the signal of every frame as a part of that of the first: what bleaching leaves.

    Cells that leave the image are lost, too; of the nuclei nearly a third of the signal does so.
    """
    means = truth.reshape(len(truth), -1).mean(1, dtype=np.float64)
    return means / means[0]


def flicker(result: np.ndarray, truth: np.ndarray) -> float:
    """Return the error of the differences between frames, root mean square, in grey levels."""
    error = np.diff(result - truth, axis=0)
    return float(np.sqrt(np.mean(error.astype(np.float64) ** 2)))


def load() -> list[dict]:
    """Return what was measured so far."""
    return json.loads(FILE.read_text()) if FILE.exists() else []


if __name__ == "__main__":
    main()
