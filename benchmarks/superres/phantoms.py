"""SpatimeINR on the phantoms of `../shared/phantoms`, which were made apart from the plugin.

    python benchmarks/superres/phantoms.py                        everything, then the table
    python benchmarks/superres/phantoms.py --parts pixels --seeds 3 --cases puncta

Seeds 1000 and 1001 are reported, those below 1000 are for tuning. Results are kept in
build/superres/phantoms, one per case and state of the code.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))  # for `common`

import peers
from common.runs import cpu_seconds
from data import BUILD, ROOT
from store import code_of

from napari_cellinr import Image, superresolve
from napari_cellinr.metrics import psnr

if TYPE_CHECKING:
    from collections.abc import Iterator

PHANTOMS = ROOT.parent / "shared" / "phantoms"
sys.path.insert(0, str(PHANTOMS))

SEEDS = (1000, 1001)
MODES = ("smooth", "fast", "mitosis", "appear", "jump")
BLURS = {"puncta": 0.9, "nuclei": 0.7, "neurons": 0.8, "granules": 1.0, "membranes": 0.8}
"""Standard deviations of the specimens' blur in the plane, in pixels of the truth."""
FOLDER = BUILD / "phantoms"
GREY, NOISE, FRAMES = 220.0, 6.0, 9
UNITS = ("micrometer",) * 3


