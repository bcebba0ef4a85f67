"""`python benchmarks/nstm/run.py [NAME…]`: fit the cases, keep their scores, write the report.

Scores are kept in `build/nstm`; what is there is not fitted again. `--no-report` only fits,
`--report` only writes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np
from cases import CASES, Case
from data import ROOT
from report import write_report
from scores import conventional, correlation, registered, spread

from napari_cellinr import reconstruct

BUILD = ROOT / "build" / "nstm"


def fit(case: Case) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the scores of one case, and the arrays that pictures are made of."""
    recording = case.make()
    begun, cpu = time.monotonic(), time.process_time()
    fitted = reconstruct(recording.image, recording.optics, device="cpu", **case.settings)
    report = fitted.report
    scores: dict[str, Any] = {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.monotonic() - begun,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "group": case.group,
        "misfit": report["misfit"],
        "held_out": report["held_out"],
        "converged": report["converged"],
        "attempts": [attempt["attempt"] for attempt in report["attempts"]],
        "warnings": list(report["warnings"]),
    }
    result = fitted.image("result").array()
    scene = result[:, -1] if fitted.image("result").axes.startswith("TC") else result
    motion = fitted.image("motion")
    forward = np.asarray(motion.array()) / np.reshape(
        motion.scale[2:], (1, -1, *[1] * (motion.data.ndim - 2))
    )
    scores["largest_motion"] = float(np.percentile(np.linalg.norm(forward, axis=1), 99))
    arrays = {"scene": scene, "forward": forward, "raw": recording.image.array()}
    if recording.truth is not None:
        arrays["truth"] = recording.truth
        scores["correlation"] = correlation(scene, recording.truth)
        scores["conventional"] = correlation(conventional(recording), recording.truth)
        flat = forward[:, -2:] if forward.ndim == 4 else forward[:, -2:].mean(2)
        scores["residual"], scores["motion"] = spread(recording, flat)
        if recording.truth.ndim == 3 and case.group in {"families", "scans"}:
            scores["registered"] = correlation(registered(recording), recording.truth)
            scores["flow"] = correlation(registered(recording, local=True), recording.truth)
    elif recording.optics["kind"] == "dpc":
        usual = conventional(recording)
        arrays["usual"] = usual
        scores["agreement"] = correlation(scene, usual)
    return scores, arrays


def main(words: list[str]) -> None:
    """Do what the words of the command line say."""
    names = [word for word in words if not word.startswith("--")] or list(CASES)
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in names if "--report" not in words else []:
        place = BUILD / f"{name.replace(', ', '-').replace(' ', '_')}.json"
        if place.exists():
            continue
        print(name, flush=True)
        try:
            scores, arrays = fit(CASES[name])
        except FileNotFoundError as error:
            print(f"  skipped: {error}", flush=True)
            continue
        np.savez_compressed(place.with_suffix(".npz"), **arrays)
        place.write_text(json.dumps({"name": name, **scores}, indent=1))
        print(json.dumps(scores), flush=True)
    if "--no-report" not in words:
        write_report(BUILD)


if __name__ == "__main__":
    main(sys.argv[1:])
