"""Ablation, latent size, input frames and noise: the paper's tables 3 and S1–S3, at toy size."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from data import case
from peers import OURS, Method, by_name
from scores import scores
from store import latest_run, make_run

TOY = "cells-t4-100-toy"
"""Seven frames of 12 × 40 × 40 voxels, four times more frames wanted."""

SMALL: dict[str, Any] = {"preset": "paper", "neurons": 64, "batch": 512, "steps": 600}
"""The published networks at a size that a CPU can learn: a quarter of the neurons."""

_PLAIN = {"latent": 0, "cycle": 0.0, "rendering": False}


@dataclass(frozen=True)
class Trial:
    """One row of a study: what is varied, on which case, and what the paper found."""

    label: str
    case: str
    method: Method
    paper: str = ""


def _published(label: str, paper: str, **settings: Any) -> Trial:
    chosen = {**SMALL, **settings}
    return Trial(label, TOY, Method("paper", label, "field_of", chosen), paper)


STUDIES: dict[str, list[Trial]] = {
    "ablation": [
        _published("coordinates only (INR)", "25.8", **_PLAIN),
        _published("+ rendering of cells", "30.1", **{**_PLAIN, "rendering": True}),
        _published("+ cycle consistency", "30.9", latent=0),
        _published("+ latent code", "33.4", latent=32),
    ],
    "latent": [
        _published(str(size), paper, latent=size)
        for size, paper in ((0, "30.9"), (8, ""), (32, "31.7"), (128, "33.4"))
    ],
    "frames": [
        Trial(str(count), f"cells-t4-100-frames{count}", method, paper)
        for method in (by_name("linear"), by_name("cubic"), OURS)
        for count, paper in ((2, "23.4"), (3, ""), (5, "31.2"))
    ],
    "noise": [
        Trial(str(noise), f"cells-t4-100-noise{noise}", method, paper)
        for method in (by_name("linear"), by_name("cubic"), OURS)
        for noise, paper in ((10, "32.8"), (30, "29.9"), (100, "25.5"))
    ],
}

_TITLES = {
    "ablation": "The published method, part by part",
    "latent": "The published method, by the length of its latent code",
    "frames": "Fewer frames",
    "noise": "Added noise",
}
_TEXTS = {
    "ablation": """Preset `paper` with a quarter of the neurons (64), batches of 512, 600 steps, on
the middle of one movie of simulated cells (12 × 40 × 40 voxels, time ×4), so that a CPU can learn
it. The figures of the paper (its table 3, other cells, a GPU, 20 000 steps) can only be compared
as a trend.""",
    "latent": """As above. Figures of the paper: its table S1.""",
    "frames": """Time ×4, the middle frames of one movie of simulated cells as input. The paper (its
table S2) varies frames of another series.""",
    "noise": """Time ×4, white noise of the given standard deviation (grey levels of 255) added to
the frames of one movie; scores against the truth without noise. The paper: its table S3.""",
}


def run_study(part: str) -> None:
    """Run the trials of a study that are not on the disk yet."""
    linear = [Trial("", TOY, by_name("linear"))] if part in {"ablation", "latent"} else []
    for trial in [*linear, *STUDIES[part]]:
        subject = case(trial.case)
        run = make_run(subject, trial.method, trial.method.settings)
        if run:
            found = scores(subject, run)["psnr"]
            shown = f"{part}: {trial.method.name} {trial.label} {trial.case} {found:.2f} dB"
            print(f"{time.strftime('%H:%M:%S')} {shown}, {run.record['cpu']:.0f} CPU-s", flush=True)


def study_tables() -> list[tuple[str, str, list[str]]]:
    """Return title, text and table of each study that was run."""
    made = [(part, _rows(part)) for part in STUDIES]
    return [(_TITLES[part], _TEXTS[part], rows) for part, rows in made if rows]


def _psnr(trial: Trial) -> float:
    subject = case(trial.case)
    run = latest_run(subject, trial.method, trial.method.settings)
    return float(scores(subject, run)["psnr"]) if run else float("nan")


def _rows(part: str) -> list[str]:
    from tables import grid, number

    trials = STUDIES[part]
    found = {(t.method.name, t.label): _psnr(t) for t in trials}
    if all(np.isnan(value) for value in found.values()):
        return []
    names = list(dict.fromkeys(t.method.name for t in trials))
    if len(names) == 1:
        linear = Trial("", TOY, by_name("linear"))
        rows = [[t.label, number(found[t.method.name, t.label], 2), t.paper] for t in trials]
        rows.append(["linear interpolation", number(_psnr(linear), 2), ""])
        return grid(["", "PSNR, dB", "the paper"], rows)
    heads = {"frames": "frames", "noise": "noise"}
    labels = [by_name(name).label for name in names]
    lines = {t.label: t.paper for t in trials}
    rows = [[k, *(number(found[n, k], 2) for n in names), paper] for k, paper in lines.items()]
    return grid([heads[part], *labels, "the paper"], rows)
