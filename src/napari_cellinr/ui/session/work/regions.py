"""Regions of layers: from shapes that the user has drawn to ranges, and to layers of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.errors import AxesError
from napari_cellinr.macro.naming import result_name
from napari_cellinr.text import n_of
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import FITTED_IMAGE, HELPER, KEPT_FIT, RECORD
from napari_cellinr.ui.layers.results import add_result
from napari_cellinr.ui.session.work.additive import hide_under

if TYPE_CHECKING:
    from collections.abc import Mapping

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.image import Image

__all__ = ["REGION", "add_region", "drawn_ranges", "parse_planes"]

REGION: Final = "region"
"""Value of `HELPER` in the metadata of a layer that is a region of another one."""

_REGION_OF: Final = "napari-cellinr region of"

LEAST: Final = 8
"""Smallest size of a region along Y and X in pixels."""


def drawn_ranges(shapes: Layer, layer: ImageLayer, image: Image) -> dict[str, slice]:
    """Return the smallest rectangle along Y and X around shapes: the selected ones, or the last.

    Parameters
    ----------
    shapes
        A Shapes layer; it may have fewer axes than the image, and other voxels.
    layer
        An image layer.
    image
        Its Image.

    Returns
    -------
    dict
        Index ranges along Y and X.

    Raises
    ------
    AxesError
        If there are no shapes, or they lie outside of the image.
    """
    drawn: Any = shapes
    if not len(drawn.data):
        raise AxesError(f"layer {shapes.name!r} has no shapes; draw a rectangle or a polygon.")
    chosen = [drawn.data[place] for place in sorted(drawn.selected_data)] or [drawn.data[-1]]
    points = np.array([_in_voxels(shapes, layer, point) for one in chosen for point in one])
    ranges = {}
    for axis in "YX":
        place, size = image.axes.index(axis), image.sizes[axis]
        start, stop = round(float(points[:, place].min())), round(float(points[:, place].max())) + 1
        start, stop = max(0, start), min(size, stop)
        if stop - start < min(LEAST, size):
            raise AxesError(
                f"the region in layer {shapes.name!r} has {n_of(max(0, stop - start), 'pixel')} of "
                f"the image along {axis}; at least {min(LEAST, size)} are needed. Draw a larger "
                "one."
            )
        ranges[axis] = slice(start, stop)
    return ranges


def parse_planes(text: str, size: int) -> slice:
    """Return the planes of a text such as `3-11`; all planes if it is empty.

    Parameters
    ----------
    text
        First and last plane, counted from 0.
    size
        Number of planes of the image.

    Raises
    ------
    AxesError
        If the text is not a range of planes of the image.
    """
    if not text.strip():
        return slice(0, size)
    start, _, stop = text.replace("–", "-").partition("-")
    try:
        found = slice(int(start), int(stop or start) + 1)
    except ValueError:
        found = slice(0, 0)
    if not 0 <= found.start < found.stop <= size:
        raise AxesError(
            f"z = {text!r} was given; planes from 0 to {size - 1} such as 3-{size - 1}."
        )
    return found


def add_region(
    viewer: napari.Viewer, layer: ImageLayer, image: Image, ranges: Mapping[str, Any]
) -> ImageLayer:
    """Return the layer with a region of a layer, at the place of the region.

    A region that is in the viewer already is returned again.

    Parameters
    ----------
    viewer
        The viewer.
    layer, image
        The layer, and its Image.
    ranges
        First index and end by axis letter.

    Raises
    ------
    AxesError
        If the image lacks an axis, or nothing would be left.
    """
    noted = {"layer": layer.unique_id, "ranges": {a: list(part) for a, part in ranges.items()}}
    for other in viewer.layers:
        if other.metadata.get(_REGION_OF) == noted:
            known = find(viewer, other.unique_id)
            assert known is not None
            return known
    part = image.crop(**{axis: slice(*ends) for axis, ends in ranges.items()})
    gone = {RECORD, KEPT_FIT, FITTED_IMAGE}
    kept = {key: value for key, value in part.meta.items() if key not in gone}
    meta = {**kept, HELPER: REGION, _REGION_OF: noted}
    name = result_name("region", str(layer.name))
    region = add_result(viewer, layer, image, part, name=name, settings={"metadata": meta})
    hide_under(viewer, layer, region)
    return region


def _in_voxels(shapes: Layer, layer: ImageLayer, point: Any) -> Any:
    """Return a point of a shape in voxels of an image layer; their last axes are the same."""
    world = np.asarray(shapes.data_to_world(point), float)
    missing = layer.ndim - len(world)
    full = np.concatenate([np.zeros(max(0, missing)), world])[-layer.ndim :]
    return layer.world_to_data(full)
