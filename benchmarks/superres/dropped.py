"""Planes that were dropped, not averaged: two of three, so that the others keep their place.

SpatimeINR is told so (`planes=thin`), and, to see what that is worth, is not (`planes=thick`).
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
from common.runs import digest
from data import BUILD, DATA, case
from peers import OURS, by_name, conventional, field_of

from napari_cellinr.image import Image
from napari_cellinr.metrics import psnr

FACTOR = 3
TOLD = "thin"
_PEERS = {name: by_name(name).label for name in ("linear", "cubic", "spline")}
LABELS = {
    **_PEERS,
    "thick": f"{OURS.label}, `planes=thick`",
    TOLD: f"{OURS.label}, `planes=thin`",
}


def stacks() -> dict[str, tuple[Image, float]]:
    """Return one whole stack of each source, with its peak; the number of planes fits."""
    found = {}
    for name in ("celegans-z2", "brain-z2") if DATA.is_dir() else ():
        subject = case(name)
        volume = subject.truth[0] if "T" in subject.low.axes else subject.truth
        steps = subject.low.steps
        fine = (steps["Z"] / subject.scale["z"], steps["Y"], steps["X"])
        whole = volume[: len(volume) // FACTOR * FACTOR].astype(np.float32)
        found[name.split("-")[0]] = (Image(whole, "ZYX", fine), subject.peak)
    return found


def run_dropped() -> None:
    """Run what is not on the disk yet; the middle one of every three planes is given."""
    for name, (image, peak) in stacks().items():
        truth = image.array()
        scale = (FACTOR * image.scale[0], *image.scale[1:])
        low = Image(truth[FACTOR // 2 :: FACTOR], "ZYX", scale, ("micrometer",) * 3)
        for method in LABELS:
            path = _path(name, method, truth)
            if path.exists():
                continue
            begun = time.process_time()
            factor = {"z": float(FACTOR)}
            if method in _PEERS:
                found = conventional(low, factor, **by_name(method).settings)
            else:
                found = field_of(low, factor, **OURS.settings, planes=method)
            lacking = np.arange(len(truth)) % FACTOR != FACTOR // 2
            record = {
                "psnr": psnr(found[lacking], truth[lacking], peak),
                "cpu": time.process_time() - begun,
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(record))
            print(f"dropped {name} {method}: {record['psnr']:.2f} dB, {record['cpu']:.0f} CPU-s")


def dropped_scores() -> dict[str, dict[str, float]]:
    """Return PSNR of the dropped planes by method and source; what was not run is left out."""
    found: dict[str, dict[str, float]] = {}
    for name, (image, _) in stacks().items():
        for method in LABELS:
            path = _path(name, method, image.array())
            if path.exists():
                found.setdefault(method, {})[name] = json.loads(path.read_text())["psnr"]
    return found


def _path(name: str, method: str, truth: np.ndarray) -> Any:
    return BUILD / "dropped" / f"{name}-{method}-{digest(truth.tobytes())}.json"
