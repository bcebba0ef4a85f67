"""`python benchmarks/nstm/run.py [NAME…]`: fit the cases, keep their scores, write the report.

Fits are kept in `build/nstm`; what is there is not fitted again. `--no-report` only fits,
`--report` scores and writes.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from cases import CASES, Case
from data import ROOT, SLANT
from report import write_report
from scores import bar_contrast, conventional, correlation, registered, spread

from napari_cellinr import reconstruct

BUILD = ROOT / "build" / "nstm"


def fit(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores of one case, and the arrays that pictures are made of."""
    recording = case.make()
    before = forget_peak()
    begun, cpu = time.monotonic(), time.process_time()
    fitted = reconstruct(recording.image, recording.optics, device="cpu", **case.settings)
    report = fitted.report
    scores: dict[str, Any] = {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.monotonic() - begun,
        "memory_mb": memory("VmHWM") - before,
        "threads": torch.get_num_threads(),
        "voxels": int(np.prod(fitted.image("result").shape)),
        "group": case.group,
        "misfit": report["misfit"],
        "held_out": report["held_out"],
        "converged": report["converged"],
        "moves": report["moves"],
        "explained_by_motion": report["explained_by_motion"],
        "attempts": [attempt["attempt"] for attempt in report["attempts"]],
        "held_out_static": _static(report["attempts"]),
        "warnings": list(report["warnings"]),
    }
    result = fitted.image("result").array()
    scene = result[:, -1] if fitted.image("result").axes.startswith("TC") else result
    motion = fitted.image("motion")
    steps = np.reshape(motion.scale[2:], (1, -1, *[1] * (len(motion.shape) - 2)))
    arrays = {
        "scene": scene,
        "forward": np.asarray(motion.array()) / steps,
        "confidence": np.asarray(fitted.image("confidence").array(), np.float32),
    }
    return scores, arrays


def _visible(forward: Any) -> Any:
    """Return the motion of a z-scan that can be seen, axes T C Y X with C = y, x.

    Its specimen is the same along a slanted line: motion along that line changes nothing.
    """
    along = np.reshape(SLANT, (1, 2, 1, 1, 1)) * forward[:, :1]
    return (forward[:, 1:] - along).mean(2)


def _static(attempts: list[dict[str, Any]]) -> float | None:
    """Return the held-out error of the static scene, if one was fitted."""
    found = [attempt["held_out"] for attempt in attempts if attempt["attempt"] == "static"]
    return found[0] if found else None


def memory(what: str) -> float:
    """Return memory of this process in MB: `VmRSS` now, `VmHWM` at most (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def forget_peak() -> float:
    """Begin to look for the most memory anew, and return what is taken now, in MB."""
    gc.collect()
    with contextlib.suppress(OSError):  # where this is not allowed, the peak is an upper bound
        Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def compare(case: Case, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the scores of what was fitted against the truth; the arrays get more to show."""
    recording, scene, forward = case.make(), arrays["scene"], arrays["forward"]
    arrays["raw"] = recording.image.array()
    lengths = np.linalg.norm(forward, axis=1)
    sure = np.broadcast_to(arrays["confidence"] >= 0.5, lengths.shape)
    scores = {
        "largest_motion": float(np.percentile(lengths, 99)),
        "largest_sure_motion": float(np.percentile(lengths[sure], 99)) if sure.any() else 0.0,
    }
    if recording.moved is not None and recording.moved.shape == forward.shape:
        wrong = np.linalg.norm(forward[-1] - recording.moved[-1], axis=0)
        far = np.linalg.norm(recording.moved[-1], axis=0)
        surely = arrays["confidence"][0] >= 0.5
        scores["sure_error"] = float(np.median(wrong[surely]))
        scores["sure_motion"] = float(np.median(far[surely]))
    if recording.truth is not None:
        arrays["truth"] = recording.truth
        scores["correlation"] = correlation(scene, recording.truth)
        scores["conventional"] = correlation(conventional(recording), recording.truth)
        flat = forward if forward.ndim == 4 else _visible(forward)
        scores["residual"], scores["motion"] = spread(recording, flat, everywhere=False)
        scores["residual_everywhere"], _ = spread(recording, flat)
        if recording.truth.ndim == 3 and case.group in {"families", "scans", "surrounded"}:
            scores["registered"] = correlation(registered(recording), recording.truth)
            scores["flow"] = correlation(registered(recording, local=True), recording.truth)
    elif recording.optics["kind"] == "dpc":
        arrays["usual"] = conventional(recording)
        scores["agreement"] = correlation(scene, arrays["usual"])
        scores["bars"] = bar_contrast(scene[0])
        scores["bars_usual"] = bar_contrast(arrays["usual"][0])
    return scores


def main() -> None:
    """Do what the words of the command line say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--report", action="store_true", help="fit nothing, score what is there")
    parser.add_argument("--no-report", action="store_true", help="only fit")
    given = parser.parse_args()
    names = given.names or list(CASES)
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in names:
        place = BUILD / f"{name.replace(', ', '-').replace(' ', '_')}.json"
        if place.exists():
            if given.report:
                arrays = dict(np.load(place.with_suffix(".npz")))
                scores = json.loads(place.read_text()) | compare(CASES[name], arrays)
                place.write_text(json.dumps(scores, indent=1))
            continue
        if given.report:
            continue
        print(name, flush=True)
        try:
            scores, arrays = fit(CASES[name])
        except FileNotFoundError as error:
            print(f"  skipped: {error}", flush=True)
            continue
        scores |= compare(CASES[name], arrays)
        np.savez_compressed(place.with_suffix(".npz"), **arrays)
        place.write_text(json.dumps({"name": name, **scores}, indent=1))
        print(json.dumps(scores), flush=True)
    if not given.no_report:
        write_report(BUILD)


if __name__ == "__main__":
    main()
