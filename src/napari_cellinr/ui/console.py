"""The object `cellinr` in napari's console: the jobs of the dock by their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError
from napari_cellinr.ui.layers import add_images, find, image_layers
from napari_cellinr.ui.tasks import task_of

if TYPE_CHECKING:
    from os import PathLike

    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.controller import Controller

__all__ = ["Console"]


class Console:
    """What the docks do, for scripts in a viewer.

    Examples
    --------
    In napari's console, with a CellINR dock open::

        cellinr.open("embryo.tif")
        cellinr.denoise("embryo", preset="fast", background="keep")
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller

    def open(self, path: str | PathLike[str]) -> list[ImageLayer]:
        """Return the layers for every image in a TIFF or NIfTI file, added to the viewer.

        Raises
        ------
        FileError
            If the file is missing or cannot be understood.
        """
        from napari_cellinr.io import read_all

        viewer = self._controller.viewer
        return [layer for image in read_all(Path(path)) for layer in add_images(viewer, image)]

    def denoise(
        self, layer: ImageLayer | str, preset: Any = "fast", *, axes: str = "", **settings: Any
    ) -> None:
        """Start the same job as the dock; the result layer appears beside the source.

        Parameters
        ----------
        layer
            A layer or its name.
        preset
            `fast` for results, `preview` for a quick look.
        axes
            One letter per dimension, where the layer's axis labels do not say it.
        settings
            Any setting of `CellINRConfig` by name.

        Raises
        ------
        AxesError
            If there is no such layer, or its axes are not known.
        ConfigError
            If a setting is unknown or out of bounds.
        FitError
            If a job is running in this viewer already.
        """
        self._start("denoise", layer, axes, preset=preset, **settings)

    def _start(self, action: str, layer: ImageLayer | str, axes: str, **settings: Any) -> None:
        task = task_of(action)
        found = self._find(layer)
        if axes:
            self._controller.confirmed_axes[found.unique_id] = axes.upper()
        self._controller.start(task, found, task.config_type(**settings))

    def _find(self, layer: ImageLayer | str) -> ImageLayer:
        viewer = self._controller.viewer
        if not isinstance(layer, str):
            found = find(viewer, layer.unique_id)
        else:
            found = next((one for one in image_layers(viewer) if one.name == layer), None)
        if found is None:
            names = ", ".join(repr(str(one.name)) for one in image_layers(viewer)) or "none"
            raise AxesError(f"layer {layer!r} was given; there are {names}.")
        return found
