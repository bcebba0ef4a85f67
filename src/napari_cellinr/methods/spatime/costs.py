"""Memory and time of super-resolution, estimated before it starts; does not load torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.config import CellINRConfig
from napari_cellinr.errors import CellINRError
from napari_cellinr.methods.cellinr.costs import cost as cost_of_denoising
from napari_cellinr.methods.method import Cost
from napari_cellinr.methods.spatime.output_grid import cpu_seconds, memory_needed, output_grid

if TYPE_CHECKING:
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["cost"]


def cost(image: Image, config: SpatimeConfig) -> Cost | None:
    """Return time and memory of super-resolution, or None if the settings do not suit the image.

    Parameters
    ----------
    image
        The input; only its shape and voxel size count.
    config
        The settings.
    """
    try:
        source = image.canonical()
        grid = output_grid(source, config)
    except CellINRError:
        return None
    found = Cost(cpu_seconds(source, grid, config), memory_needed(source, grid))
    if config.noise != "remove":
        return found
    first = cost_of_denoising(source, CellINRConfig(background="keep"))
    if first is None:
        return found
    return Cost(found.seconds + first.seconds, max(found.memory, first.memory))