@dataclass(frozen=True, eq=False)
class Phantom:
    """One case: what is given, what is sought, and by which methods."""

    part: str
    case: str
    seed: int
    low: Image
    scale: dict[str, float]
    truth: np.ndarray
    peak: float
    methods: tuple[str, ...]
    made: np.ndarray | slice = field(default_factory=lambda: slice(None))
    psf: float = 0.0

    @property
    def name(self) -> str:
        """Unique, fit for a file."""
        return "-".join(f"{self.part} {self.case} {self.seed}".replace(",", "").split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=tuple(PARTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--cases", default="", help="cases with this in their name")
    parser.add_argument("--peers-python", help="Python with the packages of requirements.txt")
    options = parser.parse_args()
    if options.peers_python:
        os.environ["PEERS_PYTHON"] = options.peers_python
    for part in options.parts:
        for seed in options.seeds:
            for phantom in PARTS[part](seed):
                if options.cases in phantom.name:
                    found = scores_of(phantom)
                    shown = [f"{k} {v['psnr']:.2f} ({v['cpu']:.1f})" for k, v in found.items()]
                    print(f"{phantom.name}: {', '.join(shown)}", flush=True)


def in_time(seed: int) -> Iterator[Phantom]:
    """Yield cells that move in five ways; frames at whole times are given, the others scored."""
    from moving import cells

    for mode in MODES:
        for factor in (2, 3):
            times = np.arange((FRAMES - 1) * factor + 1) / factor
            truth = cells(mode, seed, times)
            made = np.arange(len(times)) % factor > 0
            methods = ("linear", "cubic", "ilk", "dis", "ours")
            low = Image(truth[::factor], "TZYX")
            case = f"{mode} ×{factor}"
            yield Phantom("time", case, seed, low, {"t": factor}, truth, GREY, methods, made)


def noisy_planes(seed: int) -> Iterator[Phantom]:
    """Yield noisy planes, each the mean of two, scored against the truth without noise."""
    from moving import cells

    truth = cells("smooth", seed, [0.0, 1.0], shape=(24, 56, 56))
    given = truth.reshape(2, 12, 2, 56, 56).mean(2)
    given = given + np.random.default_rng(seed + 1).normal(0, NOISE, given.shape)
    low = Image(given.astype(np.float32), "TZYX", (1.0, 2.0, 1.0, 1.0))
    methods = ("linear", "cubic", "ours")
    yield Phantom("planes", "noise of 3 %", seed, low, {"z": 2}, truth, GREY, methods)


def in_the_plane(seed: int) -> Iterator[Phantom]:
    """Yield specimens whose pixels are means over 2 × 2, without noise and of 30 photons."""
    import cameras
    import specimens

    for name, blur in BLURS.items():
        if name in specimens.VOLUMES:
            truth = specimens.VOLUMES[name]((8, 128, 128), seed)
        else:
            truth = specimens.PLANES[name]((192, 192), seed)
        *planes, rows, columns = truth.shape
        coarse = truth.reshape(*planes, rows // 2, 2, columns // 2, 2).mean((-3, -1))
        raw, _, gain, _, offset = cameras.record(coarse, "middle", seed)
        grey = gain * 30.0 * (truth + cameras.HAZE) + offset
        for given, sought, noise in ((coarse, truth, ""), (raw, grey, ", 30 photons")):
            axes = "ZYX"[-truth.ndim :]
            voxel = (1.0, 2.0, 2.0)[-truth.ndim :]
            low = Image(given.astype(np.float32), axes, voxel, UNITS[: len(axes)])
            yield Phantom(
                "pixels", f"{name}{noise}", seed, low, {"y": 2, "x": 2},
                sought.astype(np.float32), float(np.ptp(sought)),
                ("linear", "cubic", "ours", "psf"), psf=blur,
            )  # fmt: skip


def jointly(seed: int) -> Iterator[Phantom]:
    """Yield cells that are made finer along all four axes; all voxels are scored."""
    from moving import cells

    for mode in ("smooth", "fast", "mitosis"):
        truth = cells(mode, seed, np.arange(9) / 2, shape=(16, 96, 96))
        low = truth[::2].reshape(5, 8, 2, 48, 2, 48, 2).mean((2, 4, 6))
        image = Image(low.astype(np.float32), "TZYX", (1.0, 2.0, 2.0, 2.0))
        scale = dict.fromkeys("tzyx", 2)
        yield Phantom("joint", mode, seed, image, scale, truth, GREY, ("linear", "cubic", "ours"))


def flickering(seed: int) -> Iterator[Phantom]:
    """Yield noisy cells at rest and in motion; given and made frames are scored apart."""
    from moving import cells

    times = np.arange(2 * FRAMES - 1) / 2
    random = np.random.default_rng(seed + 1)
    for name, moments in (("at rest", 0 * times), ("smooth", times), ("fast", times)):
        truth = cells("fast" if name == "fast" else "smooth", seed, moments)
        given = truth[::2] + random.normal(0, NOISE, truth[::2].shape)
        low = Image(given.astype(np.float32), "TZYX")
        yield Phantom("flicker", name, seed, low, {"t": 2}, truth, GREY, ())


PARTS = {
    "time": in_time,
    "planes": noisy_planes,
    "pixels": in_the_plane,
    "joint": jointly,
    "flicker": flickering,
}


def scores_of(phantom: Phantom) -> dict[str, dict[str, float]]:
    """Return PSNR in dB and CPU seconds by method, from the disk where possible."""
    code = code_of(peers.OURS)
    stored = FOLDER / f"{phantom.name}-{code}.json"
    if not stored.exists():
        facts = {"part": phantom.part, "case": phantom.case, "seed": phantom.seed, "code": code}
        found = _flicker(phantom) if phantom.part == "flicker" else _scores(phantom)
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps({**facts, "scores": found}))
    return json.loads(stored.read_text())["scores"]


def stored_scores() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the newest record of each case by part, case and seed."""
    files = sorted(FOLDER.glob("*.json"), key=os.path.getmtime)
    records = [json.loads(file.read_text()) for file in files]
    return {(r["part"], r["case"], r["seed"]): r for r in records}


def _scores(phantom: Phantom) -> dict[str, dict[str, float]]:
    found = {}
    given = phantom.low, phantom.scale
    for name in phantom.methods:
        if name in {"ours", "psf"}:
            extra = {"psf": phantom.psf} if name == "psf" else {}
            make: Any = partial(peers.field_of, *given, **extra)
        else:
            method = peers.by_name(name)
            make = partial(getattr(peers, method.function), *given, **method.settings)
        peers.elsewhere.overhead = 0.0  # type: ignore[attr-defined]
        begun = cpu_seconds()
        result = make()
        cpu = cpu_seconds() - begun - peers.elsewhere.overhead  # type: ignore[attr-defined]
        part = phantom.made
        found[name] = {"psnr": psnr(result[part], phantom.truth[part], phantom.peak), "cpu": cpu}
    return found


def _flicker(phantom: Phantom) -> dict[str, dict[str, float]]:
    found = {}
    for noise in ("keep", "match", "remove"):
        begun = cpu_seconds()
        fitted = superresolve(phantom.low, scale=phantom.scale, noise=noise)
        result = fitted.images[0].array()
        for name, part in (("given", np.s_[::2]), ("made", np.s_[1::2])):
            score = psnr(result[part], phantom.truth[part], phantom.peak)
            found[f"{noise}: {name}"] = {"psnr": score, "cpu": cpu_seconds() - begun}
    return found


if __name__ == "__main__":
    os.nice(10)
    main()
