"""A line across the canvas: the source on its left, the result on its right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Vectors

from napari_cellinr.ui.compare.shown import Alone
from napari_cellinr.ui.layers.camera import camera_of, units_in_view
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import HELPER, SWIPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import napari
    from numpy.typing import NDArray

__all__ = ["LEFT", "LINE", "Swipe"]

LEFT: Final = "left of the line"
"""Name of the layer with the part of the source on the left."""

LINE: Final = "swipe line"
"""Name of the layer with the line."""

NEAR: Final = 12
"""Distance from the line in screen pixels within which the mouse drags it."""

_OPAQUE: Final = "translucent_no_depth"

_LINKED: Final = ("contrast_limits", "gamma", "colormap")


class Swipe:
    """The part of a layer on the left of a line, shown above another layer, until `end`.

    The left part is a layer with a view of the same data, so that other grids, rotations, contrast
    limits and colormaps are those of each image.

    Parameters
    ----------
    viewer
        The viewer.
    before, after
        The layers on the left and on the right.
    moved
        Called when the mouse has moved the line.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        before: ImageLayer,
        after: ImageLayer,
        moved: Callable[[], None],
    ) -> None:
        self.fraction = 0.5
        self._viewer, self._before, self._moved = viewer, before, moved
        self._alone = Alone(viewer, [before, after])
        self._after_id, self._blending = after.unique_id, str(after.blending)
        after.blending = _OPAQUE  # a channel, whose colours add, would show the source through it
        self._left_id = self._add_left(after).unique_id
        self._line_id = self._add_line().unique_id
        self._draw()
        viewer.dims.events.point.connect(self._draw)
        viewer.dims.events.order.connect(self._draw)
        viewer.mouse_drag_callbacks.append(self._drag)

    def move(self, fraction: float) -> None:
        """Move the line.

        Parameters
        ----------
        fraction
            Part of the width of the source on the left of the line, 0 to 1.
        """
        self.fraction = float(np.clip(fraction, 0.0, 1.0))
        self._draw()

    def end(self) -> None:
        """Remove the line and show what was visible before."""
        viewer = self._viewer
        viewer.dims.events.point.disconnect(self._draw)
        viewer.dims.events.order.disconnect(self._draw)
        if self._drag in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._drag)
        for layer_id in (self._line_id, self._left_id):
            layer = find(viewer, layer_id)
            if layer is not None:
                viewer.layers.unlink_layers([layer])
                viewer.layers.remove(layer)
        after = find(viewer, self._after_id)
        if after is not None and after.blending == _OPAQUE:
            after.blending = self._blending
        self._alone.restore()

    def _axis(self) -> int:
        """Return the axis of the source along which the line moves: the horizontal one."""
        axis = self._viewer.dims.displayed[-1] - self._viewer.dims.ndim
        return axis if -axis <= self._before.ndim else -1

    def _array(self) -> Any:
        data = self._before.data[0] if self._before.multiscale else self._before.data
        return getattr(data, "__wrapped__", data)

    def _column(self) -> int:
        """Return the first column on the right of the line."""
        return max(1, round(self.fraction * int(self._array().shape[self._axis()])))

    def _left(self) -> Any:
        index: list[slice] = [slice(None)] * self._before.ndim
        index[self._axis()] = slice(0, self._column())
        return self._array()[tuple(index)]

    def _add_left(self, after: ImageLayer) -> ImageLayer:
        layer = ImageLayer(
            self._left(), name=LEFT, metadata={HELPER: SWIPE}, **_placed(self._before),
            contrast_limits=self._before.contrast_limits, gamma=self._before.gamma,
            colormap=self._before.colormap,
        )  # fmt: skip
        layer.contrast_limits_range = self._before.contrast_limits_range
        top = [other.unique_id for other in self._viewer.layers].index(after.unique_id)
        _insert(self._viewer, max(top, self._index_of_before()) + 1, layer)
        self._viewer.layers.link_layers(
            [find(self._viewer, self._before.unique_id), layer], _LINKED
        )
        return layer

    def _index_of_before(self) -> int:
        return [other.unique_id for other in self._viewer.layers].index(self._before.unique_id)

    def _add_line(self) -> Vectors:
        layer = Vectors(
            self._line(), name=LINE, metadata={HELPER: SWIPE}, **_placed(self._before),
            edge_color="yellow", vector_style="line", opacity=0.9,
            edge_width=max(0.5, self._array().shape[-1] / 250),
        )  # fmt: skip
        _insert(self._viewer, len(self._viewer.layers), layer)
        return layer

    def _line(self) -> NDArray[np.float32]:
        """Return the line in the plane that is shown, as a vector (1, 2, axes) in voxels."""
        shape, across = self._array().shape, self._axis()
        shown = [dim - self._viewer.dims.ndim for dim in self._viewer.dims.displayed]
        along = next((a for a in shown[-2:-1] if -a <= len(shape)), -2)
        line = np.zeros((1, 2, len(shape)), np.float32)
        line[0, 0] = np.round(self._in_voxels(np.array(self._viewer.dims.point, float)))
        line[0, 0, along], line[0, 1, along] = -0.5, shape[along]
        line[0, 0, across] = self._column() - 0.5
        return line

    def _in_voxels(self, world: NDArray[np.float64]) -> NDArray[np.float64]:
        layer = self._before
        point = world[-layer.ndim :] / units_in_view(self._viewer, layer)
        return np.asarray(layer.world_to_data(point), np.float64)

    def _draw(self, event: Any = None) -> None:
        left: Any = find(self._viewer, self._left_id)
        line: Any = find(self._viewer, self._line_id)
        if left is None or line is None:
            return
        if left.data.shape[self._axis()] != self._column():
            left.data = self._left()
        line.data = self._line()

    def _drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """Move the line while the mouse drags it; elsewhere the mouse moves the view as usual."""
        if self._viewer.dims.ndisplay != 2 or not self._is_near(event.position):
            return
        camera = camera_of(self._viewer)
        pans, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move":
                place = self._in_voxels(np.array(event.position, float))[self._axis()]
                self.move((place + 0.5) / self._array().shape[self._axis()])
                self._moved()
                yield
        finally:
            camera.mouse_pan = pans

    def _is_near(self, position: Any) -> bool:
        axis = self._axis()
        place = self._in_voxels(np.array(position, float))[axis]
        voxel = abs(
            float(self._before.scale[axis] * units_in_view(self._viewer, self._before)[axis])
        )
        away = abs(place - (self._column() - 0.5)) * voxel * camera_of(self._viewer).zoom
        return bool(away <= NEAR)


def _placed(layer: ImageLayer) -> dict[str, Any]:
    """Return the attributes that place a layer where another one is."""
    return {
        "scale": layer.scale, "translate": layer.translate, "rotate": layer.rotate,
        "shear": layer.shear, "affine": layer.affine.affine_matrix, "units": layer.units,
        "axis_labels": layer.axis_labels,
    }  # fmt: skip


def _insert(viewer: napari.Viewer, place: int, layer: Any) -> None:
    """Insert a layer and keep the selection."""
    selected, active = list(viewer.layers.selection), viewer.layers.selection.active
    viewer.layers.insert(place, layer)
    viewer.layers.selection.clear()
    viewer.layers.selection.update(selected)
    viewer.layers.selection.active = active
