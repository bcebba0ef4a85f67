"""The buttons for an existing fit: save, render again, more steps, use its settings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer
from qtpy.QtCore import Slot
from qtpy.QtWidgets import QFileDialog, QInputDialog, QPushButton, QVBoxLayout, QWidget

from napari_cellinr.errors import CellINRError
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.macro.naming import file_name
from napari_cellinr.runs.warm_start import why_not
from napari_cellinr.ui.compare.before_after import SWIPE_KEY
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.layers.provenance import (
    FITTED_IMAGE,
    OTHER_IMAGES,
    method_of,
    newest_first,
    origin_of,
    settings_of,
)
from napari_cellinr.ui.panels.fit.render import RenderForm
from napari_cellinr.ui.panels.show_button import ShowButton
from napari_cellinr.ui.session.actions import StartLayer
from napari_cellinr.ui.session.work.doubt import why_no_doubt
from napari_cellinr.ui.widgets.chosen_file import chosen_file
from napari_cellinr.ui.widgets.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.layers import Layer

    from napari_cellinr.ui.session.dispatcher import Dispatcher
    from napari_cellinr.ui.task import Task

__all__ = ["FitButtons"]

MOST_STEPS = 1_000_000
"""Largest number of steps that can be added at once."""


class FitButtons(QWidget):
    """Buttons for a fit of a task; hidden while there is none.

    They act on the fit of the selected layer, or else on the newest one of the session.

    Parameters
    ----------
    dispatcher
        Executes the actions.
    task
        The task of the fits.
    chosen
        Returns the layer that is selected in the dock.
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
        self._columns = Columns()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._columns)
        self._buttons: list[tuple[QPushButton, str]] = []
        self.save_button = self.add(
            "Save fit …",
            "Save the fit of “{}” (.cellinr), to open and render it in napari later.",
            self.save_fit,
        )
        self.render_button = self.add(
            "Render again …",
            "Render the fit of “{}” at another scale, time, part or channel.",
            self.render_again,
        )
        self.more_button = self.add(
            "More steps …",
            "Continue the fit of “{}” with more steps; the result is a new layer.",
            self.more_steps,
        )
        self.settings_button = self.add(
            "Use these settings", "Copy the settings of “{}” into the form.", self.use_settings
        )
        self.swipe_button = self.add(
            "Before / after",
            f"Show the source of “{{}}” on the left of a line, the result on its right "
            f"(key {SWIPE_KEY}); click again to end it.",
            self.swipe,
        )
        # The longest texts are in one column, so that two columns fit a dock of 266 pixels.
        self.doubt_button = self.add(
            "Where not to trust",
            "Show in red where “{}” is not to be trusted, by its own estimate of its error; click "
            "again to hide it.",
            self.show_doubt,
        )
        self.show_button = ShowButton(dispatcher, self.result_layer)
        self._columns.add(self.show_button)
        dispatcher.controller.layers_changed.connect(self.refresh)
        dispatcher.controller.finished.connect(self.refresh)
        dispatcher.viewer.layers.selection.events.active.connect(self._on_selected)
        self.refresh()

    def add(self, text: str, tip: str, action: Callable[[], None]) -> QPushButton:
        """Add a button after the others and return it.

        Parameters
        ----------
        text
            Its label.
        tip
            Its tooltip; `{}` stands for the name of the layer.
        action
            Called on a click.
        """
        button = QPushButton(text)
        button.clicked.connect(action)
        self._columns.add(button)
        self._buttons.append((button, tip))
        return button

    def target(self) -> ImageLayer | None:
        """Return the layer whose fit the buttons act on, or None."""
        results = self._dispatcher.results
        layer = self._chosen()
        if layer is not None and method_of(layer, results) == self._task.method.name:
            return layer
        own = [one for one in newest_first(results) if one.task is self._task and one.fitted.state]
        return find(self._dispatcher.viewer, own[0].layers[0].unique_id) if own else None

    def result_layer(self) -> Layer | None:
        """Return the selected result, or else the newest one of this session, or None.

        Unlike `target`, it need not have a fit that can be rendered again.
        """
        results, chosen = self._dispatcher.results, self._chosen()
        made = None if chosen is None else results.get(chosen.unique_id)
        if made is not None and made.task is self._task:
            return chosen
        is_saved = chosen is not None and OTHER_IMAGES in chosen.metadata
        if is_saved and method_of(chosen, results) == self._task.method.name:
            return chosen
        own = [one for one in newest_first(results) if one.task is self._task]
        return find(self._dispatcher.viewer, own[0].layers[0].unique_id) if own else None

    def layer_with_settings(self) -> tuple[Layer, Any] | None:
        """Return the selected layer, or else `target`, with its settings; None without settings.

        A preview has settings but no fit.
        """
        selected = self._dispatcher.viewer.layers.selection.active
        for layer in (selected, self.target()):
            if layer is not None:
                config = settings_of(layer, self._task, self._dispatcher.results)
                if config is not None:
                    return layer, config
        return None

    def _on_selected(self, event: Any = None) -> None:
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show and enable the buttons that apply."""
        layer, found = self.target(), self.layer_with_settings()
        shows = self.show_button.refresh()
        self.setVisible(layer is not None or found is not None or shows)
        for button, tip in self._buttons:
            button.setVisible(layer is not None)
            button.setToolTip("" if layer is None else tip.format(layer.name))
        self.settings_button.setVisible(found is not None)
        if found is not None:
            tip = dict(self._buttons)[self.settings_button]
            self.settings_button.setToolTip(tip.format(found[0].name))
        if layer is not None:
            why = self._why_not_more(layer)
            self.more_button.setEnabled(not why)
            if why:
                self.more_button.setToolTip(why)
            doubt = why_no_doubt(self._dispatcher.results.get(layer.unique_id))
            self.doubt_button.setEnabled(not doubt)
            if doubt:
                self.doubt_button.setToolTip(doubt)

    @Slot()
    def show_doubt(self) -> None:
        """Show or hide where the result is not to be trusted."""
        layer = self.target()
        if layer is None:
            return
        with self._dispatcher.controller.errors_shown():
            self._dispatcher.show_doubt(layer)

    @Slot()
    def swipe(self) -> None:
        """Show the source beside the result with a swipe line, or end that."""
        layer = self.target()
        if layer is not None:
            image = self._image_of(layer)
            other = None if image is None else image.unique_id
            self._dispatcher.before_after.toggle("swipe", (layer.unique_id, other))

    @Slot()
    def use_settings(self) -> None:
        """Copy the settings of a result into the form."""
        found = self.layer_with_settings()
        if found is not None:
            layer, config = found
            self._use(config)
            text = f"The form shows the settings of “{layer.name}”."
            self._dispatcher.controller.said.emit("info", text)

    @Slot()
    def save_fit(self) -> None:
        """Ask for a file, and save the fit in it."""
        layer = self.target()
        if layer is None:
            return
        usual = f"{file_name(str(layer.name))}{FITTED_SUFFIX}"
        filters = f"Saved fit (*{FITTED_SUFFIX})"
        name, _ = QFileDialog.getSaveFileName(self, "Save fit", usual, filters)
        if not name:
            return
        with self._dispatcher.controller.errors_shown():
            path = chosen_file(name, (FITTED_SUFFIX,))
            self._dispatcher.save(layer, path, overwrite=True)  # the dialog has asked

    @Slot()
    def more_steps(self) -> None:
        """Ask for the number of steps, and continue the fit."""
        layer = self.target()
        image = None if layer is None else self._image_of(layer)
        if layer is None or image is None:
            return
        steps, agreed = QInputDialog.getInt(
            self, "More steps", f"Number of steps to add to “{layer.name}”", 100, 1, MOST_STEPS
        )
        if not agreed:
            return
        with self._dispatcher.controller.errors_shown():
            config = self._task.config_type(steps=steps)
            self._dispatcher.fit(
                self._task, image, config, start=StartLayer("continue_from", layer)
            )

    def _why_not_more(self, layer: ImageLayer) -> str:
        """Return why a fit cannot be continued; an empty text if it can."""
        made = self._dispatcher.results.get(layer.unique_id)
        why = "" if made is None else why_not(made.fitted)
        if why or self._image_of(layer) is not None:
            return f"{why[:1].upper()}{why[1:]}"
        return "To continue this fit, open the image that was fitted; its layer needs its name."

    def _image_of(self, layer: ImageLayer) -> ImageLayer | None:
        """Return the layer of the image that was fitted, or None if it is not in the viewer."""
        dispatcher = self._dispatcher
        made = dispatcher.results.get(layer.unique_id)
        if made is not None:
            return find(dispatcher.viewer, made.source.unique_id)
        name = layer.metadata.get(FITTED_IMAGE)
        images = (other for other in dispatcher.viewer.layers if isinstance(other, ImageLayer))
        return next((image for image in images if image.name == name), None)

    @Slot()
    def render_again(self) -> None:
        """Open the form *Render again* in its own window; the viewer stays usable."""
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
