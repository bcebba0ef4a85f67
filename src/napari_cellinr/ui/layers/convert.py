"""Layers and Images: what is known of a layer, and layers for what was read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer

from napari_cellinr.errors import AxesError
from napari_cellinr.image import Image, default_axes
from napari_cellinr.io.channels import separated
from napari_cellinr.io.colours import COLOURS
from napari_cellinr.text import clean_name

if TYPE_CHECKING:
    from collections.abc import Hashable

    import napari
    from napari.layers import Layer

__all__ = [
    "add_images",
    "axes_of",
    "find",
    "image_from_tuple",
    "image_layers",
    "layer_tuples",
    "named",
    "set_voxel_size",
    "to_image",
]

_COLOURS = ("green", "magenta", "cyan", "yellow", "red", "blue", "gray")

_WORDS = {
    "t": "T", "time": "T", "frame": "T", "frames": "T",
    "c": "C", "ch": "C", "channel": "C", "channels": "C",
    "z": "Z", "depth": "Z", "plane": "Z", "slice": "Z",
    "y": "Y", "row": "Y", "height": "Y",
    "x": "X", "column": "X", "width": "X",
}  # fmt: skip


def image_layers(viewer: napari.Viewer) -> list[ImageLayer]:
    """Return the layers that can be restored, topmost first, as the layer list shows them."""
    layers = [layer for layer in viewer.layers if isinstance(layer, ImageLayer)]
    return [layer for layer in reversed(layers) if not layer.rgb and layer.ndim >= 2]


def find(viewer: napari.Viewer, layer_id: Hashable | None) -> ImageLayer | None:
    """Return the layer with this `unique_id`; none if it has left the viewer.

    Names change and the layers that plugins get are proxies, so that neither a name nor
    `is` tells which layer is which.
    """
    return next((layer for layer in viewer.layers if layer.unique_id == layer_id), None)


def named(viewer: napari.Viewer, layer: Layer | str) -> ImageLayer:
    """Return the layer of a name, or the very same layer.

    Raises
    ------
    AxesError
        If it is not in the viewer.
    """
    if isinstance(layer, str):
        found = next((one for one in viewer.layers if one.name == layer), None)
        if found is None:  # scripts hold the names without control characters
            found = next((one for one in viewer.layers if clean_name(one.name) == layer), None)
    else:
        found = find(viewer, layer.unique_id)
    if found is None:
        names = ", ".join(repr(str(one.name)) for one in viewer.layers) or "none"
        given = layer if isinstance(layer, str) else str(layer.name)
        raise AxesError(f"layer {given!r} was given; there are {names}.")
    return found


def axes_of(layer: ImageLayer) -> tuple[str, bool]:
    """Return one letter per dimension of the layer, and whether the layer itself says so.

    Raises
    ------
    AxesError
        If the layer has a number of dimensions that no method understands.
    """
    n_dimensions = int(layer.ndim)
    labels = [str(label).strip().lower() for label in layer.axis_labels]
    letters = "".join(_WORDS.get(label, "?") for label in labels)
    if "?" not in letters and len(set(letters)) == n_dimensions:
        return letters, True
    return default_axes(n_dimensions), n_dimensions == 2


def to_image(layer: ImageLayer, axes: str = "") -> Image:
    """Return the layer as an Image without a copy; of a multiscale layer the finest level.

    Parameters
    ----------
    layer
        Real numbers; a direction of axis (a negative scale) is left to the layer.
    axes
        One letter per dimension; those of the layer's axis labels if empty.

    Raises
    ------
    AxesError
        If the layer is in colour, or its axis labels do not say what its axes are.
    """
    if layer.rgb:
        raise AxesError(
            f"layer {layer.name!r} is a colour picture; grey values are needed. Split its "
            f"channels first (right click on the layer, Split RGB)."
        )
    guess, sure = axes_of(layer)
    if not axes and not sure:
        raise AxesError(
            f"the axes of layer {layer.name!r}, shape {tuple(layer.data.shape)}, are not known; "
            f'confirm them in the dock or give axes, for example axes="{guess}".'
        )
    return Image(
        layer.data[0] if layer.multiscale else layer.data,
        axes=axes or guess,
        scale=tuple(abs(float(step)) for step in layer.scale),
        units=tuple(str(unit) for unit in layer.units),
        name=str(layer.name),
        translate=tuple(float(place) for place in layer.translate),
        meta=dict(layer.metadata),
    )


def set_voxel_size(layer: ImageLayer, steps: dict[str, float], axes: str) -> None:
    """Write the step along each named axis, in µm and of T in s, into scale and units.

    Where the layer begins is counted in voxels, so that it moves with them; mirrored axes stay so.
    """
    scale, translate, units = list(layer.scale), list(layer.translate), list(map(str, layer.units))
    for place, axis in enumerate(axes):
        if axis in steps:
            units[place] = _unit_of(axis)
            translate[place] *= steps[axis] / abs(scale[place])
            scale[place] = math.copysign(steps[axis], scale[place])
    layer.units, layer.scale, layer.translate = tuple(units), tuple(scale), tuple(translate)


def layer_tuples(image: Image) -> list[tuple[Any, dict[str, Any], str]]:
    """Return the image as full layer data tuples, one per channel, as napari's readers do.

    An image with more than `MOST_CHANNELS` channels is a spectrum and stays in one layer.
    """
    if image.sizes.get("S") in {3, 4}:
        return [_colour_picture(image)]
    channels = separated(image)
    colours = _COLOURS if len(channels) > 1 else ("gray",)
    stated = image.meta.get(COLOURS, ())
    if len(channels) > 1 and len(stated) == len(channels):
        colours = tuple(stated)
    return [
        (channel.data, _attributes(channel, colours[i % len(colours)]), "image")
        for i, channel in enumerate(channels)
    ]


def add_images(viewer: napari.Viewer, image: Image) -> list[ImageLayer]:
    """Return the new layers for an image, one per channel."""
    tuples = layer_tuples(image)
    return [viewer.add_image(data, **attributes) for data, attributes, _ in tuples]


def image_from_tuple(data: Any, attributes: dict[str, Any]) -> Image:
    """Return the Image for the data and attributes that napari gives to a writer.

    Axes that the layer does not name are taken in the usual order.
    """
    keys = ("name", "scale", "translate", "units", "axis_labels", "rgb", "metadata")
    given = {key: attributes[key] for key in keys if attributes.get(key) is not None}
    layer = ImageLayer(data, **given)
    return to_image(layer, axes_of(layer)[0])


def _unit_of(axis: str) -> str:
    """Return the unit in which the step along an axis is entered."""
    return "second" if axis == "T" else "micrometer"


def _colour_picture(image: Image) -> tuple[Any, dict[str, Any], str]:
    """Return the layer of a picture in colour, which is to be looked at, not restored."""
    place = image.axes.index("S")
    order = [i for i in range(len(image.axes)) if i != place]
    data: Any = image.data
    attributes = _attributes(image.take("S", 0), "gray") | {"rgb": True}
    return data.transpose([*order, place]), attributes, "image"


def _attributes(image: Image, colour: str) -> dict[str, Any]:
    """Return everything that napari can know of an image besides its array."""
    return {
        "name": image.name,
        "scale": image.scale,
        "translate": image.translate,
        "units": image.units,
        "axis_labels": tuple(axis.lower() for axis in image.axes),
        "metadata": dict(image.meta),
        "colormap": colour,
        "blending": "translucent_no_depth" if colour == "gray" else "additive",
    }
