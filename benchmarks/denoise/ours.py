"""CellINR as a user runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari_cellinr.methods.cellinr.problem  # noqa: F401 - loaded here so that it is not timed
from napari_cellinr import Image, denoise

if TYPE_CHECKING:
    import numpy as np

    from napari_cellinr.classic.camera.anscombe import Noise


def fast(raw: np.ndarray, noise: Noise, scale: list[float], mode: str = "both") -> dict:
    """Return the results with and without background; the noise is estimated anew inside.

    Both come from one fit.
    """
    image = Image(raw, scale=tuple(scale))
    if mode == "subtract":
        return {"clean": denoise(image, "fast", background="subtract").image("result").array()}
    fitted = denoise(image, "fast", background="keep")
    roles = {"kept": "result", "clean": "signal", "background": "background"}
    return {name: fitted.image(role).array() for name, role in roles.items()}
