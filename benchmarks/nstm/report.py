"""docs/benchmarks/nstm.md and its pictures, from what was run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import special
from cases import CASES, LITTLE, SEED
from common.page import PAGES, table, write_page
from data import ROOT
from doubt import is_warned
from flows import flow_table
from independent import (
    brightness_table,
    crossing_picture,
    crossing_table,
    phantom_table,
    reliability,
)
from PIL import Image, ImageDraw

TEMPLATE = Path(__file__).with_name("nstm.md")

TARGETS: dict[str, tuple[float | None, float]] = {
    "translation": (0.10, 0.99),
    "rotation": (0.10, 0.99),
    "shear": (0.10, 0.99),
    "swirl": (0.2, 0.98),
    "periodic": (0.4, 0.97),
    "line-scan": (None, 0.99),
    "z-scan": (None, 0.99),
}

PICTURES = (
    "translation", "rotation", "swirl", "translation, surrounded", "line-scan", "phase target",
)  # fmt: skip

MUST_WARN = ("translation, coarse-to-fine off", "local")
RIGHT_TOO = {"translation, coarse-to-fine off": TARGETS["translation"][0]}
"""Cases in which another way may be found: pixels to which the motion is then right."""


def write_report(build: Path) -> None:
    """Write the report and its pictures from the scores in `build`."""
    scores = {
        entry["name"]: entry
        for entry in (json.loads(path.read_text()) for path in sorted(build.glob("*.json")))
    }
    write_page(
        TEMPLATE,
        commit=_commit(),
        seed=SEED,
        targets=_targets(scores, build),
        peers=_peers(scores),
        seeds=_fits(scores, "seeds"),
        surrounded=_fits(scores, "surrounded"),
        off=_off(scores),
        noise=_noise(scores),
        real=_real(scores),
        samples=_samples(scores),
        cost=_cost(scores),
        large=_large(build.parent / "nstm-large.json"),
        phantoms=phantom_table(),
        reliability=reliability(),
        flows=flow_table(),
        brightness=brightness_table(),
        special=table(special.HEADS, special.kept()) if special.kept() else "not run",
        crossing=crossing_table(),
        crossing_picture=crossing_picture(),
        pictures="\n\n".join(_shown(build, name) for name in PICTURES if name in scores),
        not_run="\n".join(f"- {name}" for name in CASES if name not in scores),
    )


def _commit() -> str:
    """Return the short name of the commit that is checked out."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _number(entry: dict[str, Any] | None, key: str, digits: int = 2) -> str:
    return "–" if entry is None or key not in entry else f"{entry[key]:.{digits}f}"


def _targets(scores: dict[str, Any], build: Path) -> str:
    rows = []
    for name, (most, least) in TARGETS.items():
        if (entry := scores.get(name)) is None:
            rows.append([name, "–", "–", "–", "–", "–", "not run"])
            continue
        met = entry["correlation"] >= least and (most is None or entry["residual"] <= most)
        if most is None:
            gain = entry["correlation"] - entry["conventional"]
            met, goal = met and gain >= 0.03, f"≥ {least:g}, raw frame + 0.03"
        else:
            goal = f"≤ {most:g} px, ≥ {least:g}"
        rows.append(
            [name, goal, _number(entry, "motion"), _number(entry, "residual", 3),
             _number(entry, "residual_everywhere", 3),
             _number(entry, "correlation", 4), "met" if met else "**missed**"]
        )  # fmt: skip
    for name in MUST_WARN:
        if (entry := scores.get(name)) is not None:
            said = "met: with a warning" if not entry["converged"] else "**missed**: no warning"
            if name in RIGHT_TOO and entry["residual"] <= RIGHT_TOO[name]:
                said = "met: it does not fail"
            rows.append(
                [name, "fails with a warning", _number(entry, "motion"),
                 _number(entry, "residual", 3), _number(entry, "residual_everywhere", 3),
                 _number(entry, "correlation", 4), said]
            )  # fmt: skip
    rows += _speed(scores, build)
    head = ["case", "target", "motion, px", "residual motion, px", "everywhere", "correlation", ""]
    return table(head, rows)


