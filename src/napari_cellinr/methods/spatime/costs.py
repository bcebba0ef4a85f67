"""Memory and time of super-resolution, before it begins; no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellinr.errors import CellINRError
from napari_cellinr.methods.method import Cost
from napari_cellinr.methods.spatime.output_grid import cpu_seconds, lattice_of, memory_needed

if TYPE_CHECKING:
    from napari_cellinr.config import SpatimeConfig
    from napari_cellinr.image import Image

__all__ = ["cost"]


def cost(image: Image, config: SpatimeConfig) -> Cost | None:
    """Return what super-resolution needs, or None where the settings do not fit the image."""
    try:
        source = image.canonical()
        lattice = lattice_of(source, config)
    except CellINRError:
        return None
    return Cost(cpu_seconds(source, lattice, config), memory_needed(source, lattice))
