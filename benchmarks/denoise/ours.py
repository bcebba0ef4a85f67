"""CellINR as a user runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari_cellinr.methods.cellinr  # noqa: F401 - loaded here so that it is not timed
from napari_cellinr import Image, denoise

if TYPE_CHECKING:
    import numpy as np

    from napari_cellinr.classic.anscombe import Noise


def fast(raw: np.ndarray, noise: Noise, scale: list[float], mode: str = "both") -> dict:
    """Return the results with and without background; the noise is estimated anew inside.

    Both come from one fit: `subtract` is `keep` less the background, not below 0.
    """
    image = Image(raw, scale=tuple(scale))
    if mode == "subtract":
        return {"clean": denoise(image, "fast", background="subtract").images[0].array()}
    kept, haze = (part.array() for part in denoise(image, "fast", background="keep").images[:2])
    return {"kept": kept, "clean": (kept - haze).clip(0), "background": haze}
