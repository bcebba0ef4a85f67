"""The camera of a viewer, and its world units; keeps the view while a voxel size changes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from napari.layers import Layer
    from numpy.typing import NDArray

__all__ = ["camera_of", "kept_view", "units_in_view"]


def camera_of(viewer: napari.Viewer) -> Any:
    """Return the camera of a viewer."""
    return getattr(viewer, "scene", viewer).camera  # napari before 0.9 has no scene


@contextmanager
def kept_view(viewer: napari.Viewer, layer: Layer) -> Iterator[None]:
    """Keep plane, position and zoom of the view within this context.

    napari's sliders, camera centre and zoom are in world units: an image whose voxels become
    smaller would move out of the view.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The layer whose voxel size changes within the context.
    """
    camera = camera_of(viewer)
    shown = list(viewer.dims.displayed)
    middle = np.array(viewer.dims.point, float)
    middle[shown] = camera.center[-len(shown) :]
    first = viewer.dims.ndim - layer.ndim
    voxel = layer.world_to_data(middle[first:] / units_in_view(viewer, layer))
    before = _steps(viewer, layer)
    yield
    ratios = (_steps(viewer, layer) / before)[[dim - first for dim in shown if dim >= first]]
    middle[first:] = np.array(layer.data_to_world(voxel)) * units_in_view(viewer, layer)
    viewer.dims.set_point(range(viewer.dims.ndim), middle)
    camera.center = (*camera.center[: -len(shown)], *middle[shown])
    camera.zoom = camera.zoom / float(np.prod(ratios) ** (1 / len(ratios)))


def _steps(viewer: napari.Viewer, layer: Layer) -> NDArray[np.float64]:
    """Return the size of a voxel along each axis of the layer, in the units of the viewer."""
    steps: NDArray[np.float64] = np.abs(np.asarray(layer.scale, np.float64))
    return steps * units_in_view(viewer, layer)


def units_in_view(viewer: napari.Viewer, layer: Layer) -> NDArray[np.float64]:
    """Return the units of the axes of a layer in those of the viewer; 1 where none is known.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        One of its layers.
    """
    common = getattr(viewer.dims, "units", None)
    if common is None:
        return np.ones(layer.ndim)
    pairs = zip(layer.units, common[-layer.ndim :], strict=True)
    return np.array([float((1 * own).to(other).magnitude) for own, other in pairs])
