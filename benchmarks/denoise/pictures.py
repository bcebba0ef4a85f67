"""Panels of planes side by side with a title each, and curves, as small PNG files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

GAP, TITLE = 6, 20  # screen pixels

Panel = tuple[str, np.ndarray, tuple[float, float]]
"""Title, plane (Y, X), and the grey levels that are shown black and white."""


def save_panels(path: Path, rows: list[list[Panel]], zoom: int) -> None:
    """Write rows of panels; each plane is enlarged `zoom` times without interpolation."""
    height, width = (zoom * size for size in rows[0][0][1].shape)
    n_columns = max(len(row) for row in rows)
    size = (n_columns * (width + GAP) + GAP, len(rows) * (height + TITLE) + GAP)
    sheet = Picture.new("L", size, 255)
    draw = ImageDraw.Draw(sheet)
    for i, row in enumerate(rows):
        for j, (title, plane, (low, high)) in enumerate(row):
            left, top = GAP + j * (width + GAP), i * (height + TITLE)
            levels = np.clip((plane - low) / max(high - low, 1e-9), 0, 1) * 255
            enlarged = levels.astype(np.uint8).repeat(zoom, axis=0).repeat(zoom, axis=1)
            draw.text((left, top + 3), title, 0, ImageFont.load_default(12))
            sheet.paste(Picture.fromarray(enlarged), (left, top + TITLE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64).save(path, "PNG", optimize=True)


def save_curves(path: Path, curves: dict[str, list[float]], title: str) -> None:
    """Write curves over their index; the lowest and highest values are written beside them."""
    width, height, margin = 480, 260, 48
    sheet = Picture.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    everything = [value for values in curves.values() for value in values]
    low, high = min(everything), max(everything)
    draw.rectangle((margin, 24, width - 12, height - 24), outline="gray")
    draw.text((margin, 4), title, "black", font)
    draw.text((4, 24), f"{high:.3f}", "black", font)
    draw.text((4, height - 38), f"{low:.3f}", "black", font)
    for i, (name, values) in enumerate(curves.items()):
        colour = ("#1f5fa8", "#c0392b", "#2e8b57")[i % 3]
        steps = np.linspace(margin, width - 12, len(values))
        levels = height - 24 - (np.array(values) - low) / max(high - low, 1e-9) * (height - 48)
        draw.line([*zip(steps, levels, strict=True)], colour, 2)
        draw.text((width - 190, 30 + 16 * i), name, colour, font)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG", optimize=True)