def _speed(scores: dict[str, Any], build: Path) -> list[list[str]]:
    """Return the rows of the targets for time and memory."""
    rows = []
    limits = {name: 8 if name == "translation" else 30 for name in (*TARGETS, *MUST_WARN)}
    for name, limit in limits.items():
        if (entry := scores.get(name)) is not None:
            spent = entry["cpu_seconds"]
            said = "met" if spent <= limit else "**missed**"
            rows.append([f"time of {name}", f"≤ {limit} s", *["–"] * 4,
                         f"{spent:.1f} CPU seconds: {said}"])  # fmt: skip
    if (place := build.parent / "nstm-large.json").exists():
        large = json.loads(place.read_text())
        for what, key, unit, limit in (
            ("time", "cpu_seconds", "CPU seconds", 240),
            ("memory", "bytes_per_voxel", "bytes per voxel", 1000),
        ):
            said = "met" if large[key] <= limit else "**missed**"
            rows.append([f"{what} of 256×256×16", f"≤ {limit} {unit.split()[0]}", *["–"] * 4,
                         f"{large[key]:.0f} {unit}: {said}"])  # fmt: skip
    return rows


def _peers(scores: dict[str, Any]) -> str:
    rows = []
    groups = {"families", "scans", "surrounded"}
    for name in [n for n, case in CASES.items() if case.group in groups]:
        entry, static = scores.get(name), scores.get(f"{name}, static")
        if entry is not None:
            keys = ("conventional", "registered", "flow")
            rows.append(
                [name, *(_number(entry, key, 3) for key in keys),
                 _number(static, "correlation", 3), f"**{_number(entry, 'correlation', 3)}**"]
            )  # fmt: skip
    head = ["correlation", "conventional", "registered", "flow", "static", "this method"]
    return table(head, rows)


def _fit_row(name: str, entry: dict[str, Any]) -> list[str]:
    said = "yes" if not entry["converged"] or is_warned(entry) else "no"
    numbers = (("residual", 3), ("correlation", 4), ("misfit", 2), ("held_out", 2))
    return [name, *(_number(entry, key, digits) for key, digits in numbers), said]


_FIT = ["case", "residual motion, px", "correlation", "misfit", "held out", "warning"]


def _off(scores: dict[str, Any]) -> str:
    names = [n for n, c in CASES.items() if c.group == "families" or "coarse-to-fine off" in n]
    return table(_FIT, [_fit_row(name, scores[name]) for name in sorted(names) if name in scores])


def _fits(scores: dict[str, Any], group: str) -> str:
    names = [name for name, case in CASES.items() if case.group == group and name in scores]
    return table(_FIT, [_fit_row(name, scores[name]) for name in names])


def _large(path: Path) -> str:
    if not path.exists():
        return "Not run."
    entry = json.loads(path.read_text())
    head = ["threads", "CPU seconds", "wall seconds", "memory, MB", "bytes per voxel", "fits",
            "held out"]  # fmt: skip
    digits = {"threads": 0, "cpu_seconds": 0, "wall_seconds": 0, "memory_mb": 0,
              "bytes_per_voxel": 0, "fits": 0, "held_out": 2}  # fmt: skip
    return table(head, [[_number(entry, key, digits[key]) for key in digits]])


def _noise(scores: dict[str, Any]) -> str:
    names = {
        "translation": "16 pixels, 0.01",
        "translation, noise 0.03": "16 pixels, 0.03",
        "translation, noise 0.1": "16 pixels, 0.1",
    }
    little = [name for name in CASES if name.startswith(LITTLE)]
    names |= {name: name.replace(LITTLE, "4 pixels").replace("noise ", "") for name in little}
    rows = [_fit_row(label, scores[name]) for name, label in names.items() if name in scores]
    return table(["translation, noise", *_FIT[1:]], rows)


