"""The report: docs/benchmarks/denoise.md and its pictures, of all runs that are finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from catalogue import METHODS, OURS, by_name
from collect import entries
from data import KINDS, LEVELS, REPORTED_SEEDS, ROOT, TUNING_SEEDS, celegans, simulated
from pictures import save_curves, save_panels
from store import HERE, find_run
from tables import (
    costs_table,
    dice_table,
    pairs_table,
    series_table,
    settings_table,
    simulated_table,
    targets_table,
)
from words import (
    AFTER_TARGETS,
    CELEGANS,
    CELEGANS_SEEN,
    DOWNSTREAM,
    HEAD,
    NOISE2VOID,
    PAIRS,
    SERIES,
    SIMULATED,
)

if TYPE_CHECKING:
    from pictures import Panel

FOLDER = ROOT / "docs" / "benchmarks"


def write_report() -> None:
    """Write the report and its pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = [HEAD, _state(), "## Goals and what was measured", targets_table()]
    parts += [_missing(), AFTER_TARGETS]
    parts += ["## Simulated embryos", SIMULATED.format(**_facts())]
    for kind in KINDS:
        for level in LEVELS:
            parts += [f"### {kind.capitalize()}, {level}", simulated_table(kind, level)]
        parts += _simulated_pictures(kind)
    parts += ["### Cost", "Mean over the simulated volumes, 48 × 96 × 96 voxels.", costs_table()]
    parts += ["### Settings", "Chosen on seeds that are not reported.", settings_table()]
    parts += ["## Real pairs", PAIRS, pairs_table()]
    parts += ["## Time series", SERIES, series_table()]
    parts += ["## Segmentation", DOWNSTREAM, dice_table()]
    parts += ["## Noise2Void", NOISE2VOID, *_loss_curves()]
    parts += ["## A real embryo", CELEGANS, *_celegans_picture()]
    text = "\n\n".join(part.strip() for part in parts if part) + "\n"
    (FOLDER / "denoise.md").write_text(text)
    print(f"wrote {FOLDER.relative_to(ROOT) / 'denoise.md'}")


def _state() -> str:
    """Return what was written by hand on the state of the figures."""
    notes = HERE / "notes.md"
    return notes.read_text() if notes.exists() else ""


def _facts() -> dict[str, str]:
    return {
        "seeds": f"{REPORTED_SEEDS[0]} to {REPORTED_SEEDS[-1]}",
        "tuning": ", ".join(map(str, TUNING_SEEDS)),
    }


def _missing() -> str:
    """Return a sentence on what was not run, so that nobody has to guess."""
    lacking = []
    for method in METHODS:
        levels = LEVELS if method.n_seeds > 1 else LEVELS[:1]
        done = sum(len(entries(method, kind, level)) for kind in KINDS for level in levels)
        wanted = len(KINDS) * len(levels) * method.n_seeds
        if done < wanted:
            lacking.append(f"{method.label} {done} of {wanted}")
    return "Volumes that were run so far: " + ", ".join(lacking) + "." if lacking else ""


def _simulated_pictures(kind: str) -> list[str]:
    """Write the middle planes at low light; return the lines that show them."""
    case = simulated(kind, "low light", REPORTED_SEEDS[0])
    names = ("raw", "nlm", "bm4d", "cellinr")
    found = {name: entries(by_name(name), kind, "low light") for name in names}
    planes = {
        by_name(name).label: runs[REPORTED_SEEDS[0]].run.load("kept")[24]
        for name, runs in found.items()
        if REPORTED_SEEDS[0] in runs
    }
    grey = tuple(float(level) for level in np.percentile(case.kept[24], [0.1, 99.9]))
    kept: list[Panel] = [(label, plane, grey) for label, plane in planes.items()]
    kept.append(("truth", case.kept[24], grey))
    rows = [kept]
    if ours := found["cellinr"].get(REPORTED_SEEDS[0]):
        clean, zero = ours.run.load("clean")[24], (0.0, grey[1] - grey[0])
        rows.append(
            [
                ("CellINR, background subtracted", clean, zero),
                ("truth without background", case.clean[24], zero),
                ("|CellINR - truth|, x 4", np.abs(kept[-2][1] - case.kept[24]) * 4, zero),
            ]
        )
    path = FOLDER / f"denoise-{kind}.png"
    save_panels(path, rows, zoom=3)
    return [f"![Middle plane, low light, seed {REPORTED_SEEDS[0]}]({path.name})"]


def _loss_curves() -> list[str]:
    """Write the loss curves of Noise2Void; return the lines that show them."""
    lines = []
    for kind in KINDS:
        for seed, entry in entries(by_name("n2v"), kind, "default").items():
            path = FOLDER / f"denoise-n2v-{kind}.png"
            title = f"Noise2Void, {kind}, seed {seed}: loss by epoch"
            save_curves(path, entry.run.record["losses"], title)
            lines.append(f"![{title}]({path.name})")
    return lines or ["Not run yet."]


def _celegans_picture() -> list[str]:
    """Write one plane of the real stack before and after; return the lines that show it."""
    case = celegans()
    run = case and find_run(case, OURS, {})
    if not run:
        return ["Not run yet."]
    results = [("raw", case.raw), ("background kept", run.load("kept"))]
    results.append(("background subtracted", run.load("clean")))
    high = float(np.percentile(case.raw[35], 99.8))
    cuts = {"XY, plane 35": np.s_[35], "XZ, row 128 (z enlarged)": np.s_[:, 128]}
    rows: list[list[Panel]] = []
    for name, cut in cuts.items():
        planes = [(f"{title}: {name}", volume[cut]) for title, volume in results]
        if name.startswith("XZ"):
            planes = [(title, _tall(plane, case)) for title, plane in planes]
        rows.append([(title, plane, (0.0, high)) for title, plane in planes])
    path = FOLDER / "denoise-celegans.png"
    save_panels(path, rows, zoom=1)
    cost = f"{run.record['wall']:.0f} s, {run.record['cpu']:.0f} CPU-s"
    size = " × ".join(map(str, case.raw.shape))
    near = FOLDER / "denoise-celegans-crop.png"
    cut = np.s_[35, 40:210, 60:290]
    enlarged = [
        (title, np.clip(volume[cut] / high, 0, 1) ** 0.7, (0.0, 1.0)) for title, volume in results
    ]
    save_panels(near, [enlarged], zoom=2)
    return [
        f"{size} voxels, {cost}.",
        f"![C. elegans before and after]({path.name})",
        "A part of plane 35, enlarged, with a gamma of 0.7:",
        f"![C. elegans, a part of a plane]({near.name})",
        CELEGANS_SEEN,
    ]


def _tall(plane: np.ndarray, case: object) -> np.ndarray:
    """Return an XZ plane with square pixels, as high as an XY plane so that rows match."""
    step = case.scale[0] / case.scale[-1]
    rows = (np.arange(round(len(plane) * step)) / step).astype(int)
    tall = plane[np.minimum(rows, len(plane) - 1)]
    padded = np.zeros((case.raw.shape[1], plane.shape[1]), np.float32)
    padded[: len(tall)] = tall[: len(padded)]
    return padded
