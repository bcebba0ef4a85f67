"""The actions that save figures and movies of layers beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellinr.errors import AxesError
from napari_cellinr.macro import Source, Step
from napari_cellinr.macro.actions.figure import draw
from napari_cellinr.ui.layers.live import shown_index, shown_ranges
from napari_cellinr.ui.session.actions import name_of, source_of
from napari_cellinr.ui.session.changes import Changes
from napari_cellinr.ui.session.controller import Work, background_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.image import Image

__all__ = ["Drawings", "look_of", "place_of_view"]


class Drawings(Changes):
    """The actions of one viewer that draw layers."""

    def figure(
        self,
        *layers: ImageLayer | str,
        path: str | PathLike[str],
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        """Save a figure of the same plane of one or two layers, and of their difference.

        Parameters
        ----------
        *layers
            The layers or their names, from left to right.
        path
            The file, with the suffix `.png`, `.svg` or `.pdf`.
        overwrite
            Whether an existing file may be replaced, also if it was not written in this viewer.
        **options
            As for `write_figure`; contrast limits and colormaps of the layers if not given.

        Raises
        ------
        AxesError, ConfigError
            If there is no such layer, or an option is not allowed.
        FileError
            If the file must not be replaced.
        """
        self._draw("figure", layers, path, options, overwrite)

    def movie(
        self,
        *layers: ImageLayer | str,
        path: str | PathLike[str],
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        """Save a movie of one or two layers along an axis, and of their difference.

        Parameters
        ----------
        *layers, path, overwrite
            As for `figure`, with the suffix `.mp4` or `.gif`.
        **options
            As for `write_movie`; contrast limits and colormaps of the layers if not given.

        Raises
        ------
        AxesError, ConfigError, FileError
            As for `figure`.
        """
        self._draw("movie", layers, path, options, overwrite)

    def _draw(
        self,
        action: str,
        layers: Sequence[ImageLayer | str],
        path: str | PathLike[str],
        options: Mapping[str, Any],
        overwrite: bool,
    ) -> None:
        file = Path(path)

        def carry_out() -> Work:
            found = [self._find(layer) for layer in layers]
            images = [self.controller.image_of(layer) for layer in found]
            whole = {**look_of(found), **options}
            step = Step(action, tuple(map(source_of, found)), {"path": str(file), **whole})
            self.written.check(file, overwrite=overwrite)
            return Work(
                f"{action} of {name_of(layers[-1])}",
                background_job("drawing", lambda: draw(step, file, images)),
                lambda made: self._on_drawn(step, file),
                quick=True,
            )

        names = tuple(Source(name_of(layer)) for layer in layers)
        attempt = Step(action, names, {"path": str(file), **options})
        self._submit(action, layers[-1], carry_out, attempt)

    def _on_drawn(self, step: Step, file: Path) -> None:
        self._record(step)
        self.written.add([file])
        self.controller.said.emit("info", f"{file.name} is written.")


def look_of(layers: Sequence[ImageLayer]) -> dict[str, Any]:
    """Return contrast limits and names of the colormaps of layers, as options of a figure."""
    limits = [[float(end) for end in layer.contrast_limits] for layer in layers]
    return {"limits": limits, "colormaps": [str(layer.colormap.name) for layer in layers]}


def place_of_view(
    viewer: napari.Viewer, layer: ImageLayer, image: Image, *, only_in_view: bool
) -> dict[str, Any]:
    """Return the plane that is shown, and the part in view, as options of a figure.

    Parameters
    ----------
    viewer
        The viewer.
    layer
        The first layer of the figure.
    image
        Its Image.
    only_in_view
        Whether the figure shows only the part that the canvas shows.

    Raises
    ------
    AxesError
        If the view is 3-D, so that no single plane is shown.
    """
    if viewer.dims.ndisplay == 3:
        raise AxesError("the view is 3-D; switch to the 2-D view, whose plane the figure shows.")
    found: dict[str, Any] = {"at": shown_index(viewer, layer, image) or {}}
    if only_in_view:
        parts = shown_ranges(viewer, layer, image)
        found["crop"] = {
            axis: [part.start, part.stop] for axis, part in parts.items() if axis in "YX"
        }
    return found
