"""What each part of the published method is good for: the ablation of the paper's Table 2, small.

    python benchmarks/denoise/ablation.py --recipe camera [--seeds 0 1] [--steps 1500]
    python benchmarks/denoise/ablation.py --recipe paper [--seeds 0] [--neurons 128]

Five variants of the preset `paper` on a crop of simulated embryos. Recipe `camera`: with
out-of-focus light, scored against the signal and against signal plus background. Recipe `paper`:
the synthetic data of the paper, with a background of exactly 0. Each fit takes minutes; finished
ones are kept in build/ and skipped the next time. The part of `docs/benchmarks/ablation.md` about
this recipe is written anew after each of them, and the other one stays as it is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

from common.page import PAGES, table, write_page

from napari_cellinr import __version__
from napari_cellinr.api import denoise
from napari_cellinr.metrics import psnr, ssim
from napari_cellinr.simulate.embryo import embryo

if TYPE_CHECKING:
    from napari_cellinr.image import Image

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "ablation"
TEMPLATE = Path(__file__).with_suffix(".md")

SIZE = (48, 96, 96)
CROPS = {  # the middle of the embryo, and a quarter of its rim with 42 % of background
    "camera": {"Z": slice(16, 32), "Y": slice(24, 72), "X": slice(24, 72)},
    "paper": {"Z": slice(16, 32), "Y": slice(0, 48), "X": slice(0, 48)},
}
DATA_RANGE = 255

RECIPES = ("camera", "paper")
PHOTONS = 0.1
"""Per grey level, of the recipe `paper`: its Poisson noise of "factor = 0.1"."""
ADDED = 20.0
"""Standard deviation of its Gaussian noise in grey levels, where the truth is not 0."""

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


def images(recipe: str, seed: int) -> tuple[Image, Image, Image]:
    """Return noisy image, signal, and signal plus background of one seed."""
    if recipe == "camera":
        sample = embryo("membranes", SIZE, seed)
        found = sample.raw, sample.truth, sample.truth_with_background
    else:
        sample = embryo("membranes", SIZE, seed, gain=0, read_noise=0, background=(0, 0))
        truth = np.rint(sample.truth.array()).astype(np.float32)  # 8 bits: 0 beside structures
        generator = np.random.default_rng((seed, 1))
        noise = ADDED * generator.standard_normal(truth.shape) * (truth > 0)
        raw = generator.poisson(PHOTONS * truth) / PHOTONS + noise
        clean = sample.truth.like(truth)
        found = sample.raw.like(raw.astype(np.float32)), clean, clean
    raw, clean, with_background = (image.crop(**CROPS[recipe]) for image in found)
    return raw, clean, with_background


def measure(name: str, seed: int, options: argparse.Namespace) -> Row:
    """Return the scores of one fit and its time on one core."""
    raw, clean, with_background = images(options.recipe, seed)
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
    return CACHE / f"{options.recipe}_{words}_{seed}_{'_'.join(map(str, sizes))}.json"


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


COLUMNS = {
    "PSNR signal": ("psnr_clean", 1),
    "SSIM signal": ("ssim_clean", 2),
    "PSNR signal + background": ("psnr_background", 1),
    "SSIM signal + background": ("ssim_background", 2),
    "error on held-out voxels": ("held_out", 2),
}


def score_table(found: dict[str, list[Row]], recipe: str) -> str:
    shown = [name for name in COLUMNS if recipe == "camera" or "background" not in name]
    lines = []
    for name, rows in found.items():
        paper = ", ".join(f"{value:.1f}" for value in PAPER.get(name, ())) or "–"
        seconds = f"{mean(rows, 'seconds'):.0f}" if "seconds" in rows[0] else "–"
        cells = [cell(rows, *COLUMNS[column]) for column in shown]
        lines.append([name, *cells, seconds, paper])
    return table(["variant", *shown, "core seconds", "paper: PSNR on sets 1, 2, 4"], lines)


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


def section(found: dict[str, list[Row]], options: argparse.Namespace) -> str:
    """Return the part of the page about what is finished of a recipe."""
    seeds = " ".join(str(seed) for seed in options.seeds)
    command = (
        f"python benchmarks/denoise/ablation.py --recipe {options.recipe} --seeds {seeds} "
        f"--steps {options.steps} --neurons {options.neurons}"
    )
    done = sum(len(rows) for name, rows in found.items() if name in VARIANTS)
    parts = [
        f"Written by `{command}`, version {__version__}, torch {torch.__version__}; it contains "
        f"{done} of {len(VARIANTS) * len(options.seeds)} fits.",
        f"Seed{'s' * (len(options.seeds) > 1)} {seeds.replace(' ', ', ')}; {options.steps} steps, "
        f"{options.batch} voxels per step, {options.points} + {options.points} points, networks "
        f"of 8 × {options.neurons} neurons.",
        score_table(found, options.recipe),
        "Order by PSNR against the signal:",
        agreement(found, "psnr_clean"),
    ]
    if options.recipe == "camera":
        parts += ["Order by PSNR against the signal plus background:"]
        parts += [agreement(found, "psnr_background")]
    return "\n\n".join(parts)


def write(found: dict[str, list[Row]], options: argparse.Namespace) -> None:
    """Write the page with a new part about one recipe, and the present part about the other."""
    page = (PAGES / TEMPLATE.name).read_text("utf-8")
    sections = {
        name: re.search(f"<!-- {name} -->\n\n(.*?)\n\n<!-- end of {name} -->", page, re.DOTALL)[1]
        for name in RECIPES
    }
    write_page(TEMPLATE, **sections | {options.recipe: section(found, options)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=RECIPES, default="paper")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
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
