"""Tables and pictures of the independent phantoms, from what `doubt.py` and `crossing.py` keep."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from brightness import BUILD as BRIGHTNESS
from brightness import HEADS as BRIGHTNESS_HEADS
from brightness import row as brightness_row
from common.page import PAGES, table
from crossing import BUILD as CROSSING
from crossing import HEADS, row
from doubt import BUILD as DOUBT
from doubt import HALF, called_points, is_warned, summary
from phantom_cases import CASES, MOTIONS
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, np.inf)
"""Edges of the classes of the expected error, pixels."""

ZOOM = 4


def phantom_table(folder: Path = DOUBT) -> str:
    """Return a row for each kind of recording and motion, over all seeds that were run."""
    rows, everything = [], []
    for kind, noise in CASES:
        for motion in MOTIONS:
            found = _kept(folder, f"{kind}-{motion}-{noise:g}")
            if not found:
                continue
            everything += found
            called, right = called_points(found)
            wrong = [one["median"] > HALF for one in found]
            silent = sum(w and not is_warned(one) for w, one in zip(wrong, found, strict=True))
            alarms = sum(not w and is_warned(one) for w, one in zip(wrong, found, strict=True))
            rows.append(
                [
                    f"{kind}, {motion}, {noise:g}",
                    _each(found, "median", 2),
                    _each(found, "ninety", 2),
                    f"{called:.0%}",
                    f"{right:.0%}" if called else "–",
                    str(silent),
                    str(alarms),
                    _each(found, "cpu_seconds", 0),
                ]
            )
    head = ["recording", "error, px: median of each seed", "90 % of its points"]
    head += ["called < ½ px", "of these right", "silently wrong", "warned without cause", "CPU s"]
    return f"{table(head, rows)}\n\n{summary(everything)}" if rows else "not run"


def reliability(folder: Path = DOUBT) -> str:
    """Return how large errors are by the error that was expected."""
    found = [one for one in _kept(folder, "") if one["moves"] and "expected" in one]
    if not found:
        return "not run"
    errors, expected = (
        np.concatenate([one[name] for one in found]) for name in ("errors", "expected")
    )
    rows = []
    for low, high in pairwise(EXPECTED):
        inside = (expected >= low) & (expected < high)
        if not inside.any():
            continue
        some = errors[inside]
        rows.append(
            [
                f"{low:g} to {high:g}" if np.isfinite(high) else f"more than {low:g}",
                str(inside.sum()),
                f"{np.median(some):.2f}",
                f"{np.quantile(some, 0.9):.2f}",
                f"{np.mean(some < expected[inside]):.0%}",
                f"{np.mean(some < HALF):.0%}",
            ]
        )
    head = ["motion error, px", "points", "true error: median", "90 %", "below the motion error"]
    return table([*head, "below ½ px"], rows)


def brightness_table(folder: Path = BRIGHTNESS) -> str:
    """Return the rows of brightness and structured light, in the order of the names."""
    found = [(place.stem, json.loads(place.read_text())) for place in sorted(folder.glob("*.json"))]
    if not found:
        return "not run"
    return table(BRIGHTNESS_HEADS, [brightness_row(*one) for one in found])


def crossing_table(folder: Path = CROSSING) -> str:
    """Return the rows of all recordings of crossing blobs, with as many images as were found."""
    found = _kept(folder, "auto-")
    if not found:
        return "not run"
    found.sort(key=lambda one: one["seed"])
    wrong, all_of_them = (sum(one[name] for one in found) for name in ("wrong", "tracks"))
    single = _kept(folder, "1-")
    more = f"{wrong} of {all_of_them} tracks are off by more than 2 pixels."
    if single:
        seeds = ", ".join(str(one["seed"]) for one in single)
        before, of = (sum(one[name] for one in single) for name in ("wrong", "tracks"))
        more += f" With `motion_layers=1`, {before} of {of} are (seeds {seeds})."
    return f"{table(HEADS, map(row, found))}\n\n{more}"


def crossing_picture(folder: Path = CROSSING) -> str:
    """Write the picture of a recording that was fitted in both ways; return its line."""
    for single in sorted(folder.glob("1-*.npz")):
        both = single.with_name(single.name.replace("1-", "auto-", 1))
        if both.exists():
            one, more = np.load(single), np.load(both)
            columns = [(one, "raw", None), (one, "scene", one), (more, "scene", more)]
            columns.append((one, "truth", None))
            rows = [
                np.concatenate([_frame(a[key][n], tracks) for a, key, tracks in columns], axis=1)
                for n in range(3)
            ]
            Image.fromarray(np.concatenate(rows)).save(PAGES / "nstm-crossing.png")
            what = (
                "first, middle and last frame; raw, one motion, several images that add up, truth"
            )
            return f"![crossing blobs: {what}](nstm-crossing.png)"
    return ""


def _frame(plane: Any, tracks: Any) -> Any:
    """Return a picture (Y, X, 3), uint8; tracks that are right are green, others red."""
    shades = (255 * np.clip(plane / 2200, 0, 1)).astype(np.uint8)
    large = np.pad(shades.repeat(ZOOM, 0).repeat(ZOOM, 1), 2, constant_values=255)
    picture = Image.fromarray(large[..., None].repeat(3, -1))
    if tracks is not None:
        draw = ImageDraw.Draw(picture)
        for number, wrong in enumerate(tracks["wrong"]):
            path = tracks["tracks"][:, number]
            line = [((x + 0.5) * ZOOM + 2, (y + 0.5) * ZOOM + 2) for y, x in path]
            draw.line(line, fill=(255, 60, 60) if wrong else (90, 220, 90), width=1)
    return np.asarray(picture)


def _kept(folder: Path, start: str) -> list[dict[str, Any]]:
    """Return the scores of what was run, in the order of the names."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"{start}*.json"))]


def _each(found: list[dict[str, Any]], name: str, digits: int) -> str:
    return ", ".join(f"{one[name]:.{digits}f}" for one in found)
