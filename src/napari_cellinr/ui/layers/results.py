"""Adds results to the viewer, aligned with their source whatever their voxel grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Labels, Tracks, Vectors
from napari.utils.transforms import Affine

from napari_cellinr.io.metadata.units import in_units_of
from napari_cellinr.ui.layers.contrast import widen_range
from napari_cellinr.ui.layers.provenance import channel_of, in_channel

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import napari
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_cellinr.image import Image
    from napari_cellinr.ui.layers.spec import Shown

__all__ = [
    "add_result",
    "add_shown",
    "columns_in_layer_order",
    "place",
    "raise_above",
    "root_of",
    "update",
]

_roots: Final[WeakKeyDictionary[Layer, Hashable]] = WeakKeyDictionary()
"""The `unique_id` of the opened image that a layer came from, directly or by other results."""


def add_result(
    viewer: napari.Viewer,
    source: ImageLayer,
    given: Image,
    image: Image,
    *,
    name: str,
    limits: tuple[float, float] | None = None,
    visible: bool = True,
    settings: dict[str, Any] | None = None,
    below: bool = False,
    whole: Image | None = None,
    levels: Sequence[Image] = (),
    channel: int | None = None,
) -> ImageLayer:
    """Add an image layer above all that came from its source; keep the selection; return it.

    Parameters
    ----------
    viewer
        The viewer.
    source
        The layer that `image` was computed from.
    given
        The Image of `source`.
    image
        The image to show.
    name
        Name of the layer.
    limits
        Contrast limits; those of the source by default.
    settings
        More attributes of the layer, which take precedence.
    visible, below
        Whether the layer is visible, and whether to add it below its source instead.
    whole
        As for `place`.
    levels
        All levels of a pyramid, of which `image` is the finest.
    channel
        As for `in_channel`; that of its fit by default.
    """
    look = {
        "colormap": source.colormap,
        "gamma": source.gamma,
        "blending": source.blending,
        "contrast_limits": limits or tuple(source.contrast_limits),
    }
    channel = channel_of(image) if channel is None else channel
    image = in_channel(given, image, channel)
    common = _attributes(source, given, image, name=name, visible=visible, whole=whole)
    data = [_in_layer_order(given, one) for one in levels or (image,)]
    attributes = {**common, **look, **(settings or {})}
    layer = ImageLayer(data if len(data) > 1 else data[0], **attributes)
    if isinstance(image.data, np.ndarray):  # of a lazy one, all values would be read
        widen_range(layer, image)
    _insert_quietly(viewer, source, layer, below=below)
    return layer


def add_shown(
    viewer: napari.Viewer, source: ImageLayer, given: Image, shown: Shown, name: str
) -> Layer:
    """Add a layer of any kind for a result, and return it.

    Parameters
    ----------
    viewer
        The viewer.
    source
        The layer that the result was computed from.
    given
        The Image of `source`.
    shown
        The spec of the layer.
    name
        Name of the layer.
    """
    settings = dict(shown.settings)
    image = shown.image
    if shown.kind == "image":
        return add_result(
            viewer, source, given, image,
            name=name, limits=shown.limits, visible=shown.visible, settings=settings,
        )  # fmt: skip
    placed = in_channel(given, image, channel_of(image))
    common = _attributes(source, given, placed, name=name, visible=shown.visible)
    layer: Layer
    if shown.kind == "labels":
        layer = Labels(_in_layer_order(given, placed), **{**common, **settings})
    elif shown.kind == "vectors":
        vectors = columns_in_layer_order(given, image, shown.data)
        layer = Vectors(vectors, **{**common, **settings})
    else:
        points = columns_in_layer_order(given, image, shown.data[:, 1:])
        tracks = np.concatenate([shown.data[:, :1], points], axis=1)
        layer = Tracks(tracks, **{**common, **settings})
    # Arrows and tracks lie above the image that they belong to.
    _insert_quietly(viewer, source, layer, on_top=shown.kind in {"vectors", "tracks"})
    return layer


def update(
    layer: ImageLayer,
    source: ImageLayer,
    given: Image,
    image: Image,
    channel: int | None = None,
) -> None:
    """Show another image in a layer of `add_result`; contrast limits and selection are kept.

    Parameters
    ----------
    layer
        The layer.
    source
        The layer that the image was computed from.
    given, image, channel
        As for `add_result`.
    """
    image = in_channel(given, image, channel_of(image) if channel is None else channel)
    layer.data = _in_layer_order(given, image)
    for key, value in _labels(source, given, image).items():
        setattr(layer, key, value)
    for key, value in place(source, given, image).items():
        setattr(layer, key, value)


def place(
    source: ImageLayer, given: Image, image: Image, whole: Image | None = None
) -> dict[str, tuple[float, ...]]:
    """Return scale and translation of the layer for an image, which align it with its source.

    Rotated and sheared sources are followed. Axes that only the image has come first; along axes
    that only the source has, the image is repeated.

    Parameters
    ----------
    source
        The layer that the image was computed from.
    given
        The Image of `source`.
    image
        A crop of `given`, or an image on another voxel grid.
    whole
        The image that `image` is a part of, which covers the same field as `given`; `image` itself
        by default. Used where units cannot be converted, such as pixels and micrometers.

    Returns
    -------
    dict
        `scale` and `translate`, one value per axis of the layer, in world units.
    """
    image, whole = in_units_of(image, given), in_units_of(whole or image, given)
    all_starts = dict(zip(whole.axes, whole.translate, strict=True))
    starts = dict(zip(image.axes, image.translate, strict=True))
    units = dict(zip(image.axes, image.units, strict=True))
    ratios, start = [], []
    for axis, step, origin, unit in zip(
        given.axes, given.scale, given.translate, given.units, strict=True
    ):
        if units.get(axis, unit) == unit:
            ratios.append(image.steps.get(axis, step) / step)
            start.append((starts.get(axis, origin) - origin) / step)
        else:
            covered = given.sizes[axis] / whole.sizes[axis]  # elements of the source for each one
            ratios.append(covered * image.steps[axis] / whole.steps[axis])
            start.append(covered * (starts[axis] - all_starts[axis]) / whole.steps[axis])
    ratio = np.array(ratios)
    to_world = Affine(
        scale=source.scale, rotate=source.rotate, shear=source.shear, translate=source.translate
    )
    extra = _extra_axes(given, image)
    scale = [image.steps[a] for a in extra] + list(ratio * source.scale)
    translate = [starts[a] for a in extra] + list(to_world(np.array(start)))
    return {
        "scale": tuple(float(step) for step in scale),
        "translate": tuple(float(p) for p in translate),
    }


def _labels(source: ImageLayer, given: Image, image: Image) -> dict[str, Any]:
    """Return units and names of the axes of the layer for an image."""
    extra = _extra_axes(given, image)
    units = dict(zip(image.axes, image.units, strict=True))
    return {
        "units": (*(units[axis] for axis in extra), *source.units),
        "axis_labels": tuple((extra + given.axes).lower()),
    }


def _attributes(
    source: ImageLayer,
    given: Image,
    image: Image,
    *,
    name: str,
    visible: bool,
    whole: Image | None = None,
) -> dict[str, Any]:
    """Return the attributes that layers of every kind take from their source."""
    n_extra = len(_extra_axes(given, image))
    turned = {
        "rotate": _grown(source.rotate, n_extra),
        "shear": source.shear,
        "affine": _grown(source.affine.affine_matrix, n_extra),
    }
    if n_extra and np.any(source.shear):
        turned["shear"] = _grown(
            Affine(shear=source.shear, ndim=source.ndim).linear_matrix, n_extra
        )
    elif n_extra:
        del turned["shear"]
    return {
        "name": name,
        "visible": visible,
        "metadata": dict(image.meta),
        **_labels(source, given, image),
        **turned,
        **place(source, given, image, whole),
    }


def _extra_axes(given: Image, image: Image) -> str:
    return "".join(axis for axis in image.axes if axis not in given.axes)


def _grown(matrix: NDArray[Any], n_extra: int) -> NDArray[Any]:
    """Return a matrix with `n_extra` leading axes that it leaves unchanged."""
    size = len(matrix) + n_extra
    grown = np.eye(size)
    grown[n_extra:, n_extra:] = matrix
    return grown


def _in_layer_order(given: Image, image: Image) -> Any:
    """Return the array with its axes in the order of the layer, as a view where possible.

    Along axes of the source that the image lacks it is repeated: napari aligns axes from the last.
    """
    order = _extra_axes(given, image) + given.axes
    kept = [image.axes.index(axis) for axis in order if axis in image.axes]
    data: Any = image.data
    data = data if kept == sorted(kept) else data.transpose(kept)
    if len(kept) == len(order):
        return data
    shape = [image.sizes.get(axis, given.sizes.get(axis, 1)) for axis in order]
    place: Any = tuple(slice(None) if axis in image.axes else None for axis in order)
    return np.broadcast_to(np.asarray(data)[place], shape)


def columns_in_layer_order(given: Image, image: Image, data: NDArray[Any]) -> NDArray[Any]:
    """Return coordinates (…, axes of the image) with their columns in the order of the layer.

    Parameters
    ----------
    given
        The Image of the layer.
    image
        The image whose voxels they count.
    data
        The coordinates; along axes that the image lacks, they are 0.
    """
    order = _extra_axes(given, image) + given.axes
    columns = [
        data[..., image.axes.index(axis)] if axis in image.axes else np.zeros(data.shape[:-1])
        for axis in order
    ]
    return np.stack(columns, axis=-1)


def _insert_quietly(
    viewer: napari.Viewer,
    source: ImageLayer,
    layer: Layer,
    *,
    below: bool = False,
    on_top: bool = False,
) -> None:
    """Insert the layer above others of its source, below the source, or on top; keep the selection.

    napari would select the new layer.
    """
    selected = list(viewer.layers.selection)
    active = viewer.layers.selection.active
    _roots[layer] = root_of(source)
    if on_top:
        place = len(viewer.layers)
    elif below:
        place = [other.unique_id for other in viewer.layers].index(source.unique_id)
    else:
        place = _top_of_family(viewer, source) + 1
    viewer.layers.insert(place, layer)
    viewer.layers.selection.clear()
    viewer.layers.selection.update(selected)
    viewer.layers.selection.active = active


def raise_above(viewer: napari.Viewer, source: ImageLayer, layer: Layer) -> None:
    """Move a layer above all images that came from the same source.

    Parameters
    ----------
    viewer
        The viewer.
    source
        The source.
    layer
        The layer to move.
    """
    top = _top_of_family(viewer, source)
    now = [other.unique_id for other in viewer.layers].index(layer.unique_id)
    if now < top:
        viewer.layers.move(now, top + 1)


def _top_of_family(viewer: napari.Viewer, source: ImageLayer) -> int:
    """Return the index of the topmost image among a source, its own source, and their results.

    A result is opaque and would hide newer ones below it; arrows and tracks stay above both.
    """
    root = root_of(source)
    places = [
        place
        for place, other in enumerate(viewer.layers)
        if isinstance(other, (ImageLayer, Labels)) and root_of(other) == root
    ]
    return max(places)


def root_of(layer: Layer) -> Hashable:
    """Return the `unique_id` of the opened image that a layer came from; its own if opened."""
    root: Hashable = _roots.get(getattr(layer, "__wrapped__", layer), layer.unique_id)
    return root
