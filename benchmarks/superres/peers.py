"""What is compared: each takes an image and factors, and returns values on the output lattice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common.runs import cpu_seconds

from napari_cellinr.classic.interpolate import interpolate
from napari_cellinr.classic.sampling import samplings
from napari_cellinr.classic.warping import along_flows, between_frames

if TYPE_CHECKING:
    from napari_cellinr.image import Image


@dataclass(frozen=True, eq=False)
class Method:
    """One method and its settings.

    Parameters
    ----------
    name, label
        As in file names, and as in tables.
    function
        Name of a function of this module.
    settings
        For that function.
    in_time, in_space
        What it can do.
    """

    name: str
    label: str
    function: str
    settings: dict[str, Any] = field(default_factory=dict)
    in_time: bool = True
    in_space: bool = True


def conventional(image: Image, scale: dict[str, float], kind: Any) -> np.ndarray:
    return np.asarray(interpolate(image, scale, kind).array())


def warped(image: Image, scale: dict[str, float], kind: Any, **settings: Any) -> np.ndarray:
    times = samplings(image, scale)["T"].positions
    return between_frames(image.array(), times, kind, **settings)


def elsewhere(image: Image, scale: dict[str, float], kind: str, **settings: Any) -> np.ndarray:
    """Return frames along flows that are computed by the Python of `PEERS_PYTHON`.

    The CPU seconds of starting it are `elsewhere.overhead`, and do not count.
    """
    times = samplings(image, scale)["T"].positions
    series = np.asarray(image.array(), np.float32)
    low, span = float(series.min()), max(float(np.ptp(series)), 1e-9)
    first = np.clip(np.floor(times + 1e-9).astype(int), 0, len(series) - 1)
    made = np.abs(times - np.rint(times)) > 1e-9
    starts = np.unique(first[made])
    result = series[np.rint(times).astype(int)]
    script = Path(__file__).with_name("flows_of_file.py")
    with tempfile.TemporaryDirectory() as folder:
        source, target = (str(Path(folder) / name) for name in ("in.npz", "out.npz"))
        scaled = (series - low) / span
        np.savez(source, first=scaled[starts], second=scaled[starts + 1])
        begun = cpu_seconds()
        python = os.environ.get("PEERS_PYTHON", sys.executable)
        command = [python, str(script), kind, source, target, json.dumps(settings)]
        one = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
        subprocess.run(command, env=one, check=True)
        with np.load(target) as found:
            forth, back, seconds = found["forth"], found["back"], float(found["seconds"])
        elsewhere.overhead = cpu_seconds() - begun - seconds  # type: ignore[attr-defined]
    for place, start in enumerate(starts):
        chosen = np.flatnonzero(made & (first == start))
        parts = times[chosen] - start
        ends = series[start], series[start + 1]
        result[chosen] = along_flows(*ends, forth[place], back[place], parts)
    return result


def field_of(image: Image, scale: dict[str, float], **settings: Any) -> np.ndarray:
    """Return what the plugin makes of it, with its report."""
    from napari_cellinr.api import superresolve

    fitted = superresolve(image, scale=scale, **settings)
    field_of.report = dict(fitted.report)  # type: ignore[attr-defined]
    return np.asarray(fitted.images[0].array())


OURS = Method("spatime", "SpatimeINR", "field_of", {"preset": "fast"})
CUNERF = Method(
    "cunerf",
    "CuNeRF-style",
    "field_of",
    {"preset": "paper", "latent": 0, "steps": 400, "neurons": 64, "batch": 1024},
)
METHODS = (
    Method("linear", "linear", "conventional", {"kind": "linear"}),
    Method("cubic", "cubic", "conventional", {"kind": "cubic"}),
    Method("spline", "B-spline", "conventional", {"kind": "spline"}),
    Method("shift", "phase-correlation shift", "warped", {"kind": "shift"}, in_space=False),
    Method("ilk", "optical flow, ILK", "warped", {"kind": "ilk"}, in_space=False),
    Method("ilk-linear", "ILK, linear warp", "warped", {"kind": "ilk", "order": 1}, in_space=False),
    Method("tvl1", "optical flow, TV-L1", "warped", {"kind": "tvl1"}, in_space=False),
    Method("dis", "DIS flow, plane by plane", "elsewhere", {"kind": "dis"}, in_space=False),
    Method("syn", "registration, ANTs SyN", "elsewhere", {"kind": "syn"}, in_space=False),
    OURS,
    CUNERF,
)
CANDIDATES = {
    "ilk": [{"radius": r, "gaussian": g} for r in (3, 5, 7, 10) for g in (False, True)],
    "ilk-linear": [{"radius": r, "gaussian": g} for r in (3, 5, 7, 10) for g in (False, True)],
    "tvl1": [{"attachment": a, "tightness": t} for a in (15, 50, 150) for t in (0.1, 0.3)],
    "dis": [{"preset": p, "finest": f} for p in (1, 2) for f in (0, 1)],
    "syn": [{"smooth": 1.0}, {"smooth": 2.0}, {"metric": "CC"}],
}
"""Settings that are tried on the tuning seed; the best one is used everywhere."""


def by_name(name: str) -> Method:
    return next(method for method in METHODS if method.name == name)
