"""Estimates of memory and time before a run starts.

Nothing here loads torch, so that a dock can show them before the first run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.methods import Cost, Method

__all__ = ["advice", "cost", "shortage"]


def cost(method: Method, image: Image, config: Config) -> Cost | None:
    """Return memory and time of a fit within its time limit, or None if they are not known.

    Parameters
    ----------
    method
        The method.
    image
        The input; only its shape and voxel size count.
    config
        The settings.
    """
    found = method.cost(image, config)
    if config.max_seconds is None or found is None:
        return found
    return replace(found, seconds=min(found.seconds, config.max_seconds))


def advice(method: Method, image: Image, config: Config, free: float) -> str:
    """Return a warning if a run needs more memory than is free; otherwise an empty text.

    Parameters
    ----------
    method, image, config
        As for `cost`.
    free
        Free memory in bytes.
    """
    needed = cost(method, image, config)
    count = 1 if needed is None or method.tiles is None else method.tiles(image, config, free)
    if needed is None or count == 1:
        return shortage(needed, free)
    return (
        f"about {needed.memory / 1e9:.2g} GB of memory are needed, {free / 1e9:.2g} GB are free: "
        f"the image will be fitted in {count} tiles. "
        "Close other programs to fit it as a whole."
    )


def shortage(needed: Cost | None, free: float) -> str:
    """Return a warning if a run needs more memory than is free; otherwise an empty text.

    Parameters
    ----------
    needed
        Memory and time of the run.
    free
        Free memory in bytes.
    """
    if needed is None or needed.memory <= free:
        return ""
    return (
        f"the memory may not be enough: about {needed.memory / 1e9:.2g} GB are needed, "
        f"{free / 1e9:.2g} GB are free. Crop the image, or close other programs."
    )
