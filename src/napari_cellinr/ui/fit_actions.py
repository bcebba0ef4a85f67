"""The buttons for a fit that is there: keep it, render it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Slot
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton, QWidget

from napari_cellinr.errors import CellINRError
from napari_cellinr.going_on import METHODS
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.macro.words import file_name
from napari_cellinr.ui.layers import find
from napari_cellinr.ui.origins import method_of, origin_of
from napari_cellinr.ui.render_form import RenderForm

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Image as ImageLayer

    from napari_cellinr.ui.dispatch import Dispatcher
    from napari_cellinr.ui.tasks import Task

__all__ = ["FitActions"]

COLUMNS = 2
"""Buttons beside each other: three are cut at 300 pixels."""


class FitActions(QWidget):
    """What can be done with a fit of a task; hidden as long as there is none.

    It is the fit behind the chosen layer, or else the newest one of the session.

    Parameters
    ----------
    dispatcher
        Does it.
    task
        Whose fits.
    chosen
        Returns the layer that the dock has chosen.
    """

    def __init__(
        self, dispatcher: Dispatcher, task: Task, chosen: Callable[[], ImageLayer | None]
    ) -> None:
        super().__init__()
        self._dispatcher, self._task, self._chosen = dispatcher, task, chosen
        self._form: RenderForm | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(column, 1)
        self._buttons: list[tuple[QPushButton, str]] = []
        self.keep_button = self.add(
            "Keep fit …",
            "Save the fit of “{}” (.cellinr): dropped onto napari, it can be rendered at any time.",
            self.keep_fit,
        )
        self.render_button = self.add(
            "Render again …",
            "Render the fit of “{}” at another scale, time, part or channel, without another fit.",
            self.render_again,
        )
        dispatcher.controller.layers_changed.connect(self.refresh)
        dispatcher.controller.finished.connect(self.refresh)
        self.refresh()

    def add(self, text: str, tip: str, action: Callable[[], None]) -> QPushButton:
        """Return a new button after the others.

        Parameters
        ----------
        text
            What it says.
        tip
            What it does; `{}` stands for the name of the layer.
        action
            Does it.
        """
        button = QPushButton(text)
        button.clicked.connect(action)
        self._grid.addWidget(button, *divmod(len(self._buttons), COLUMNS))
        self._buttons.append((button, tip))
        return button

    def target(self) -> ImageLayer | None:
        """Return the layer whose fit is acted on; none if there is none."""
        results = self._dispatcher.results
        layer = self._chosen()
        if layer is not None and METHODS.get(method_of(layer, results)) == self._task.name:
            return layer
        newest = [one for one in results.values() if one.task is self._task and one.fitted.state]
        return find(self._dispatcher.viewer, newest[-1].layers[0].unique_id) if newest else None

    @Slot()
    def refresh(self) -> None:
        """Offer what can be done now."""
        layer = self.target()
        self.setVisible(layer is not None)
        for button, tip in self._buttons:
            button.setToolTip("" if layer is None else tip.format(layer.name))

    @Slot()
    def keep_fit(self) -> None:
        """Ask for a file, and save the fit in it."""
        layer = self.target()
        if layer is None:
            return
        usual = f"{file_name(str(layer.name))}{FITTED_SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self, "Keep fit", usual, f"Fit (*{FITTED_SUFFIX})")
        if not name:
            return
        try:
            self._dispatcher.save(layer, Path(name).with_suffix(FITTED_SUFFIX))
        except CellINRError as error:
            self._dispatcher.controller.say("error", str(error))

    @Slot()
    def render_again(self) -> None:
        """Open the form for it, beside the viewer, which stays usable."""
        layer = self.target()
        if layer is None:
            return
        dispatcher = self._dispatcher
        try:
            origin = origin_of(dispatcher.controller, layer, dispatcher.results)
            form = RenderForm(dispatcher, layer, origin, self)
        except CellINRError as error:
            dispatcher.controller.say("error", str(error))
            return
        if self._form is not None:
            self._form.close()
        self._form = form
        form.show()
