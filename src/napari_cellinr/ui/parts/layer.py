"""The layer of a result in parts: it appears at once, and fills in while parts finish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari_cellinr.runs.scale.in_parts import GROWTH
from napari_cellinr.ui.layers.convert import find, image_layers
from napari_cellinr.ui.layers.results import add_result

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from pathlib import Path

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.image import Image
    from napari_cellinr.runs.scale.in_parts import Growth, PartsResult

__all__ = ["RESULT_IN_PARTS", "PartsLayer"]

RESULT_IN_PARTS: Final = "napari-cellinr result in parts"
"""Key in the metadata of a layer for the OME-Zarr folder that it shows."""


class PartsLayer:
    """The layer that shows a result in parts; its values are read from the disk when they are seen.

    It is added above the source when the parts are planned. A layer that an earlier run has left
    in the viewer, with the same result, is used again.

    Parameters
    ----------
    viewer
        The viewer.
    source_id
        The `unique_id` of the layer that is processed.
    given
        The Image of that layer.
    name
        Name of the layer with the result.
    path
        The OME-Zarr folder of the result.
    from_data
        Whether contrast limits are found in the data instead of taken from the source.
    planned
        Called with the `Growth` when the parts are planned.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        source_id: Hashable,
        given: Image,
        name: str,
        path: Path,
        *,
        from_data: bool,
        planned: Callable[[Growth], None],
    ) -> None:
        self._viewer, self.source_id, self._given = viewer, source_id, given
        self._name, self._path, self._from_data = name, str(path), from_data
        self._planned = planned
        self._layer_id: Hashable | None = None
        self._limits: tuple[float, ...] | None = None

    @property
    def layer(self) -> ImageLayer | None:
        """The layer; None before the parts are planned, and after the user removed it."""
        return find(self._viewer, self._layer_id) if self._layer_id else None

    def request(self) -> None:
        """Request no previews: the job shows each part when it is finished."""
        return

    def show(self, image: Image, index: Mapping[str, int]) -> None:
        """Show the result as it is now; only what is seen of it is read.

        Parameters
        ----------
        image
            The whole result, lazy.
        index
            Not used: previews of other jobs may be of one plane.
        """
        layer = self.layer
        if layer is not None:
            layer.refresh()
        elif self._layer_id is None and find(self._viewer, self.source_id) is not None:
            meta = dict(image.meta)
            growth: Growth = meta.pop(GROWTH)
            layer = self._left_behind()
            if layer is None:
                low, high = growth.limits  # of the recording; without its background, about 0
                limits = (0.0, high - low) if self._from_data else None
                layer = self._add((image.like(image.data, meta=meta),), limits, running=True)
            else:
                layer.name = f"{self._name} (running)"
                layer.refresh()
            self._note(layer)
            self._planned(growth)

    def finish(self, result: PartsResult, meta: Mapping[str, Any]) -> ImageLayer:
        """Show what the run has made, as a pyramid if it is complete, and return its layer.

        Parameters
        ----------
        result
            How the run ended; the source must be in the viewer.
        meta
            Metadata of the layer.
        """
        layer = self.layer or self._left_behind()
        if layer is not None and result.finished.is_complete:
            look = self._look_of(layer)
            self._viewer.layers.remove(layer)
            layer = self._add(result.levels, None, settings=look)
        elif layer is None:
            layer = self._add(result.levels, result.limits if self._from_data else None)
        if self._from_data and tuple(layer.contrast_limits) == self._limits:
            layer.contrast_limits = result.limits
            layer.contrast_limits_range = _wider(*result.limits)
        layer.name = self._name
        layer.metadata = {**meta, RESULT_IN_PARTS: self._path}
        layer.refresh()
        return layer

    def hide(self) -> None:
        """Hide the layer."""
        if self.layer is not None:
            self.layer.visible = False

    def remove(self) -> None:
        """Remove the layer from the viewer; the files stay."""
        layer = self.layer
        if layer is not None:
            self._viewer.layers.remove(layer)

    def _add(
        self,
        levels: tuple[Image, ...],
        limits: tuple[float, float] | None,
        *,
        running: bool = False,
        settings: dict[str, Any] | None = None,
    ) -> ImageLayer:
        source = find(self._viewer, self.source_id)
        assert source is not None
        chosen = tuple(source.contrast_limits) if limits is None else limits
        layer = add_result(
            self._viewer, source, self._given, levels[0],
            name=f"{self._name} (running)" if running else self._name, limits=chosen,
            settings={"cache": not running, **(settings or {})},  # a cache would keep the zeros
            levels=levels,
        )  # fmt: skip
        if settings is None:
            layer.contrast_limits_range = _wider(*chosen)
        return layer

    def _note(self, layer: ImageLayer) -> None:
        self._layer_id, self._limits = layer.unique_id, tuple(layer.contrast_limits)
        layer.metadata = {**layer.metadata, RESULT_IN_PARTS: self._path}

    def _left_behind(self) -> ImageLayer | None:
        """Return the layer of an earlier run with the same result, or None."""
        layers = image_layers(self._viewer)
        return next((one for one in layers if self._shows_result(one)), None)

    def _shows_result(self, layer: ImageLayer) -> bool:
        return bool(layer.metadata.get(RESULT_IN_PARTS) == self._path)

    def _look_of(self, layer: ImageLayer) -> dict[str, Any]:
        """Return how a layer looks, which the user may have changed while it filled in."""
        names = (
            "visible", "opacity", "blending", "colormap", "gamma", "contrast_limits",
            "interpolation2d", "interpolation3d", "rendering",
        )  # fmt: skip
        return {name: getattr(layer, name) for name in names}


def _wider(low: float, high: float) -> tuple[float, float]:
    """Return a range for the contrast slider that leaves room on both sides."""
    return low - (high - low), high + 2 * (high - low)
