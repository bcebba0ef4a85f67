"""The object `cellinr` in napari's console: what the docks do, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.ui.dispatch import dispatcher_of
from napari_cellinr.ui.layers import add_images
from napari_cellinr.ui.tasks import task_of

if TYPE_CHECKING:
    from os import PathLike

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.dispatch import Dispatcher

__all__ = ["Console"]


class Console:
    """What the docks do, for scripts in a viewer.

    Work that takes long runs in the background, and what is asked for after it waits for its
    turn, so that a script can be written as if everything happened at once.

    Examples
    --------
    In napari's console, with a CellINR dock open::

        cellinr.open("embryo.tif")
        cellinr.denoise("embryo", background="keep")
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._dispatcher: Dispatcher = dispatcher_of(viewer)

    def open(self, path: str | PathLike[str]) -> list[ImageLayer]:
        """Return the layers for every image in a TIFF or NIfTI file, added to the viewer.

        Raises
        ------
        FileError
            If the file is missing or cannot be understood.
        """
        from napari_cellinr.io import read_all

        viewer = self._dispatcher.viewer
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
        """
        self._fit("denoise", layer, axes, preset=preset, **settings)

    def wait(self) -> None:
        """Return when everything is done that was asked for; the viewer stays usable meanwhile."""
        self._dispatcher.wait()

    def _fit(self, action: str, layer: ImageLayer | str, axes: str, **settings: Any) -> None:
        task = task_of(action)
        self._dispatcher.fit(task, layer, task.config_type(**settings), axes)
