"""Converts napari layers to Images and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image as ImageLayer
from napari.utils.transforms import Affine

from napari_cellinr.errors import AxesError
from napari_cellinr.image import Image, default_axes
from napari_cellinr.image.frame_times import without_times
from napari_cellinr.io.metadata.colours import COLOURS
from napari_cellinr.io.metadata.rotation import is_rotated
from napari_cellinr.io.metadata.units import convert
from napari_cellinr.io.series.channels import separated
from napari_cellinr.macro.naming import DOT, name_before
from napari_cellinr.text import clean_name
from napari_cellinr.ui.layers.provenance import HELPER, READ_SHAPE, SWIPE

if TYPE_CHECKING:
    from collections.abc import Hashable

    import napari
    from napari.layers import Layer

__all__ = [
    "add_images",
    "as_shown",
    "axes_of",
    "find",
    "has_layer",
    "image_from_tuple",
    "image_layers",
    "layer_tuples",
    "named",
    "set_voxel_size",
    "to_image",
    "why_no_image",
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
    """Return the layers that can be processed, topmost first, as in the layer list."""
    images = [layer for layer in viewer.layers if isinstance(layer, ImageLayer)]
    layers = [layer for layer in images if layer.metadata.get(HELPER) != SWIPE]
    return [layer for layer in reversed(layers) if not layer.rgb and layer.ndim >= 2]


def why_no_image(viewer: napari.Viewer) -> str:
    """Return why none of the layers can be processed; an empty text if one can, or without any."""
    if not viewer.layers or image_layers(viewer):
        return ""
    coloured = [layer for layer in viewer.layers if getattr(layer, "rgb", False)]
    if coloured:
        return (
            f"“{coloured[0].name}” is a colour image; a greyscale image is needed. Split its "
            "channels (right click on the layer, Split RGB)."
        )
    names = ", ".join(f"“{layer.name}” ({type(layer).__name__})" for layer in viewer.layers[:3])
    return f"No layer is an image that can be processed: {names}."


def find(viewer: napari.Viewer, layer_id: Hashable | None) -> ImageLayer | None:
    """Return the layer with an id, or None if it is not in the viewer.

    Names change, and plugins get proxies of layers: neither names nor `is` identify a layer.

    Parameters
    ----------
    viewer
        The viewer.
    layer_id
        The `unique_id` of the layer.
    """
    return next((layer for layer in viewer.layers if layer.unique_id == layer_id), None)


def named(viewer: napari.Viewer, layer: Layer | str) -> ImageLayer:
    """Return a layer by name, or the given layer if it is in the viewer.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The layer or its name.

    Raises
    ------
    AxesError
        If it is not in the viewer.
    """
    if isinstance(layer, str):
        found = next((other for other in viewer.layers if other.name == layer), None)
        if found is None:  # scripts hold the names without control characters
            found = next(
                (other for other in viewer.layers if clean_name(other.name) == layer), None
            )
        found = found or _by_old_name(viewer, layer)
    else:
        found = find(viewer, layer.unique_id)
    if found is None:
        names = ", ".join(repr(str(other.name)) for other in viewer.layers)
        given = layer if isinstance(layer, str) else str(layer.name)
        known = f"its layers are {names}" if names else "open an image first"
        raise AxesError(f"there is no layer named {given!r} in this viewer; {known}.")
    return found


def axes_of(layer: ImageLayer) -> tuple[str, bool]:
    """Return the axes of a layer, and whether they are certain.

    Returns
    -------
    axes : str
        One letter per dimension.
    is_certain : bool
        False if the axis labels do not define the axes, so that they are a guess.

    Raises
    ------
    AxesError
        If no method can use this number of dimensions.
    """
    n_dimensions = int(layer.ndim)
    labels = [str(label).strip().lower() for label in layer.axis_labels]
    letters = "".join(_WORDS.get(label, "?") for label in labels)
    if "?" not in letters and len(set(letters)) == n_dimensions:
        return letters, True
    usual = default_axes(n_dimensions)
    known = letters.replace("?", "")
    if known and len(set(known)) == len(known) and {"Y", "X"} <= set(known):
        return _completed(letters, usual), False
    return usual, n_dimensions == 2


def _completed(letters: str, usual: str) -> str:
    """Return axes with a guess in the place of each `?`, beside those that labels define.

    An axis before the time, as napari makes it of stacked layers, may well be that of channels.
    """
    for place, letter in enumerate(letters):
        if letter == "?":
            stacked = "T" in letters[place:] and "C" not in letters
            free = [axis for axis in f"{'C' * stacked}{usual}TZC" if axis not in letters]
            letters = f"{letters[:place]}{free[0]}{letters[place + 1 :]}"
    return letters


def to_image(layer: ImageLayer, axes: str = "") -> Image:
    """Return the layer as an Image without a copy; of a multiscale layer the finest level.

    Parameters
    ----------
    layer
        An image layer of real numbers; negative scales (mirrored axes) become positive.
    axes
        One letter per dimension; those of the axis labels of the layer if empty.

    Raises
    ------
    AxesError
        If the layer is a colour image, or its axis labels do not define its axes.
    """
    if layer.rgb:
        raise AxesError(
            f"layer {layer.name!r} is a colour image; a greyscale image is needed. Split its "
            f"channels first (right click on the layer, Split RGB)."
        )
    guess, sure = axes_of(layer)
    if not axes and not sure:
        raise AxesError(
            f"the axes of layer {layer.name!r}, shape {tuple(layer.data.shape)}, are unknown; "
            f'confirm them in the dock, or give axes, for example axes="{guess}".'
        )
    return Image(
        layer.data[0] if layer.multiscale else layer.data,
        axes=axes or guess,
        scale=tuple(abs(float(step)) for step in layer.scale),
        units=tuple(str(unit) for unit in layer.units),
        name=str(layer.name),
        translate=tuple(float(place) for place in layer.translate),
        meta={key: fact for key, fact in layer.metadata.items() if key != READ_SHAPE},
    )


def has_layer(viewer: napari.Viewer, name: str) -> bool:
    """Return whether a viewer has a layer with a name, also in the form of version 0.1.

    Parameters
    ----------
    viewer
        The viewer.
    name
        Name of the layer.
    """
    names = [str(layer.name) for layer in viewer.layers]
    return any(name in {one, clean_name(one), name_before(one)} for one in names)


def _by_old_name(viewer: napari.Viewer, name: str) -> Layer | None:
    """Return the newest result with a name of version 0.1, such as `embryo denoised`, or None.

    It is now called `denoised · embryo`; other images of a fit, such as `background`, did not name
    their source.
    """
    for layer in reversed(viewer.layers):
        what, dot, source = str(layer.name).partition(f" {DOT} ")
        if dot and name in {name_before(str(layer.name)), f"{source} {what}", what}:
            return layer
    return None


def set_voxel_size(layer: Layer, steps: dict[str, float], axes: str) -> None:
    """Set the voxel size and frame interval of a layer.

    The translation in voxels stays the same, so that it changes in world units; mirrored axes stay
    mirrored. Another step along T replaces the times of single frames.

    Parameters
    ----------
    layer
        The layer.
    steps
        Steps by axis letter, in µm, and of T in seconds.
    axes
        Axis letters of the layer.
    """
    scale, translate, units = list(layer.scale), list(layer.translate), list(map(str, layer.units))
    is_other_time = False
    for place, axis in enumerate(axes):
        if axis in steps:
            if axis == "T":
                known = convert(abs(float(scale[place])), units[place], "second")
                is_other_time = known is None or not math.isclose(known, steps[axis], rel_tol=1e-5)
            units[place] = "second" if axis == "T" else "micrometer"
            translate[place] *= steps[axis] / abs(scale[place])
            scale[place] = math.copysign(steps[axis], scale[place])
    layer.units, layer.scale, layer.translate = tuple(units), tuple(scale), tuple(translate)
    if is_other_time:
        layer.metadata = without_times(layer.metadata)


def layer_tuples(image: Image) -> list[tuple[Any, dict[str, Any], str]]:
    """Return layer data tuples for an image, one per channel.

    An image with more than `MOST_CHANNELS` channels is a spectrum and stays in one layer.
    """
    if image.sizes.get("S") in {3, 4}:
        return [_colour_image(image)]
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
    """Add an image to the viewer and return its layers, one per channel.

    Parameters
    ----------
    viewer
        The viewer.
    image
        The image.
    """
    tuples = layer_tuples(image)
    return [viewer.add_image(data, **attributes) for data, attributes, _ in tuples]


def image_from_tuple(data: Any, attributes: dict[str, Any]) -> Image:
    """Return the Image for the data and attributes that napari passes to a writer.

    Parameters
    ----------
    data
        Array of the layer.
    attributes
        Attributes of the layer; without axis labels, the axes are in the default order.
    """
    keys = ("name", "scale", "translate", "units", "axis_labels", "rgb", "metadata")
    given = {key: attributes[key] for key in keys if attributes.get(key) is not None}
    layer = ImageLayer(data, **given)
    image = to_image(layer, axes_of(layer)[0])
    return _placed(image, _turned(image, attributes))


def as_shown(image: Image, layer: ImageLayer) -> Image:
    """Return the image of a layer with how the layer is turned and mirrored, to be written.

    Parameters
    ----------
    image
        As `to_image` returns it.
    layer
        The layer.
    """
    keys = ("scale", "rotate", "shear")
    shown = {key: getattr(layer, key) for key in keys} | {"affine": layer.affine.affine_matrix}
    return _placed(image, _turned(image, shown))


def _placed(image: Image, turned: dict[str, Any]) -> Image:
    """Return the image with an affine, and steps as long as its voxels: a shear makes them longer.

    Parameters
    ----------
    image
        The image.
    turned
        What `_turned` returned.
    """
    if not turned:
        return image
    lengths = np.linalg.norm(np.asarray(turned["affine"])[:3, :3], axis=0)
    scale, translate = list(image.scale), list(image.translate)
    for axis, length in zip("XYZ", lengths, strict=True):
        place = image.axes.find(axis)
        if place >= 0 and not math.isclose(length, scale[place], rel_tol=1e-6):
            translate[place] *= float(length) / scale[place]
            scale[place] = float(length)
    placed = image.like(image.data, scale=tuple(scale), translate=tuple(translate))
    return placed.like(placed.data, meta={**image.meta, **turned})


def _turned(image: Image, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the affine of a rotated or mirrored layer, as the metadata of an image hold it."""
    n = len(image.axes)
    scale = attributes.get("scale")
    own = Affine(
        scale=image.scale if scale is None else scale,
        translate=image.translate,
        rotate=attributes.get("rotate"),
        shear=attributes.get("shear"),
        ndim=n,
    ).affine_matrix
    matrix = np.asarray(attributes.get("affine", np.eye(n + 1)), float) @ own
    places = {axis: image.axes.index(axis) for axis in "XYZ" if axis in image.axes}
    affine = np.eye(4)
    for row, first in places.items():
        for column, second in places.items():
            affine["XYZ".index(row), "XYZ".index(column)] = matrix[first, second]
    moved = [
        image.translate[places[axis]] / image.steps[axis] if axis in places else 0.0
        for axis in "XYZ"
    ]
    ends = np.array([matrix[places[axis], n] if axis in places else 0.0 for axis in "XYZ"])
    affine[:3, 3] = ends - affine[:3, :3] @ moved
    unit = image.units[places["X"]] if "X" in places else "pixel"
    found = {"affine": affine.tolist(), "affine_unit": unit, "affine_code": 2}
    is_mirrored = bool(np.diagonal(affine).min() < 0)
    return found if is_mirrored or is_rotated(image.like(image.data, meta=found)) else {}


def _colour_image(image: Image) -> tuple[Any, dict[str, Any], str]:
    """Return the layer of a colour image, which can be viewed but not processed."""
    place = image.axes.index("S")
    order = [i for i in range(len(image.axes)) if i != place]
    data: Any = image.data
    data = data.transpose([*order, place])
    attributes = _attributes(image.take("S", 0), "gray") | {"rgb": True}
    attributes["metadata"][READ_SHAPE] = list(data.shape)
    return data, attributes, "image"


def _attributes(image: Image, colour: str) -> dict[str, Any]:
    """Return the attributes of the layer for an image."""
    return {
        "name": image.name,
        "scale": image.scale,
        "translate": image.translate,
        "units": image.units,
        "axis_labels": tuple(axis.lower() for axis in image.axes),
        "metadata": {**image.meta, READ_SHAPE: list(image.shape)},
        "colormap": colour,
        "blending": "translucent_no_depth" if colour == "gray" else "additive",
    }
