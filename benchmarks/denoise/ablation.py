"""What each part of the published method is good for: the ablation of the paper's Table 2, small.

    python benchmarks/denoise/ablation.py [--seeds 0 1] [--steps 1500] [--neurons 128]

Five variants of the preset `paper` on a crop of simulated embryos, scored against the signal and
against signal plus background. Each fit takes minutes; finished ones are kept in build/ and skipped
the next time. `docs/benchmarks/ablation.md` is written anew after each of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.page import table, write_page

from napari_cellinr import __version__
from napari_cellinr.api import denoise
from napari_cellinr.metrics import psnr, ssim
from napari_cellinr.simulate.embryo import embryo

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "ablation"
TEMPLATE = Path(__file__).with_suffix(".md")

CROP = {"Z": slice(16, 32), "Y": slice(24, 72), "X": slice(24, 72)}
DATA_RANGE = 255

WITHOUT_TV = {"total_variation": 0.0}
WITHOUT_CELLS = {"blind_convolution": False}
WITHOUT_STRUCTURE = {"structure": "none"}

VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "without total variation": WITHOUT_TV,
    "without blind convolution": WITHOUT_CELLS,
    "without structure amplification": WITHOUT_STRUCTURE,
    "baseline INR (without all three)": WITHOUT_TV | WITHOUT_CELLS | WITHOUT_STRUCTURE,
}

PAPER = {  # PSNR in dB on the datasets 1, 2 and 4 (Table 2)
    "full": (35.470, 38.620, 33.170),
    "without total variation": (33.460, 37.640, 33.020),
    "without blind convolution": (30.040, 32.210, 30.640),
    "without structure amplification": (27.730, 22.230, 21.550),
    "baseline INR (without all three)": (23.804, 23.302, 20.869),
}

Row = dict[str, float]


def scores(result: np.ndarray, clean: np.ndarray, with_background: np.ndarray) -> Row:
    """Return PSNR in dB and SSIM against the signal, and against the signal plus background."""
    return {
        "psnr_clean": psnr(result, clean, DATA_RANGE),
        "ssim_clean": ssim(result, clean, DATA_RANGE),
        "psnr_background": psnr(result, with_background, DATA_RANGE),
        "ssim_background": ssim(result, with_background, DATA_RANGE),
    }


def measure(name: str, seed: int, options: argparse.Namespace) -> Row:
    """Return the scores of one fit and its time on one core."""
    sample = embryo("membranes", (48, 96, 96), seed)
    raw, clean, with_background = (
        image.crop(**CROP) for image in (sample.raw, sample.truth, sample.truth_with_background)
    )
    if name == "noisy input":
        return scores(raw.array(), clean.array(), with_background.array())
    settings: dict[str, Any] = {"seed": seed, "device": "cpu"}
    if name != "preset fast":
        size = {name: getattr(options, name) for name in ("steps", "points", "batch", "neurons")}
        settings |= {"preset": "paper", **size, **VARIANTS[name]}
    begun = time.process_time()
    if name == "preset fast":
        fitted = denoise(raw, **settings)
    else:  # without a cache, which would keep the weights of the first step for ever
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            fitted = denoise(raw, **settings)
    seconds = time.process_time() - begun
    found = scores(fitted.images[0].array(), clean.array(), with_background.array())
    return {**found, "held_out": fitted.report["held_out"], "seconds": seconds}


def kept(name: str, seed: int, options: argparse.Namespace) -> Path:
    """Return the file for the scores of one fit, whose name holds all that they depend on."""
    sizes = (options.steps, options.points, options.batch, options.neurons)
    words = name.split(" (")[0].replace(" ", "-")
    return CACHE / f"{words}_{seed}_{'_'.join(map(str, sizes))}.json"


def collect(options: argparse.Namespace) -> dict[str, list[Row]]:
    """Return the scores by variant, one for each seed that is finished."""
    found: dict[str, list[Row]] = {}
    for name in ("noisy input", *VARIANTS, "preset fast"):
        paths = [kept(name, seed, options) for seed in options.seeds]
        found[name] = [json.loads(path.read_text()) for path in paths if path.exists()]
    return {name: rows for name, rows in found.items() if rows}


def mean(rows: list[Row], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def cell(rows: list[Row], key: str, digits: int = 1) -> str:
    """Return the mean, and the single values where there are several."""
    if key not in rows[0]:
        return "–"
    single = " / ".join(f"{row[key]:.{digits}f}" for row in rows)
    return f"{mean(rows, key):.{digits}f}" + (f" ({single})" if len(rows) > 1 else "")


def score_table(found: dict[str, list[Row]]) -> str:
    head = ["variant", "PSNR signal", "SSIM signal", "PSNR signal + background"]
    head += ["SSIM signal + background", "error on held-out voxels", "core seconds"]
    lines = []
    for name, rows in found.items():
        paper = ", ".join(f"{value:.1f}" for value in PAPER.get(name, ())) or "–"
        parts = [
            name,
            cell(rows, "psnr_clean"),
            cell(rows, "ssim_clean", 2),
            cell(rows, "psnr_background"),
            cell(rows, "ssim_background", 2),
            cell(rows, "held_out", 2),
            f"{mean(rows, 'seconds'):.0f}" if "seconds" in rows[0] else "–",
            paper,
        ]
        lines.append(parts)
    return table([*head, "paper: PSNR on sets 1, 2, 4"], lines)


def order(values: dict[str, float]) -> str:
    ranked = sorted(values, key=values.__getitem__, reverse=True)
    return " > ".join(name.split(" (")[0] for name in ranked)


def agreement(found: dict[str, list[Row]], key: str) -> str:
    """Return our order and how many pairs of variants stand as in the paper, by dataset."""
    ours = {name: mean(rows, key) for name, rows in found.items() if name in VARIANTS}
    pairs = list(itertools.combinations(ours, 2))
    lines = [f"- here: {order(ours)}"]
    for place, dataset in enumerate((1, 2, 4)):
        theirs = {name: PAPER[name][place] for name in ours}
        same = sum((ours[a] > ours[b]) == (theirs[a] > theirs[b]) for a, b in pairs)
        lines.append(
            f"- paper, set {dataset}: {order(theirs)} ({same} of {len(pairs)} pairs agree)"
        )
    return "\n".join(lines)


def write(found: dict[str, list[Row]], options: argparse.Namespace) -> None:
    """Write the report of what is finished."""
    seeds = [str(seed) for seed in options.seeds]
    command = f"python benchmarks/denoise/ablation.py --seeds {' '.join(seeds)}"
    write_page(
        TEMPLATE,
        command=f"{command} --steps {options.steps} --neurons {options.neurons}",
        version=__version__,
        torch=torch.__version__,
        done=sum(len(rows) for name, rows in found.items() if name in VARIANTS),
        wanted=len(VARIANTS) * len(options.seeds),
        crop=" × ".join(str(cut.stop - cut.start) for cut in CROP.values()),
        seeds=", ".join(seeds),
        steps=options.steps,
        batch=options.batch,
        points=options.points,
        neurons=options.neurons,
        scores=score_table(found),
        order_clean=agreement(found, "psnr_clean"),
        order_background=agreement(found, "psnr_background"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    for name, default in {"steps": 1500, "points": 8, "batch": 512, "neurons": 128}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    CACHE.mkdir(parents=True, exist_ok=True)
    for seed, name in itertools.product(options.seeds, ("noisy input", *VARIANTS, "preset fast")):
        path = kept(name, seed, options)
        if not path.exists():
            begun = time.monotonic()
            path.write_text(json.dumps(measure(name, seed, options)))
            print(f"{name}, seed {seed}: {time.monotonic() - begun:.0f} s", flush=True)
        write(collect(options), options)


if __name__ == "__main__":
    main()
