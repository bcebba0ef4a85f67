"""The layer that shows a running fit, and the part of a layer that is visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_cellinr.fitting.problem import PreviewRequest
from napari_cellinr.macro.naming import result_name, what_of
from napari_cellinr.ui.layers.contrast import contrast_of, visible_contrast_of, widen_range
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.live_arrows import LiveArrows
from napari_cellinr.ui.layers.results import add_result, raise_above, update

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    import napari
    from napari.layers import Image as ImageLayer
    from numpy.typing import NDArray

    from napari_cellinr.image import Image

__all__ = ["LiveLayer", "shown_index", "shown_ranges", "visible_part"]

LARGEST_PART: Final = {"Z": 9, "Y": 256, "X": 256}
"""Largest size of a preview in voxels: more takes longer than a few seconds."""


def shown_index(viewer: napari.Viewer, layer: ImageLayer, given: Image) -> dict[str, int] | None:
    """Return the position of the displayed Y-X plane.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        A layer.
    given
        The Image of that layer.

    Returns
    -------
    dict or None
        Index by axis letter, without Y and X; None in the 3-D view, and where other axes are
        displayed.
    """
    if _shown_axes(viewer, layer, given) != {"Y", "X"}:
        return None
    middle = layer.world_to_data(viewer.dims.point)
    pairs = zip(given.axes, middle, given.shape, strict=True)
    return {a: int(np.clip(round(m), 0, n - 1)) for a, m, n in pairs if a not in "YX"}


def visible_part(viewer: napari.Viewer, layer: ImageLayer, given: Image) -> dict[str, slice]:
    """Return the part of a layer for a preview: the visible part, at most `LARGEST_PART`.

    It has several planes around the displayed one along Z, and one frame and channel.

    Parameters
    ----------
    viewer, layer, given
        As for `shown_index`.

    Returns
    -------
    dict
        Index range by axis letter, for all axes.
    """
    shown = shown_ranges(viewer, layer, given)
    middle = layer.world_to_data(viewer.dims.point)
    ranges = {}
    for dim, (axis, size) in enumerate(zip(given.axes, given.shape, strict=True)):
        part = shown.get(axis)
        centre, most = round(middle[dim]) + 0.5, size
        if part is not None:
            centre, most = (part.start + part.stop) / 2, part.stop - part.start
        ranges[axis] = _around(centre, min(most, LARGEST_PART.get(axis, 1)), size, axis)
    return ranges


def shown_ranges(viewer: napari.Viewer, layer: ImageLayer, given: Image) -> dict[str, slice]:
    """Return the visible part of a layer.

    Parameters
    ----------
    viewer, layer, given
        As for `shown_index`.

    Returns
    -------
    dict
        Index range by axis letter, for the displayed axes only.
    """
    shown = _shown_axes(viewer, layer, given)
    corners = np.asarray(layer.corner_pixels)
    ranges = {}
    for dim, (axis, size) in enumerate(zip(given.axes, given.shape, strict=True)):
        low, high = int(corners[0, dim]), int(corners[1, dim]) + 1
        # Corners are zero before the first paint and count coarser pixels of a pyramid.
        if high - low < 2 or layer.multiscale:
            low, high = 0, size
        if axis in shown:
            ranges[axis] = slice(low, high)
    return ranges


class LiveLayer:
    """The layer that shows a running fit, and its result in the end.

    It is added above the source with the first preview. Later previews change its array, and
    contrast limits that are much too narrow. If the user removes it, there are no more previews,
    and the result is a new layer.

    Parameters
    ----------
    given
        The Image of the source, which is fitted.
    name
        Name of the layer with the result.
    from_data
        Whether contrast limits are found in the result instead of taken from the source.
    added
        Called when the layer has been added, with the first image of the fit.
    channel
        Which of several channels is fitted; None if all are.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        source_id: Hashable,
        given: Image,
        name: str,
        *,
        from_data: bool,
        added: Callable[[], None] | None = None,
        channel: int | None = None,
    ) -> None:
        self._viewer = viewer
        self.channel = channel
        self.source_id = source_id
        self._given = given
        self._name = name
        self._source_name = self._name_of_source()
        self._from_data = from_data
        self._added = added
        self._layer_id: Hashable | None = None
        self._limits: tuple[float, float] | None = None
        self._shown_range: tuple[float, float] | None = None
        self._buffer: NDArray[np.float32] | None = None
        self._arrows = LiveArrows(viewer, given, f"{result_name('motion', name)} (running)")

    @property
    def layer(self) -> ImageLayer | None:
        """The layer; None before the first preview, and after the user removed it."""
        return find(self._viewer, self._layer_id) if self._layer_id else None

    def request(self) -> PreviewRequest | None:
        """Return a request for the displayed plane; None if the preview would not be visible."""
        source = self._source()
        layer = self.layer
        removed = self._layer_id is not None and layer is None
        if source is None or removed or (layer is not None and not layer.visible):
            return None
        index = shown_index(self._viewer, source, self._given)
        return PreviewRequest() if index is None else PreviewRequest(index)

    def show(self, preview: Image, index: Mapping[str, int]) -> None:
        """Show a preview.

        Parameters
        ----------
        preview
            A plane, or a coarser volume.
        index
            Position of the plane by axis letter; empty for a volume.
        """
        source = self._source()
        if source is None or (self._layer_id is not None and self.layer is None):
            return
        if index and self.channel is not None:
            index = {**index, "C": 0}
        image = self._with_plane(preview, index) if index else preview
        layer = self.layer
        if layer is None:
            layer = self._add(source, image, contrast_of(preview) if self._from_data else None)
        elif layer.data is image.data:
            layer.refresh()
        else:
            update(layer, source, self._given, image, self.channel)
        self._widen_contrast(layer, preview)
        if index:
            self._arrows.show(source, image, preview, index)

    def finish(self, image: Image, settings: Mapping[str, Any] | None = None) -> ImageLayer:
        """Show the result and return its layer; the source must be in the viewer.

        Parameters
        ----------
        image
            The result.
        settings
            Attributes of its layer, such as `colormap`.
        """
        source = find(self._viewer, self.source_id)
        assert source is not None
        limits = contrast_of(image) if self._from_data else None
        layer = self.layer
        self._buffer = None
        self._arrows.remove()
        self._follow_name()
        if layer is None:
            layer = self._add(source, image, limits, self._name)
        else:
            update(layer, source, self._given, image, self.channel)
        if limits and not self._is_moved(layer):
            self._set_contrast(layer, limits)
        widen_range(layer, image)
        layer.metadata = dict(image.meta)
        layer.name = self._name
        for key, value in (settings or {}).items():
            setattr(layer, key, value)
        return layer

    def _follow_name(self) -> None:
        """Name the result after its source as that is called now: it may have been renamed."""
        before, self._source_name = self._source_name, self._name_of_source()
        what = what_of(self._name, before)
        if what != self._name and self._source_name:
            self._name = result_name(what, self._source_name)

    def _name_of_source(self) -> str:
        source = find(self._viewer, self.source_id)
        return "" if source is None else str(source.name)

    def hide(self) -> None:
        """Hide the layer, below which newer ones lie."""
        if self.layer is not None:
            self.layer.visible = False

    def show_above(self) -> None:
        """Show the layer above all others that came from its source."""
        source, layer = find(self._viewer, self.source_id), self.layer
        if source is not None and layer is not None:
            raise_above(self._viewer, source, layer)
            layer.visible = True

    def remove(self) -> None:
        """Remove the unfinished layer from the viewer."""
        self._arrows.remove()
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _is_moved(self, layer: ImageLayer) -> bool:
        """Return whether the user has moved the contrast limits."""
        return tuple(layer.contrast_limits) != self._limits

    def _widen_contrast(self, layer: ImageLayer, preview: Image) -> None:
        """Set contrast limits anew that hold less than half of the values of a preview.

        A fit may start with a flat image, and its brightness may shift. Limits that followed every
        preview would flicker.
        """
        if not self._from_data or self._is_moved(layer):
            return
        limits = visible_contrast_of(preview)
        if limits is None:
            return
        kept = None if self._shown_range is None else _overlap(self._shown_range, limits)
        if kept is None or kept < (limits[1] - limits[0]) / 2:
            self._shown_range = limits
            self._set_contrast(layer, limits)

    def _set_contrast(self, layer: ImageLayer, limits: tuple[float, float]) -> None:
        layer.contrast_limits = limits
        self._limits = tuple(layer.contrast_limits)
        layer.refresh()  # otherwise the canvas keeps the old limits

    def _source(self) -> ImageLayer | None:
        """Return the source, if it is in the viewer and has as many axes as before."""
        source = find(self._viewer, self.source_id)
        return source if source is not None and source.ndim == len(self._given.axes) else None

    def _add(
        self,
        source: ImageLayer,
        image: Image,
        limits: tuple[float, float] | None,
        name: str = "",
    ) -> ImageLayer:
        name = name or f"{self._name} (running)"
        layer = add_result(
            self._viewer, source, self._given, image,
            name=name, limits=limits, channel=self.channel,
        )  # fmt: skip
        self._layer_id = layer.unique_id
        self._limits = tuple(layer.contrast_limits)
        if self._added is not None:
            self._added()
        return layer

    def _with_plane(self, preview: Image, index: Mapping[str, int]) -> Image:
        """Return the whole volume with the plane written into it; the others are zero at first."""
        kept = [axis for axis in self._given.axes if axis not in index]
        for axis in set(preview.axes) - set(kept):
            preview = preview.take(axis, 0)
        sizes = {**self._fitted.sizes, **preview.sizes}
        shape = tuple(sizes[axis] for axis in self._fitted.axes)
        if self._buffer is None or self._buffer.shape != shape:
            self._buffer = np.zeros(shape, np.float32)
        plane = np.asarray(preview.data).transpose([preview.axes.index(axis) for axis in kept])
        place: Any = tuple(index.get(axis, slice(None)) for axis in self._fitted.axes)
        self._buffer[place] = plane
        return self._on_grid_of(preview)

    @property
    def _fitted(self) -> Image:
        """What is fitted of the source: all of it, or one channel."""
        if self.channel is None:
            return self._given
        return self._given.crop(C=slice(self.channel, self.channel + 1))

    def _on_grid_of(self, plane: Image) -> Image:
        """Return the buffer with the steps of a plane, which may be finer than its source."""
        assert self._buffer is not None
        starts = dict(zip(plane.axes, plane.translate, strict=True))
        pairs = zip(self._fitted.axes, self._fitted.translate, strict=True)
        steps = {**self._fitted.steps, **plane.steps}
        return self._fitted.like(
            self._buffer,
            scale=tuple(steps[axis] for axis in self._fitted.axes),
            translate=tuple(starts.get(axis, origin) for axis, origin in pairs),
        )


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how long the common part of two ranges is; negative if there is none."""
    return min(one[1], other[1]) - max(one[0], other[0])


def _shown_axes(viewer: napari.Viewer, layer: ImageLayer, given: Image) -> set[str]:
    """Return the letters of the displayed axes."""
    offset = viewer.dims.ndim - layer.ndim
    return {given.axes[dim - offset] for dim in viewer.dims.displayed if dim >= offset}


def _around(centre: float, length: int, size: int, axis: str) -> slice:
    """Return `length` elements (at least 16 in Y and X) around `centre`, moved inside the image."""
    width = min(size, max(length, 16 if axis in "YX" else 1))
    start = int(np.clip(round(centre - width / 2), 0, size - width))
    return slice(start, start + width)
