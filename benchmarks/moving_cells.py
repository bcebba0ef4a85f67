"""Gains and losses of super-resolution on `cells` of `../shared/phantoms/moving.py`, as a table.

    python benchmarks/moving_cells.py                             all modes ×2 and ×3, noisy z ×2
    python benchmarks/moving_cells.py --modes jump --factors 2 --seeds 1000

All frames at whole times are given, those between them are scored together: PSNR for a peak of
220. The last columns are the gain over the better of linear and cubic interpolation, which is
negative for a loss, CPU seconds, and those of ILK flow with the settings of scikit-image.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cellinr import Image, superresolve
from napari_cellinr.classic.interpolate import interpolate
from napari_cellinr.classic.warping import between_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

sys.path.insert(0, str(Path(__file__).parents[2] / "shared" / "phantoms"))

MODES = ("smooth", "fast", "jump", "mitosis", "appear")
PEAK, FRAMES, NOISE = 220.0, 9, 6.0
KINDS = ("linear", "cubic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modes", nargs="*", choices=MODES, default=MODES)
    parser.add_argument("--factors", nargs="*", type=int, default=(2, 3))
    parser.add_argument("--seeds", nargs="*", type=int, default=(1000, 1001))
    parser.add_argument("--without-noise", action="store_true", help="leave out noisy planes")
    options = parser.parse_args()
    print("| case | linear | cubic | ILK | SpatimeINR | gain | CPU-s | ILK, CPU-s |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        for mode in options.modes:
            for factor in options.factors:
                _in_time(mode, factor, seed)
        if not options.without_noise:
            _noisy_planes(seed)


def _in_time(mode: str, factor: int, seed: int) -> None:
    from moving import cells

    times = np.arange((FRAMES - 1) * factor + 1) / factor
    truth = cells(mode, seed, times)
    image = Image(truth[::factor], "TZYX")
    made = np.arange(len(times)) % factor > 0
    begun = time.process_time()
    flow = between_frames(truth[::factor], times, "ilk")
    _row(f"{mode} ×{factor}, seed {seed}", image, {"t": factor}, truth, made, flow, begun)


def _noisy_planes(seed: int) -> None:
    """Score planes between noisy planes, each the mean of two, against the truth without noise."""
    from moving import cells

    truth = cells("smooth", seed, [0.0, 1.0], shape=(24, 56, 56))
    given = truth.reshape(2, 12, 2, 56, 56).mean(2)
    given = given + np.random.default_rng(seed + 1).normal(0, NOISE, given.shape)
    image = Image(given.astype(np.float32), "TZYX", (1.0, 2.0, 1.0, 1.0))
    made = np.ones(len(truth), bool)
    _row(f"noisy z ×2, seed {seed}", image, {"z": 2}, truth, made, None, time.process_time())


def _row(
    name: str,
    image: Image,
    scale: dict[str, int],
    truth: np.ndarray,
    made: np.ndarray,
    flow: np.ndarray | None,
    begun: float,
) -> None:
    """Print one row; CPU seconds of the flow are those since `begun`."""
    between = time.process_time()
    found = superresolve(image, scale=scale).images[0].array()
    ours = time.process_time() - between
    simple = [_psnr(interpolate(image, scale, kind).array()[made], truth[made]) for kind in KINDS]
    score = _psnr(found[made], truth[made])
    peer = "–" if flow is None else f"{_psnr(flow[made], truth[made]):.2f}"
    cost = "–" if flow is None else f"{between - begun:.1f}"
    cells: Sequence[str] = (
        name, *(f"{value:.2f}" for value in simple), peer, f"{score:.2f}",
        f"{score - max(simple):+.2f}", f"{ours:.1f}", cost,
    )  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def _psnr(found: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(PEAK**2 / np.mean((found - truth) ** 2)))


if __name__ == "__main__":
    main()
