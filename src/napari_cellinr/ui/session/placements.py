"""Axes and voxel size of a layer, of the other channels of its file, and of its results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellinr.image.frame_times import TIMES as FRAME_TIMES
from napari_cellinr.io.metadata.units import LENGTHS, TIMES
from napari_cellinr.ui.layers.convert import image_layers, set_voxel_size, to_image
from napari_cellinr.ui.layers.provenance import RECORD
from napari_cellinr.ui.layers.results import root_of
from napari_cellinr.ui.session.actions import source_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

__all__ = ["Placement", "channels_of", "placements", "results_of", "set_axes", "set_steps"]


@dataclass(frozen=True)
class Placement:
    """Axes, voxel size and position of a layer at one time, to which it can be returned.

    Parameters
    ----------
    layer
        The layer.
    attributes
        Its scale, translation, units and axis labels, by name.
    times
        Times of its frames, which a given time step replaces; None without.
    """

    layer: Layer
    attributes: dict[str, Any]
    times: Any = None

    def restore(self) -> None:
        """Give the layer these attributes again."""
        for name, value in self.attributes.items():
            setattr(self.layer, name, value)
        if self.times is not None:
            self.layer.metadata = {**self.layer.metadata, FRAME_TIMES: self.times}


def placements(layers: Sequence[Layer]) -> list[Placement]:
    """Return the present placements of layers."""
    names = ("axis_labels", "units", "scale", "translate")
    return [
        Placement(
            layer,
            {name: tuple(getattr(layer, name)) for name in names},
            layer.metadata.get(FRAME_TIMES),
        )
        for layer in layers
    ]


def channels_of(viewer: napari.Viewer, layer: ImageLayer) -> list[ImageLayer]:
    """Return a layer, followed by the other channels of the same image of the same file.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        An image layer.
    """
    whole = replace(source_of(layer), layer="", channel=None)
    if not whole.path or RECORD in layer.metadata:
        return [layer]
    others = [
        other
        for other in image_layers(viewer)
        if other.unique_id != layer.unique_id
        and replace(source_of(other), layer="", channel=None) == whole
        and _is_channel(layer) == _is_channel(other)
        and tuple(other.data.shape) == tuple(layer.data.shape)
    ]
    return [layer, *others]


def _is_channel(layer: ImageLayer) -> bool:
    """Return whether the reader says that a layer is one channel of its file.

    Other readers do not say it: their layers of one file and one shape are taken for channels.
    """
    source = source_of(layer)
    return bool(source.reader) or source.channel is not None


def results_of(viewer: napari.Viewer, layer: ImageLayer) -> list[Layer]:
    """Return the layers that were computed from a layer, of any kind.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The layer.
    """
    return [
        other
        for other in viewer.layers
        if other.unique_id != layer.unique_id and root_of(other) == layer.unique_id
    ]


def set_steps(viewer: napari.Viewer, layer: ImageLayer, steps: dict[str, float], axes: str) -> None:
    """Set the voxel size of a layer; its results stay where they lie on it.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The layer.
    steps, axes
        As for `set_voxel_size`.
    """
    units_before = dict(zip(axes, map(str, layer.units), strict=True))
    before = dict(zip(axes, np.abs(layer.scale), strict=True))
    set_voxel_size(layer, steps, axes)
    for result in results_of(viewer, layer):
        labels = "".join(map(str, result.axis_labels)).upper()
        units = dict(zip(labels, map(str, result.units), strict=False))
        own = dict(zip(labels, np.abs(result.scale), strict=False))
        following = {
            axis: float(own[axis] * step / before[axis])
            for axis, step in steps.items()
            if axis in units and units[axis] == units_before.get(axis)
        }
        set_voxel_size(result, following, labels)


def set_axes(layer: ImageLayer, axes: str) -> None:
    """Name the axes of a layer; a step whose unit does not suit the new axis becomes unknown.

    Parameters
    ----------
    layer
        The layer.
    axes
        One letter per dimension, such as `TYX`.

    Raises
    ------
    AxesError
        If an image cannot have these axes, or their number differs from that of the dimensions.
    """
    to_image(layer, axes)
    units, scale, translate = list(map(str, layer.units)), list(layer.scale), list(layer.translate)
    for place, (axis, unit) in enumerate(zip(axes, units, strict=True)):
        wrong = unit in LENGTHS if axis in "TC" else unit in TIMES
        if wrong:
            units[place], scale[place], translate[place] = "pixel", np.sign(scale[place]), 0.0
    layer.axis_labels = tuple(axes.lower())
    if units != list(map(str, layer.units)):
        layer.units, layer.scale, layer.translate = tuple(units), tuple(scale), tuple(translate)
