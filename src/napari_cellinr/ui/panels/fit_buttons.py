"""The buttons for a fit that is there: keep it, render it again, go on with it, do it likewise."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QFileDialog, QGridLayout, QInputDialog, QPushButton, QWidget

from napari_cellinr.errors import CellINRError
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.macro.naming import file_name
from napari_cellinr.runs.warm_start import why_not
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import FITTED_IMAGE, method_of, origin_of, settings_of
from napari_cellinr.ui.panels.render import RenderForm
from napari_cellinr.ui.session.actions import StartLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_cellinr.ui.session.dispatcher import Dispatcher
    from napari_cellinr.ui.task import Task

__all__ = ["FitActions"]

MOST_STEPS = 1_000_000
"""Steps that can be added at once."""

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
    use
        Shows settings in the form of the dock.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        task: Task,
        chosen: Callable[[], ImageLayer | None],
        use: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self._dispatcher, self._task, self._chosen, self._use = dispatcher, task, chosen, use
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
        self.more_button = self.add(
            "More steps …",
            "Do more steps of the fit of “{}”; the result is another layer.",
            self.more_steps,
        )
        self.settings_button = self.add(
            "Use these settings", "Put the settings of “{}” into the form.", self.use_settings
        )
        dispatcher.controller.layers_changed.connect(self.refresh)
        dispatcher.controller.finished.connect(self.refresh)
        dispatcher.viewer.layers.selection.events.active.connect(self._on_selected)
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
        if layer is not None and method_of(layer, results) == self._task.method.name:
            return layer
        newest = [one for one in results.values() if one.task is self._task and one.fitted.state]
        return find(self._dispatcher.viewer, newest[-1].layers[0].unique_id) if newest else None

    def model(self) -> tuple[Layer, Any] | None:
        """Return the selected layer, or else that of `target`, and the settings it was made with.

        A preview has settings, too, although there is no fit of it.
        """
        selected = self._dispatcher.viewer.layers.selection.active
        for layer in (selected, self.target()):
            if layer is not None:
                config = settings_of(layer, self._task, self._dispatcher.results)
                if config is not None:
                    return layer, config
        return None

    def _on_selected(self, event: Any = None) -> None:
        with suppress(RuntimeError):  # the dock is gone, but something still holds it
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Offer what can be done now."""
        layer, model = self.target(), self.model()
        self.setVisible(layer is not None or model is not None)
        for button, tip in self._buttons:
            button.setVisible(layer is not None)
            button.setToolTip("" if layer is None else tip.format(layer.name))
        self.settings_button.setVisible(model is not None)
        if model is not None:
            self.settings_button.setToolTip(self._buttons[-1][1].format(model[0].name))
        if layer is not None:
            why = self._why_not_more(layer)
            self.more_button.setEnabled(not why)
            if why:
                self.more_button.setToolTip(why)

    @Slot()
    def use_settings(self) -> None:
        """Put the settings of a result into the form."""
        model = self.model()
        if model is not None:
            layer, config = model
            self._use(config)
            text = f"The settings of “{layer.name}” are in the form."
            self._dispatcher.controller.said.emit("info", text)

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
    def more_steps(self) -> None:
        """Ask how many, and do them."""
        layer = self.target()
        image = None if layer is None else self._image_of(layer)
        if layer is None or image is None:
            return
        steps, agreed = QInputDialog.getInt(
            self, "More steps", f"Steps to add to the fit of “{layer.name}”", 100, 1, MOST_STEPS
        )
        if not agreed:
            return
        try:
            config = self._task.config_type(steps=steps)
            self._dispatcher.fit(
                self._task, image, config, start=StartLayer("continue_from", layer)
            )
        except CellINRError as error:
            self._dispatcher.controller.say("error", str(error))

    def _why_not_more(self, layer: ImageLayer) -> str:
        """Return why no steps can be added to a fit; an empty text if they can."""
        made = self._dispatcher.results.get(layer.unique_id)
        why = "" if made is None else why_not(made.fitted)
        if why or self._image_of(layer) is not None:
            return f"{why[:1].upper()}{why[1:]}"
        return "Open the image that was fitted, under its name, to do more steps."

    def _image_of(self, layer: ImageLayer) -> ImageLayer | None:
        """Return the layer of the image that was fitted; none if it is not in the viewer."""
        dispatcher = self._dispatcher
        made = dispatcher.results.get(layer.unique_id)
        if made is not None:
            return find(dispatcher.viewer, made.source.unique_id)
        name = layer.metadata.get(FITTED_IMAGE)
        known = (one for one in dispatcher.viewer.layers if isinstance(one, ImageLayer))
        return next((one for one in known if one.name == name), None)

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
        form.finished.connect(self._on_form_closed)
        form.show()

    @Slot()
    def _on_form_closed(self) -> None:
        self._form = None  # Qt deletes it
