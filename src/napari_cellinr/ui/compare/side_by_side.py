"""Source and result beside each other, with the linked views of napari's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.ui.compare.shown import Alone
from napari_cellinr.ui.layers.camera import camera_of

if TYPE_CHECKING:
    import napari
    from napari.layers import Image as ImageLayer

__all__ = ["SideBySide"]

GAP: Final = 6
"""Space between the two views in screen pixels."""


class SideBySide:
    """Two images in the two cells of the grid, which pan, zoom and slice together, until `end`.

    Parameters
    ----------
    viewer
        The viewer.
    before, after
        The layers.
    """

    def __init__(self, viewer: napari.Viewer, before: ImageLayer, after: ImageLayer) -> None:
        self._grid = _grid_of(viewer)
        self._alone = Alone(viewer, [before, after], all_kinds=True)
        order = [layer.unique_id for layer in viewer.layers]
        below = order.index(before.unique_id) < order.index(after.unique_id)
        self._camera = camera_of(viewer)
        self._had = (self._grid.enabled, self._grid.shape, self._grid.stride)
        self._spacing = self._grid.spacing
        # Each view has half of the width: what was in view stays in view.
        self._camera.zoom = self._camera.zoom / 2
        self._grid.spacing = GAP
        # With a positive stride, napari fills the cells from the lowest layer on.
        self._grid.stride = 1 if below else -1
        self._grid.shape = (1, -1)
        self._grid.enabled = True

    def end(self) -> None:
        """Show what was visible before."""
        self._grid.enabled, self._grid.shape, self._grid.stride = self._had
        self._grid.spacing = self._spacing
        self._camera.zoom = 2 * self._camera.zoom
        self._alone.restore()


def _grid_of(viewer: napari.Viewer) -> Any:
    """Return the grid of a viewer."""
    return getattr(viewer, "canvas", viewer).grid  # napari before 0.9 has no canvas
