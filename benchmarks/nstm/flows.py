"""How well registration and optical flow follow the same time lapses, on independent phantoms.

    python benchmarks/nstm/flows.py [--phantoms FOLDER] [--seeds 0,1] [--peers-python PYTHON]

Each method is given the frames smoothed by a Gaussian of 0, 1 or 2 pixels, goes from the first to
the last frame at once or from frame to frame, and counts with the best of these six ways for each
recording, chosen by the truth. PYTHON has opencv-python-headless and antspyx; without it, DIS and
SyN are left out. Errors are those of `doubt.py`, whose results of this package stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.page import table
from doubt import BUILD as DOUBT
from doubt import PHANTOMS, ROOT
from phantom_cases import CASES, MOTIONS, phantom
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import optical_flow_ilk, optical_flow_tvl1, phase_cross_correlation

if TYPE_CHECKING:
    from collections.abc import Callable

    Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]

BUILD = ROOT / "build" / "nstm-flows"
FLOWS = ROOT / "benchmarks" / "superres" / "flows_of_file.py"
WIDTHS = (0.0, 1.0, 2.0)  # pixels


def by_shift(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return one displacement for all pixels, by phase correlation, (axes, Y, X)."""
    shift = -phase_cross_correlation(first, second, upsample_factor=20)[0]
    return np.broadcast_to(shift.reshape(-1, 1, 1), (2, *first.shape)).astype(np.float32)


HERE: dict[str, Flow] = {
    "phase correlation": by_shift,
    "ILK": lambda a, b: optical_flow_ilk(a, b, radius=7),
    "TV-L1": lambda a, b: optical_flow_tvl1(a, b),
}
ELSEWHERE = {"DIS": "dis", "SyN": "syn"}


def flows_of(name: str, frames: np.ndarray, python: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the flow from the first to the last frame, and those from frame to frame."""
    pairs = [(frames[0], frames[-1]), *pairwise(frames)]
    if name in HERE:
        found = np.stack([HERE[name](a, b) for a, b in pairs])
    else:
        with tempfile.TemporaryDirectory() as folder:
            source, target = (str(Path(folder) / file) for file in ("in.npz", "out.npz"))
            first, second = (np.stack(some) for some in zip(*pairs, strict=True))
            np.savez(source, first=first, second=second)
            environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
            command = [python, str(FLOWS), ELSEWHERE[name], source, target, "{}"]
            subprocess.run(command, env=environment, check=True)
            with np.load(target) as made:
                found = made["forth"]
    return found[0], found[1:]


def chained(flows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return where points, (points, 2), are in the last frame, along flows from frame to frame."""
    ends = places.astype(float)
    for flow in flows:
        ends = ends + _at(flow, ends)
    return ends


def errors_of(name: str, motion: str, noise: float, seed: int, python: str) -> list[float]:
    """Return median and 90 % point of the errors in pixels, of the best way."""
    made = phantom("time-lapse", motion, noise, seed)
    frames = np.asarray(made.image.array(), np.float64)
    found = []
    for width in WIDTHS:
        smooth = gaussian_filter(frames, (0, width, width))
        scaled = ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)
        direct, steps = flows_of(name, scaled, python)
        for ends in (made.starts + _at(direct, made.starts), chained(steps, made.starts)):
            errors = np.linalg.norm(ends - made.ends, axis=1)
            found.append([float(np.median(errors)), float(np.quantile(errors, 0.9))])
    return min(found)


def _at(flow: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a flow, (axes, Y, X), at points, (points, axes)."""
    parts = [map_coordinates(part, places.T, order=1, mode="nearest") for part in flow]
    return np.stack(parts, axis=1)


def flow_table(folder: Path = BUILD) -> str:
    """Return the errors of all methods that were run, the mean over seeds."""
    files = sorted(folder.glob("*.json"))
    names = [n for n in (*HERE, *ELSEWHERE) if any(p.name.startswith(f"{n}-") for p in files)]
    rows = []
    for noise in (noise for kind, noise in CASES if kind == "time-lapse"):
        for motion in MOTIONS:
            cells = [_mean(folder, f"{name}-{motion}-{noise:g}-*.json") for name in names]
            ours = _mean(DOUBT, f"time-lapse-{motion}-{noise:g}-*.json")
            if any(cell != "–" for cell in cells):
                rows.append([f"{motion}, {noise:g}", *cells, ours])
    return table(["recording", *names, "this method"], rows) if rows else "not run"


def _mean(folder: Path, pattern: str) -> str:
    """Return median and 90 % point of the errors, each the mean over the files."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(pattern))]
    if not found:
        return "–"
    pairs = [one if isinstance(one, list) else [one["median"], one["ninety"]] for one in found]
    median, ninety = np.mean(pairs, axis=0)
    return f"{median:.2f} / {ninety:.2f}"


def main() -> None:
    """Measure all methods and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phantoms", type=Path, default=PHANTOMS, help="folder of moving.py")
    parser.add_argument("--seeds", default="0", help="comma-separated")
    parser.add_argument("--peers-python", default="", help="interpreter with OpenCV and ANTs")
    given = parser.parse_args()
    sys.path.insert(0, str(given.phantoms))
    BUILD.mkdir(parents=True, exist_ok=True)
    names = [*HERE, *(ELSEWHERE if given.peers_python else ())]
    for seed in map(int, given.seeds.split(",")):
        for noise in (noise for kind, noise in CASES if kind == "time-lapse"):
            for motion in MOTIONS:
                for name in names:
                    place = BUILD / f"{name}-{motion}-{noise:g}-{seed}.json"
                    if not place.exists():
                        errors = errors_of(name, motion, noise, seed, given.peers_python)
                        place.write_text(json.dumps(errors))
    print(flow_table())


if __name__ == "__main__":
    main()
