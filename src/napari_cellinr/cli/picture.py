"""One picture that shows what a fit did: raw, result, truth and what is still different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["save_picture"]

ZOOM = 4  # screen pixels per voxel
GAP = 12  # screen pixels around every panel
TITLE = 40  # screen pixels above every panel, for two lines of text


def save_picture(
    path: Path,
    raw: NDArray[Any],
    result: NDArray[Any],
    truth: NDArray[Any],
) -> None:
    """Write the middle planes of three volumes (Z, Y, X) and a difference side by side as PNG.

    All three have the same grey levels; the difference is red where the result is too
    bright, blue where it is too dark.
    """
    from PIL import Image, ImageDraw, ImageFont

    planes = [np.asarray(volume[len(volume) // 2], np.float32) for volume in (raw, result, truth)]
    low, high = np.percentile(planes[2], [0.1, 99.9])
    reach = float(high - low) / 4
    panels = [_grey(plane, low, high) for plane in planes]
    panels.append(_diverging(planes[1] - planes[2], reach))
    titles = ["raw", "result", "truth", "result − truth"]
    scales = [f"grey levels {low:.0f} to {high:.0f}"] * 3 + [
        f"−{reach:.0f} blue to {reach:.0f} red"
    ]
    height, width = (ZOOM * size for size in planes[0].shape)
    sheet = Image.new("RGB", (4 * (width + GAP) + GAP, TITLE + height + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (panel, title, scale) in enumerate(zip(panels, titles, scales, strict=True)):
        left = GAP + i * (width + GAP)
        enlarged = np.kron(panel, np.ones((ZOOM, ZOOM, 1), np.uint8))
        sheet.paste(Image.fromarray(enlarged), (left, TITLE))
        draw.text((left, 3), title, "black", ImageFont.load_default(17))
        draw.text((left, 23), scale, "dimgray", ImageFont.load_default(12))
    sheet.save(path)


def _grey(plane: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return an image (Y, X, RGB) from black at `low` to white at `high`."""
    levels = np.clip((plane - low) / max(high - low, 1e-9), 0, 1) * 255
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=-1)


def _diverging(plane: NDArray[Any], reach: float) -> NDArray[np.uint8]:
    """Return an image (Y, X, RGB): blue at −`reach`, white at 0, red at `reach`."""
    level = np.clip(plane / max(reach, 1e-9), -1, 1)
    fading = 1 - np.abs(level)
    colours = np.stack(
        [np.where(level > 0, 1, fading), fading, np.where(level < 0, 1, fading)], axis=-1
    )
    return (colours * 255).astype(np.uint8)
