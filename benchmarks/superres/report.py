"""docs/benchmarks/superres.md, from whatever was run."""

from __future__ import annotations

import subprocess

import numpy as np
import tables
import words
from collect import entry, groups
from data import ROOT
from peers import OURS
from pictures import movie_strip, planes
from studies import study_tables

FOLDER = ROOT / "docs" / "benchmarks"


def write_report() -> None:
    """Write the report and its pictures."""
    lines = [words.HEAD.strip(), "", "## Goals", "", *tables.targets(), "", words.GOALS.strip()]
    lines += _section("Simulated cells, in time", words.SIMULATED, tables.simulated("t"))
    lines += [*_pictures_of_time(), "", words.SEEN.strip()]
    lines += _section("Simulated cells, along Z", words.SIMULATED_Z, tables.simulated("z"))
    lines += _pictures_of_planes()
    lines += _section("Real series, in time, against the raw frames", words.REAL, tables.real("t"))
    against = tables.real("t", "psnr against denoised")
    lines += _section("The same results against denoised frames", words.DENOISED_TRUTH, against)
    alike = tables.real("t", "psnr", "-denoised")
    lines += _section("Inputs denoised alike", words.DENOISED_INPUT, alike)
    lines += _section("Real stacks, along Z", words.REAL_Z, tables.real("z"))
    lines += _section("Dropped planes", words.DROPPED, tables.dropped())
    lines += _section("By displacement", words.SPEED, tables.by_speed())
    for title, text, table in study_tables():
        lines += _section(title, text, table)
    lines += _section("Dropped frames of whole series", words.PROTOCOL, tables.protocol())
    lines += _section("Cost", words.COST, tables.costs())
    lines += _section("Large runs", words.LARGE, tables.large())
    lines += ["", *_state()]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "superres.md").write_text("\n".join(lines) + "\n")


def _section(title: str, text: str, table: list[str]) -> list[str]:
    return ["", f"## {title}", "", text.strip(), "", *table]


def _pictures_of_time() -> list[str]:
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
            movie_strip(FOLDER / file, name, frames, plane, part)
            lines += ["", f"![{name}: frames from left to right, one row per method]({file})"]
    return lines


def _pictures_of_planes() -> list[str]:
    lines = []
    known = {n for found in ("simulated", "real") for g in groups(found, "z").values() for n in g}
    shown = {
        "cells-z4-100": ("superres-cells-z.png", 2, 40, 3),
        "brain-z4": ("superres-brain-z.png", None, 43, 3),
    }
    for name, (file, frame, row, zoom) in shown.items():
        if name in known:
            planes(FOLDER / file, name, frame, row, np.s_[:, :], zoom)
            lines += ["", f"![{name}: sections along Z]({file})"]
    return lines


def _state() -> list[str]:
    """Say whether all figures of the plugin are of one state of its code."""
    kinds = [groups(kind, axis) for kind in ("simulated", "real") for axis in "tz"]
    cases = [name for found in kinds for group in found.values() for name in group]
    runs = {name: entry(name, OURS) for name in cases}
    old = [name for name, found in runs.items() if found and not found.current]
    lacking = [name for name, found in runs.items() if not found]
    lines = [f"The method is that of commit `{_commit()}`.", ""]
    if old:
        lines += [f"Figures of SpatimeINR on an earlier state of its code: {', '.join(old)}.", ""]
    if lacking:
        lines += [f"SpatimeINR has not been run on: {', '.join(lacking)}.", ""]
    return lines


def _commit() -> str:
    """Return the newest commit that changed the method."""
    folder = "src/napari_cellinr/methods"
    command = ["git", "log", "-1", "--format=%h", "--", *sorted((ROOT / folder).glob("spatime*"))]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


__all__ = ["write_report"]
