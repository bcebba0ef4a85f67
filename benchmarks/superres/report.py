"""docs/benchmarks/superres.md, from whatever was run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import tables
from collect import entry, groups
from common.page import PAGES, write_page
from data import ROOT
from earlier import commit as commit_before
from earlier import or_earlier
from peers import OURS
from phantom_tables import outdated_phantoms, phantom_tables
from pictures import confidence_strip, movie_strip, planes
from studies import study_tables

TEMPLATE = Path(__file__).with_name("superres.md")


def write_report() -> None:
    """Write the page and its pictures."""
    write_page(
        TEMPLATE,
        targets=tables.targets(),
        simulated_time=tables.simulated("t"),
        time_pictures=_pictures_of_time(),
        confidence_picture=_picture_of_confidence(),
        simulated_z=tables.simulated("z"),
        z_pictures=_pictures_of_planes(),
        real_time=tables.real("t"),
        against_denoised=tables.real("t", "psnr against denoised"),
        nuclei=tables.real("t", "dice against denoised", word="mitocheck", digits=3),
        denoised_inputs=tables.real("t", "psnr", "-denoised"),
        real_z=tables.real("z"),
        dropped=or_earlier("dropped", tables.dropped()),
        by_displacement=tables.by_speed(),
        **{name: or_earlier(name, made) for name, made in study_tables().items()},
        **phantom_tables(),
        protocol=tables.protocol(),
        costs=tables.costs(),
        large=or_earlier("large", tables.large()),
        earlier=commit_before(),
        commit=_commit(),
        state=_state(),
    )


def _pictures_of_time() -> str:
    """Write movie strips; return the lines that show them."""
    lines = []
    whole = np.s_[:, :]
    shown = {
        "cells-t4-100": ("superres-cells-time.png", range(8, 13), 12, whole),
        "mitocheck-t4": ("superres-mitocheck.png", range(12, 17), None, np.s_[40:150, 50:180]),
        "celegans-t2": ("superres-celegans.png", range(2, 5), 15, whole),
        "lightsheet-t2": ("superres-lightsheet.png", range(2, 5), 9, whole),
    }
    known = {n for found in ("simulated", "real") for g in groups(found, "t").values() for n in g}
    for name, (file, frames, plane, part) in shown.items():
        if name in known:
            movie_strip(PAGES / file, name, frames, plane, part)
            lines.append(f"![{name}: frames from left to right, one row per method]({file})")
    return "\n\n".join(lines)


def _picture_of_confidence() -> str:
    """Write a movie strip with its confidence; return the line that shows it."""
    name, file = "mitocheck-t2", "superres-confidence.png"
    if name not in groups("real", "t"):
        return ""
    confidence_strip(PAGES / file, name, range(12, 17), None, np.s_[40:150, 50:180])
    return f"![{name}: frames of SpatimeINR, their confidence, and the truth]({file})"


def _pictures_of_planes() -> str:
    """Write sections along z; return the lines that show them."""
    lines = []
    known = {n for found in ("simulated", "real") for g in groups(found, "z").values() for n in g}
    shown = {
        "cells-z4-100": ("superres-cells-z.png", 2, 40, 3),
        "brain-z4": ("superres-brain-z.png", None, 43, 3),
    }
    for name, (file, frame, row, zoom) in shown.items():
        if name in known:
            planes(PAGES / file, name, frame, row, np.s_[:, :], zoom)
            lines.append(f"![{name}: sections along Z]({file})")
    return "\n\n".join(lines)


def _state() -> str:
    """Say whether all figures of the plugin are of one state of its code."""
    kinds = [groups(kind, axis) for kind in ("simulated", "real") for axis in "tz"]
    cases = [name for found in kinds for group in found.values() for name in group]
    runs = {name: entry(name, OURS) for name in cases}
    old = [name for name, found in runs.items() if found and not found.current]
    lacking = [name for name, found in runs.items() if not found]
    lines = []
    if old:
        lines.append(
            f"Figures of SpatimeINR with an earlier version of its code: {', '.join(old)}."
        )
    if lacking:
        lines.append(f"SpatimeINR has not been run on: {', '.join(lacking)}.")
    if older := outdated_phantoms():
        lines.append(f"Phantoms with an earlier version of its code: {', '.join(older)}.")
    return "\n\n".join(lines)


def _commit() -> str:
    """Return the newest commit that changed the method."""
    folder = "src/napari_cellinr/methods/spatime"
    command = ["git", "log", "-1", "--format=%h", "--", folder]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
