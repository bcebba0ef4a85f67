"""A figure with raw image, result, ground truth and their difference side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_cellinr.cli.demos.base import Panels
    from napari_cellinr.image import Image

__all__ = ["save_picture"]

ZOOM = 4  # screen pixels per voxel
GAP = 12  # screen pixels around every panel
TITLE = 42  # screen pixels above the panels, for two lines of text
BAR = 5.0  # length of the scale bar in micrometres


def save_picture(path: Path, shown: Panels) -> None:
    """Write planes of three images and of a difference as one PNG file.

    All images are shown with the same contrast limits; the difference is red where the result is
    too bright, blue where it is too dark.

    Parameters
    ----------
    path
        The PNG file.
    shown
        The images; voxel size in µm.
    """
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    planes = [_middle(image) for image in (shown.before, shown.result, shown.truth)]
    low, high = (float(level) for level in np.percentile(planes[2], [0.1, 99.9]))
    reach = (high - low) / 4
    difference = _diverging(planes[1] - planes[2], reach)
    levels = f"{low:.4g} to {high:.4g}"
    columns = [
        (
            shown.title,
            f"{levels}, bar {BAR:g} micrometres",
            _with_bar(_grey(planes[0], low, high), shown.truth.scale[-1]),
        ),
        ("result", levels, _grey(planes[1], low, high)),
        ("truth", levels, _grey(planes[2], low, high)),
        ("difference", f"result - truth: blue -{reach:.3g}, red +{reach:.3g}", difference),
    ]
    height, width = (ZOOM * size for size in planes[0].shape)
    size = (len(columns) * (width + GAP) + GAP, TITLE + height + GAP)
    sheet = Picture.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, scale, panel) in enumerate(columns):
        left = GAP + i * (width + GAP)
        enlarged = panel.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
        sheet.paste(Picture.fromarray(enlarged), (left, TITLE))
        draw.text((left, 3), title, "black", ImageFont.load_default(17))
        draw.text((left, 24), scale, "dimgray", ImageFont.load_default(12))
    sheet.save(path, "PNG")


def _middle(image: Image) -> NDArray[np.float32]:
    """Return the middle plane of axes ZYX, or the only one, axes YX."""
    values = image.array()
    return np.asarray(values[len(values) // 2] if values.ndim == 3 else values, np.float32)


def _grey(plane: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return an RGB image (Y, X, 3), black at `low` and white at `high`."""
    levels = np.clip((plane - low) / max(high - low, 1e-9), 0, 1) * 255
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=-1)


def _with_bar(panel: NDArray[np.uint8], step: float) -> NDArray[np.uint8]:
    """Return the RGB image with a scale bar in its lower left corner; pixel size `step` in µm."""
    marked = panel.copy()
    marked[-5:-3, 4 : 4 + round(BAR / step)] = 255
    return marked


def _diverging(plane: NDArray[np.float32], reach: float) -> NDArray[np.uint8]:
    """Return an RGB image (Y, X, 3): blue at -`reach`, white at 0, red at `reach`."""
    level = np.clip(plane / max(reach, 1e-9), -1, 1)
    fading = 1 - np.abs(level)
    channels: list[Any] = [np.where(level > 0, 1, fading), fading, np.where(level < 0, 1, fading)]
    return (np.stack(channels, axis=-1) * 255).astype(np.uint8)
