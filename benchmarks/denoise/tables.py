"""The tables of the report, as Markdown."""

from __future__ import annotations

from functools import partial

import numpy as np
import series
from catalogue import METHODS, OURS, by_name
from choose import chosen_settings
from collect import entries, gain, gain_over_best, mean, pair_entries
from common.page import number
from common.page import table as markdown_table
from data import KINDS, LEVELS

_SCORES = ("kept psnr", "kept ssim", "kept profile", "clean psnr", "clean ssim", "clean profile")


table = partial(markdown_table, rules=("---", "---:"))


def simulated_table(kind: str, level: str) -> str:
    """Return all scores of all methods for one structure and noise level."""
    head = ["method", "seeds", "kept: PSNR", "SSIM", "profile", "clean: PSNR", "SSIM", "profile"]
    head += ["CellINR better by, kept", "clean"]
    rows = []
    for method in METHODS:
        found = entries(method, kind, level)
        if not found:
            continue
        cells = [number(mean(found, name), 2 if "psnr" in name else 3) for name in _SCORES]
        gains = [gain(kind, level, method.name, f"{side} psnr") for side in ("kept", "clean")]
        shown = ["", ""] if method is OURS else [number(value, sign=True) for value in gains]
        label = f"**{method.label}**" if method is OURS else method.label
        rows.append([label, str(len(found)), *cells, *shown])
    return table(head, rows)


def costs_table() -> str:
    """Return time and memory of each method on the simulated volumes."""
    head = ["method", "wall, s", "CPU, s", "peak memory, MB", "of it before the start, MB"]
    rows = []
    for method in METHODS[1:]:
        found = {
            (kind, level, seed): entry
            for kind in KINDS
            for level in LEVELS
            for seed, entry in entries(method, kind, level).items()
        }
        if found:
            cells = [number(mean(found, name), 1) for name in ("wall", "cpu")]
            cells += [number(mean(found, name), 0) for name in ("peak", "peak_before")]
            rows.append([method.label, *cells])
    return table(head, rows)


def pairs_table() -> str:
    """Return PSNR and SSIM of all methods on the real pairs."""
    groups = list(dict.fromkeys(case.group for case, _ in pair_entries(METHODS[0])))
    rows = []
    for method in METHODS:
        if not (found := pair_entries(method)):
            continue
        cells = [
            " / ".join(
                number(_pair_mean(found, group, name), digits)
                for name, digits in (("kept psnr", 2), ("kept ssim", 3))
            )
            for group in groups
        ]
        label = method.label.replace("BM4D", "BM3D").replace("Gaussian 0.7", "Gaussian")
        rows.append([f"**{label}**" if method is OURS else label, *cells])
    rows.append(["CellINR over the best peer, dB", *(_pair_gain(group) for group in groups)])
    return table(["PSNR, dB / SSIM", *groups], rows)


def _pair_gain(group: str) -> str:
    """Return by how much CellINR is nearer to the reference than the best peer."""
    values = {method: _pair_mean(pair_entries(method), group, "kept psnr") for method in METHODS}
    ours = values.pop(OURS)
    return number(ours - float(np.nanmax(list(values.values()))), sign=True)


def _pair_mean(found: list, group: str, name: str) -> float:
    values = [entry.value(name) for case, entry in found if case.group == group]
    return float(np.mean(values)) if values else float("nan")


def dice_table() -> str:
    """Return Dice of the watershed on each result."""
    head = ["watershed on", *(f"{level}{how}" for level in LEVELS for how in ("", ", smoothed"))]
    rows = []
    for method in METHODS:
        sides = ("", "clean ") if method is OURS else ("",)
        for side in sides:
            cells = [
                number(mean(entries(method, "membranes", level), side + name), 3)
                for level in LEVELS
                for name in ("dice", "dice smoothed")
            ]
            if set(cells) != {"–"}:
                label = method.label + (", background subtracted" if side else "")
                rows.append([label, *cells])
    return table(head, rows)


def settings_table() -> str:
    """Return the settings that were chosen on the tuning seeds."""
    rows = []
    for method in METHODS:
        if len(method.volumes) == 1:
            continue
        for kind in KINDS:
            cells = [_words(chosen_settings(method, kind, level)) for level in LEVELS]
            if set(cells) != {"–"}:
                rows.append([f"{method.label}, {kind}", *cells])
    return table(["method", *LEVELS], rows)


def _words(settings: dict | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (settings or {}).items()) or "–"


def targets_table() -> str:
    """Return the goals beside what was measured, for each structure and noise level."""
    goals = [
        ("kept, over Anscombe + NLM", "+0.6", "+1.5", ("nlm", "kept psnr")),
        ("kept, over Anscombe + BM4D", "above", "+1", ("bm4d", "kept psnr")),
        ("clean, over the best (peer − background)", "+1.0", "+2.5", ("", "clean psnr")),
        ("clean, over WBNS", "+5", "", ("wbns", "clean psnr")),
        ("kept, over Noise2Void", "+2", "", ("n2v", "kept psnr")),
        ("clean, over Noise2Void − background", "+2", "", ("n2v", "clean psnr")),
    ]
    head = ["gain in dB", "at least", "aim"]
    head += [f"{kind}, {level}" for kind in KINDS for level in LEVELS]
    rows = []
    for label, least, aim, (peer, score) in goals:
        cells = []
        for kind in KINDS:
            for level in LEVELS:
                if peer:
                    value, name = gain(kind, level, peer, score), ""
                else:
                    value, name = gain_over_best(kind, level, score)
                missed = " ✗" if value < float(least.replace("above", "0")) else ""
                cells.append(number(value, sign=True) + missed + (f" ({name})" if name else ""))
        rows.append([label, least, aim, *cells])
    rows.append(["CPU time, part of that of BM4D", "1", "0.33", *_time_cells()])
    return table(head, rows)


def series_table() -> str:
    """Return the scores of time series, frames together and one by one."""
    rows = []
    found = series.load()
    for row in found:
        alone = [
            other
            for other in found
            if other["mode"] != row["mode"]
            and (other["kind"], other["seed"]) == (row["kind"], row["seed"])
        ]
        gain, share = "", ""
        if row["mode"] == "together" and alone:
            gain = number(row["kept"] - alone[0]["kept"], sign=True)
            share = number(row["seconds"] / alone[0]["seconds"])
        cells = [number(row[name]) for name in ("kept", "clean", "flicker", "seconds")]
        cells.append(number(100 * row["bleaching"], 1))
        rows.append([f"{row['kind']}, seed {row['seed']}, {row['mode']}", *cells, gain, share])
    head = ["3-D series of 10 frames", "kept: PSNR", "clean: PSNR", "flicker", "CPU s per frame"]
    head += ["error of the bleaching, %", "gain, dB (goal 0.7)", "part of the time (goal 0.5)"]
    return table(head, rows) if rows else "Not run yet."


def _time_cells() -> list[str]:
    """Return CPU seconds of CellINR divided by those of Anscombe + BM4D."""
    cells = []
    for kind in KINDS:
        for level in LEVELS:
            ours, theirs = (
                mean(entries(method, kind, level), "cpu") for method in (OURS, by_name("bm4d"))
            )
            cells.append(number(ours / theirs))
    return cells
