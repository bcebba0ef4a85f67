"""The report: docs/benchmarks/denoise.md and its pictures, of all runs that are finished."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from catalogue import METHODS, OURS, by_name
from collect import entries
from common.page import PAGES, write_page
from data import KINDS, LEVELS, REPORTED_SEEDS, TUNING_SEEDS, celegans, simulated
from pictures import save_curves, save_panels
from store import find_run
from tables import (
    costs_table,
    dice_table,
    pairs_table,
    series_table,
    settings_table,
    simulated_table,
    targets_table,
)

if TYPE_CHECKING:
    from pictures import Panel

TEMPLATE = Path(__file__).with_name("denoise.md")


def write_report() -> None:
    """Write the page and its pictures."""
    simulated_parts = {
        f"{kind}_{level.replace(' ', '_')}": simulated_table(kind, level)
        for kind in KINDS
        for level in LEVELS
    }
    before_and_after, part = _celegans_pictures()
    write_page(
        TEMPLATE,
        targets=targets_table(),
        missing=_missing(),
        seeds=f"{REPORTED_SEEDS[0]} to {REPORTED_SEEDS[-1]}",
        tuning=", ".join(map(str, TUNING_SEEDS)),
        **simulated_parts,
        **{f"{kind}_picture": _simulated_picture(kind) for kind in KINDS},
        costs=costs_table(),
        settings=settings_table(),
        pairs=pairs_table(),
        series=series_table(),
        dice=dice_table(),
        loss_curves=_loss_curves(),
        celegans=before_and_after,
        celegans_part=part,
    )


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


def _simulated_picture(kind: str) -> str:
    """Write the middle planes at low light; return the line that shows them."""
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
    path = PAGES / f"denoise-{kind}.png"
    save_panels(path, rows, zoom=3)
    return f"![Middle plane, low light, seed {REPORTED_SEEDS[0]}]({path.name})"


def _loss_curves() -> str:
    """Write the loss curves of Noise2Void; return the lines that show them."""
    lines = []
    for kind in KINDS:
        for seed, entry in entries(by_name("n2v"), kind, "default").items():
            path = PAGES / f"denoise-n2v-{kind}.png"
            title = f"Noise2Void, {kind}, seed {seed}: loss by epoch"
            save_curves(path, entry.run.record["losses"], title)
            lines.append(f"![{title}]({path.name})")
    return "\n\n".join(lines) or "Not run yet."


def _celegans_pictures() -> tuple[str, str]:
    """Write planes of the real stack before and after; return the lines that show them."""
    case = celegans()
    run = case and find_run(case, OURS, {})
    if not run:
        return "Not run yet.", ""
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
    path = PAGES / "denoise-celegans.png"
    save_panels(path, rows, zoom=1)
    cost = f"{run.record['wall']:.0f} s, {run.record['cpu']:.0f} CPU-s"
    size = " × ".join(map(str, case.raw.shape))
    near = PAGES / "denoise-celegans-crop.png"
    cut = np.s_[35, 40:210, 60:290]
    enlarged = [
        (title, np.clip(volume[cut] / high, 0, 1) ** 0.7, (0.0, 1.0)) for title, volume in results
    ]
    save_panels(near, [enlarged], zoom=2)
    return (
        f"{size} voxels, {cost}.\n\n![C. elegans before and after]({path.name})",
        f"![C. elegans, a part of a plane]({near.name})",
    )


def _tall(plane: np.ndarray, case: object) -> np.ndarray:
    """Return an XZ plane with square pixels, as high as an XY plane so that rows match."""
    step = case.scale[0] / case.scale[-1]
    rows = (np.arange(round(len(plane) * step)) / step).astype(int)
    tall = plane[np.minimum(rows, len(plane) - 1)]
    padded = np.zeros((case.raw.shape[1], plane.shape[1]), np.float32)
    padded[: len(tall)] = tall[: len(padded)]
    return padded
