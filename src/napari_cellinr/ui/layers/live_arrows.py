"""The arrows that show the motion during a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.results import add_shown
from napari_cellinr.ui.layers.spec import Shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["LiveArrows"]

_LOOK = {"edge_width": 0.35, "vector_style": "arrow", "edge_color": "#a6a6a6"}
"""Grey, unlike the arrows of a result: the pixels that are held out have not confirmed them yet."""

_SHORTEST = 0.3  # voxels


class LiveArrows:
    """A Vectors layer with the motion of each preview; removed when the fit ends.

    It is not added again if the user removes it.

    Parameters
    ----------
    viewer
        The viewer.
    given
        The Image that is fitted.
    name
        Name of the layer.
    """

    def __init__(self, viewer: napari.Viewer, given: Image, name: str) -> None:
        self._viewer, self._given, self._name = viewer, given, name
        self._layer_id: Hashable | None = None

    def show(self, source: ImageLayer, grid: Image, preview: Image, at: Mapping[str, int]) -> None:
        """Show the arrows of a preview, if it has any.

        Parameters
        ----------
        source
            The layer that is fitted.
        grid
            An image with the axes of the given one and the steps of the preview.
        preview
            With `meta["arrows"]`, (arrows, 2, spatial axes) in voxels.
        at
            Frame and plane of the preview, as index by axis letter.
        """
        arrows = preview.meta.get("arrows")
        if arrows is None:
            return
        data = _vectors(np.asarray(arrows, np.float32), self._given.axes, at)
        layer: Any = find(self._viewer, self._layer_id) if self._layer_id else None
        if layer is not None:
            layer.data = data
        elif self._layer_id is None and len(data):
            shown = Shown(grid, kind="vectors", data=data, settings=dict(_LOOK))
            added: Layer = add_shown(self._viewer, source, self._given, shown, self._name)
            self._layer_id = added.unique_id

    def remove(self) -> None:
        """Remove the arrows from the viewer."""
        layer: Any = find(self._viewer, self._layer_id) if self._layer_id else None
        if layer is not None:
            self._viewer.layers.remove(layer)


def _vectors(arrows: NDArray[np.float32], axes: str, at: Mapping[str, int]) -> NDArray[np.float32]:
    """Return vectors (arrows, 2, axes) in the displayed frame, without short ones."""
    long = arrows[np.linalg.norm(arrows[:, 1], axis=1) >= _SHORTEST]
    space = [axis for axis in axes if axis in "ZYX"][-arrows.shape[2] :]
    data = np.zeros((len(long), 2, len(axes)), np.float32)
    for column, axis in enumerate(axes):
        if axis in space:
            data[:, :, column] = long[:, :, space.index(axis)]
        else:
            data[:, 0, column] = at.get(axis, 0)
    return data
