"""Panels and movie strips of what was reconstructed, beside what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from collect import entry
from data import BUILD, case
from peers import OURS, by_name
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from store import code_of

if TYPE_CHECKING:
    from pathlib import Path

GAP, TITLE = 4, 18  # screen pixels

Panel = tuple[str, np.ndarray]
"""Title, and plane (Y, X) of grey levels from 0 to 1."""


def save_rows(path: Path, rows: list[list[Panel]], zoom: int) -> None:
    """Write rows of panels, enlarged without interpolation; all panels of a row are as high."""
    heights = [zoom * max(plane.shape[0] for _, plane in row) for row in rows]
    width = max(sum(zoom * plane.shape[1] + GAP for _, plane in row) for row in rows) + GAP
    sheet = Picture.new("L", (width, sum(h + TITLE for h in heights) + GAP), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = GAP
        for title, plane in row:
            levels = (np.clip(plane, 0, 1) * 255).astype(np.uint8)
            enlarged = levels.repeat(zoom, axis=0).repeat(zoom, axis=1)
            draw.text((left, top + 2), title, 0, font)
            sheet.paste(Picture.fromarray(enlarged), (left, top + TITLE))
            left += enlarged.shape[1] + GAP
        top += height + TITLE
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64).save(path, "PNG", optimize=True)


def results_of(name: str, methods: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the results of methods that were run, and the truth, by their labels."""
    found = {"truth": case(name).truth}
    for method in methods:
        if (one := entry(name, by_name(method))) and one.run:
            found[by_name(method).label] = one.run.load()
    return found


def movie_strip(path: Path, name: str, frames: range, plane: int | None, part: tuple) -> None:
    """Write frames from left to right, one row per method; frames of the input are marked."""
    subject = case(name)
    factor = round(subject.scale["t"])
    levels = _levels(subject.truth)
    rows = []
    for label, series in results_of(name, ("linear", "cubic", "dis", "spatime")).items():
        row = []
        for i in frames:
            view = series[i] if plane is None else series[i, plane]
            kind = " (input)" if i % factor == 0 else ""
            row.append((f"{label} {i}{kind}" if i == frames[0] else f"{i}{kind}", view[part]))
        rows.append([(title, levels(view)) for title, view in row])
    save_rows(path, rows, 2)


def confidence_strip(path: Path, name: str, frames: range, plane: int | None, part: tuple) -> None:
    """Write frames of SpatimeINR, their confidence, and the truth, from left to right."""
    subject, levels = case(name), _levels(case(name).truth)
    shown = [("SpatimeINR", _confidence(name, "result"), levels)]
    shown.append(("confidence", _confidence(name, "confidence"), np.asarray))
    shown.append(("truth", subject.truth, levels))
    rows = []
    for label, series, scaled in shown:
        views = [series[i] if plane is None else series[i, plane] for i in frames]
        rows.append([(f"{label} {i}", scaled(v[part])) for i, v in zip(frames, views, strict=True)])
    save_rows(path, rows, 2)


def _confidence(name: str, role: str) -> np.ndarray:
    """Return the result of SpatimeINR or its confidence; kept on disk."""
    path = BUILD / "confidence" / f"{name}-{code_of(OURS)}.npz"
    if not path.exists():
        from napari_cellinr import superresolve

        subject = case(name)
        fitted = superresolve(subject.low, scale=subject.scale, confidence=True, **OURS.settings)
        images = zip(fitted.roles, fitted.images, strict=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{r: np.asarray(image.array(), np.float32) for r, image in images})
    with np.load(path) as stored:
        return stored[role]


def planes(path: Path, name: str, frame: int | None, row: int, part: tuple, zoom: int = 3) -> None:
    """Write sections along Z of input, methods and truth."""
    subject = case(name)
    levels = _levels(subject.truth)
    low = np.asarray(subject.low.array())
    given = low if frame is None else low[frame]
    factor = round(subject.scale["z"])
    panels = [("input", levels(given.repeat(factor, axis=0)[:, row][part]))]
    found = results_of(name, ("linear", "cubic", "spline", "cunerf", "spatime"))
    for label, stack in found.items():
        volume = stack if frame is None else stack[frame]
        panels.append((label, levels(volume[:, row][part])))
    save_rows(path, [panels[:4], panels[4:]] if len(panels) > 4 else [panels], zoom)


def _levels(truth: np.ndarray):  # noqa: ANN202
    low, high = np.percentile(truth, [1, 99.8])

    def scaled(view: np.ndarray) -> np.ndarray:
        return (view - low) / max(high - low, 1e-9)

    return scaled
