"""Ablation, latent size, input frames and noise: the paper's tables 3 and S1–S3, at toy size."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from common.page import number, table
from data import case
from peers import OURS, Method, by_name
from scores import scores
from store import latest_run, make_run

TOY = "cells-t4-100-toy"
"""Seven frames of 12 × 40 × 40 voxels, four times more frames wanted."""

SMALL: dict[str, Any] = {"preset": "paper", "neurons": 64, "batch": 512, "steps": 600}
"""The published networks at a size that a CPU can learn: a quarter of the neurons."""

DENOISED_FIRST = Method(
    "spatime-remove", "SpatimeINR, `noise=remove`", "field_of", {**OURS.settings, "noise": "remove"}
)

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
        for method in (by_name("linear"), by_name("cubic"), OURS, DENOISED_FIRST)
        for noise, paper in ((10, "32.8"), (30, "29.9"), (100, "25.5"))
    ],
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


def study_tables() -> dict[str, str]:
    """Return the table of each study."""
    return {part: _table(part) for part in STUDIES}


def _psnr(trial: Trial) -> float:
    subject = case(trial.case)
    run = latest_run(subject, trial.method, trial.method.settings)
    return float(scores(subject, run)["psnr"]) if run else float("nan")


def _table(part: str) -> str:
    trials = STUDIES[part]
    found = {(t.method.name, t.label): _psnr(t) for t in trials}
    if all(np.isnan(value) for value in found.values()):
        return "Not run yet."
    labels = {t.method.name: t.method.label for t in trials}
    if len(labels) == 1:
        linear = Trial("", TOY, by_name("linear"))
        rows = [[t.label, number(found[t.method.name, t.label], 2), t.paper] for t in trials]
        rows.append(["linear interpolation", number(_psnr(linear), 2), ""])
        return table(["", "PSNR, dB", "the paper"], rows)
    lines = {t.label: t.paper for t in trials}
    rows = [[k, *(number(found[n, k], 2) for n in labels), paper] for k, paper in lines.items()]
    return table([part, *labels.values(), "the paper"], rows)
