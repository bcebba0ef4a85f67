"""What a run will cost, before it begins: memory and time.

Nothing here loads torch, so that a dock can say it before the first run.
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
    """Return what a fit will need within its time limit, or None if that is not known.

    Parameters
    ----------
    method
        The record of the method.
    image
        The input; its values are not looked at.
    config
        The settings.
    """
    found = method.cost(image, config)
    if config.max_seconds is None or found is None:
        return found
    return replace(found, seconds=min(found.seconds, config.max_seconds))


def advice(method: Method, image: Image, config: Config, free: float) -> str:
    """Return a sentence if a run needs more memory than is free, and what will be done about it.

    Parameters
    ----------
    method, image, config
        As for `cost`.
    free
        Memory that is free, in bytes.
    """
    needed = cost(method, image, config)
    count = 1 if needed is None or method.tiles is None else method.tiles(image, config, free)
    if needed is None or count == 1:
        return shortage(needed, free)
    return (
        f"about {needed.memory / 1e9:.2g} GB are needed, {free / 1e9:.2g} GB are free, so "
        f"that it will be fitted in {count} tiles. "
        "Close other programs to fit it as a whole."
    )


def shortage(needed: Cost | None, free: float) -> str:
    """Return a sentence if a run needs more memory than is free; else an empty text.

    Parameters
    ----------
    needed
        What the run needs.
    free
        Memory that is free, in bytes.
    """
    if needed is None or needed.memory <= free:
        return ""
    return (
        f"it may not fit into memory: about {needed.memory / 1e9:.2g} GB are needed, "
        f"{free / 1e9:.2g} GB are free. Crop the image, or close other programs."
    )
