"""The buttons that save figures and movies, for the dock Compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Slot
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QWidget

from napari_cellinr.errors import CellINRError
from napari_cellinr.macro.figures import FIGURE_SUFFIXES, MOVIE_SUFFIXES
from napari_cellinr.macro.naming import file_name
from napari_cellinr.ui.figures.drawing import place_of_view
from napari_cellinr.ui.widgets.buttons import push_button
from napari_cellinr.ui.widgets.chosen_file import chosen_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from napari.layers import Image as ImageLayer

    from napari_cellinr.image import Image
    from napari_cellinr.ui.compare.before_after import Chosen
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["FigureButtons"]


class FigureButtons(QWidget):
    """Buttons that save the source, the result and their difference beside each other.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.
    choose
        Returns the two layers.
    """

    def __init__(self, dispatcher: Dispatcher, choose: Callable[[], Chosen | None]) -> None:
        super().__init__()
        self._dispatcher, self._choose = dispatcher, choose
        self.figure_button = push_button(
            "Save figure …",
            "Save source, result and difference beside each other, with scale bar, time and colour "
            "bars, as PNG, SVG or PDF.",
            self.save_figure,
        )
        self.movie_button = push_button(
            "Save movie …",
            "Save source and result beside each other over time (over z without time), as MP4 or "
            "GIF.",
            self.save_movie,
        )
        self.part_box = QCheckBox("only the part in view")
        self.part_box.setToolTip("Draw only the part of the image that the canvas shows.")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.figure_button, 0, 0)
        grid.addWidget(self.movie_button, 0, 1)
        grid.addWidget(self.part_box, 1, 0, 1, 2)

    @Slot()
    def save_figure(self) -> None:
        """Ask for a file, and save a figure in it."""
        self._ask("figure", FIGURE_SUFFIXES, self.save_figure_as)

    @Slot()
    def save_movie(self) -> None:
        """Ask for a file, and save a movie in it."""
        self._ask("movie", MOVIE_SUFFIXES, self.save_movie_as)

    def _ask(self, what: str, suffixes: Sequence[str], save: Callable[[Path], None]) -> None:
        try:
            _, after = self._dispatcher.before_after.pair(self._choose())
        except CellINRError as error:
            self._dispatcher.controller.say("error", str(error))
            return
        offered = f"{file_name(str(after.name))} {what}{suffixes[0]}"
        filters = f"{what.capitalize()} ({' '.join(f'*{one}' for one in suffixes)})"
        name, _ = QFileDialog.getSaveFileName(self, "Save", offered, filters)
        if name:
            with self._dispatcher.controller.errors_shown():
                save(chosen_file(name, suffixes))

    def save_figure_as(self, path: Path) -> None:
        """Save a figure; the dialog has asked before a file is replaced."""
        with self._dispatcher.controller.errors_shown():
            layers, _, options = self._chosen()
            self._dispatcher.figure(*layers, path=path, overwrite=True, **options)

    def save_movie_as(self, path: Path) -> None:
        """Save a movie along time, or else along z; the dialog has asked before replacing."""
        with self._dispatcher.controller.errors_shown():
            layers, image, options = self._chosen()
            along = "T" if image.sizes.get("T", 1) > 1 else "Z"
            options["at"].pop(along, None)
            self._dispatcher.movie(*layers, path=path, overwrite=True, along=along, **options)

    def _chosen(self) -> tuple[tuple[ImageLayer, ImageLayer], Image, dict[str, Any]]:
        """Return the two layers, the Image of the first, and the options for the present view."""
        dispatcher = self._dispatcher
        pair = dispatcher.before_after.pair(self._choose())
        image = dispatcher.controller.image_of(pair[0])
        options = place_of_view(
            dispatcher.viewer, pair[0], image, only_in_view=self.part_box.isChecked()
        )
        return pair, image, options