def _real(scores: dict[str, Any]) -> str:
    rows = []
    for name in [n for n, case in CASES.items() if case.group == "real"]:
        entry, static = scores.get(name), scores.get(f"{name}, static", {})
        if entry is not None:
            rest = entry.get("held_out_static") or static.get("held_out")
            rows.append(
                [name, _number(entry, "largest_motion"), _number(entry, "largest_sure_motion"),
                 _number(entry, "agreement", 3), _number(entry, "misfit"),
                 _number(entry, "held_out"), "–" if rest is None else f"{rest:.2f}",
                 _said(entry)]
            )  # fmt: skip
    head = ["data", "largest motion, px", "sure", "agreement with Tikhonov", "misfit", "held out",
            "held out, static", "warning"]  # fmt: skip
    return table(head, rows)


def _samples(scores: dict[str, Any]) -> str:
    rows = [
        [name, _number(entry, "sure_motion"), _number(entry, "sure_error"),
         _number(entry, "misfit"), _number(entry, "held_out"), _said(entry)]
        for name, entry in scores.items()
        if entry["group"] == "samples"
    ]  # fmt: skip
    head = ["sample", "motion, px", "error, px", "misfit", "held out", "warning"]
    return table(head, rows)


def _said(entry: dict[str, Any]) -> str:
    """Return how the first warning begins, or that there is none."""
    if not entry["warnings"]:
        return "none"
    return str(entry["warnings"][0]).split(":")[0].split(", but")[0]


def _cost(scores: dict[str, Any]) -> str:
    rows = [
        [name, _number(entry, "cpu_seconds", 1), str(len(entry["attempts"])),
         f"{entry['memory_mb']:.0f}", f"{1e6 * entry['memory_mb'] / entry['voxels']:.0f}"]
        for name, entry in scores.items()
    ]  # fmt: skip
    head = ["case", "CPU seconds", "fits", "memory, MB", "bytes per rendered voxel"]
    return table(head, rows)


def _shown(build: Path, name: str) -> str:
    """Write the picture of a case; return the line that shows it."""
    file = f"nstm-{name.replace(', ', '-').replace(' ', '-')}.png"
    _picture(build, name, PAGES / file)
    caption = "first and last frame from top to bottom; raw, truth, this method, motion"
    if name == "phase target":
        caption = "one raw frame, Tikhonov, this method"
    return f"![{name}: {caption}]({file})"


def _picture(build: Path, name: str, path: Path) -> None:
    """Write raw frame, what is known, the result and the arrows of a case side by side."""
    arrays = np.load(build / f"{name.replace(', ', '-').replace(' ', '_')}.npz")
    if name == "phase target":
        rows = [[_grey(arrays[key][0], 2) for key in ("raw", "usual", "scene")]]
    else:
        keys = ("raw", "truth", "scene")
        rows = [
            [*(_grey(arrays[key][frame], 4) for key in keys), _arrows(arrays, frame, 4)]
            for frame in (0, -1)
        ]
    whole = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    Image.fromarray(whole).save(path)


def _grey(plane: Any, zoom: int) -> Any:
    """Return a picture (Y, X, 3), uint8, with a thin frame."""
    low, high = np.percentile(plane, [1, 99.5])
    shades = (255 * np.clip((plane - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
    large = shades.repeat(zoom, 0).repeat(zoom, 1)
    return np.pad(large, 2, constant_values=255)[..., None].repeat(3, -1)


def _arrows(arrays: Any, frame: int, zoom: int) -> Any:
    """Return the scene with lines from places in the first frame to those in this one."""
    picture = Image.fromarray(_grey(arrays["scene"][frame], zoom))
    draw = ImageDraw.Draw(picture)
    moved = arrays["forward"][frame]
    for y in range(4, moved.shape[-2], 8):
        for x in range(4, moved.shape[-1], 8):
            end = (x + moved[-1, y, x], y + moved[-2, y, x])
            start, tip = ([(p + 0.5) * zoom + 2 for p in place] for place in ((x, y), end))
            draw.line([*start, *tip], fill=(255, 170, 0), width=2)
            draw.ellipse([tip[0] - 2, tip[1] - 2, tip[0] + 2, tip[1] + 2], fill=(255, 90, 0))
    return np.asarray(picture)
