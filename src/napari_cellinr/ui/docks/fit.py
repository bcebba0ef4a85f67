"""The dock of a method: source, settings, preview, run, progress and results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from qtpy.QtCore import Qt, QTimer, Slot
from qtpy.QtWidgets import (
    QApplication,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.errors import AxesError, CellINRError, ConfigError
from napari_cellinr.io import FITTED_SUFFIX
from napari_cellinr.runs.estimates import cost
from napari_cellinr.ui.layers.convert import find, why_no_image
from napari_cellinr.ui.layers.numbered import OpeningCancelledError
from napari_cellinr.ui.layers.opening import can_open, is_series
from napari_cellinr.ui.panels.fit.fit_buttons import FitButtons
from napari_cellinr.ui.panels.region import RegionChoice
from napari_cellinr.ui.panels.resume import ResumeOffer
from napari_cellinr.ui.panels.run import RunPanel
from napari_cellinr.ui.panels.source import SourcePanel
from napari_cellinr.ui.panels.start import StartChoice
from napari_cellinr.ui.panels.welcome import Welcome
from napari_cellinr.ui.parts.choice import PartsChoice
from napari_cellinr.ui.preferences import preferences
from napari_cellinr.ui.session.checks import memory_warning
from napari_cellinr.ui.session.console import console_of
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.session.job.devices import device_list
from napari_cellinr.ui.widgets.fields import ChoiceField
from napari_cellinr.ui.widgets.forms import ConfigForm
from napari_cellinr.ui.widgets.scrolled import scroll_area
from napari_cellinr.ui.widgets.tab_order import tab_as_seen
from napari_cellinr.ui.widgets.tabs import MINIMUM_WIDTH, TabbedDock

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent

    from napari_cellinr.config import Config
    from napari_cellinr.image import Image
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.ui.layers.provenance import Result
    from napari_cellinr.ui.task import Task

__all__ = ["FitDock"]

SETTINGS_HEIGHT: Final = 120
"""Smallest height of the settings in pixels: the tools of a result scroll instead."""


class FitDock(TabbedDock):
    """Shows the running job of a viewer and the settings for the next one.

    All docks of a viewer show the same job. Images and saved fits can be dropped on the dock. The
    dock of each method is a subclass with its `Task`.

    Parameters
    ----------
    napari_viewer
        The viewer; napari passes it because of the name of the parameter.
    """

    task: ClassVar[Task]

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        task = self.task
        self.dispatcher = dispatcher_of(napari_viewer)
        self.controller = self.dispatcher.controller
        self.welcome = Welcome(task)
        self.offer = ResumeOffer(task)
        self.source = SourcePanel(self.dispatcher, task.method.name)
        self.region = RegionChoice(self.dispatcher)
        section = task.section() if task.section else None
        self.form = ConfigForm(task.config_type, section=section)
        self.start_choice = StartChoice(self.dispatcher, task)
        self.parts = PartsChoice(task)
        self.form.advanced.addWidget(self.parts.row)
        self.panel = RunPanel(self.dispatcher, task)
        self.below = task.panel(self.controller) if task.panel else None
        self.fit_actions = FitButtons(self.dispatcher, task, self.source.layer, self.use_settings)
        self._lay_out()
        self._prefer()
        self.setAcceptDrops(True)
        self.welcome.requested.connect(self.try_it)
        self.offer.accepted.connect(self._resume)
        self.offer.look()
        self.controller.failed.connect(self.offer.look)
        self.controller.finished.connect(self.offer.look_again)
        self.source.changed.connect(self._on_source)
        self.form.changed.connect(self._allow)
        self.region.changed.connect(self._on_region)
        self.parts.changed.connect(self._allow)
        self.controller.state_changed.connect(self._allow)
        self.panel.run_button.clicked.connect(self.run)
        self.panel.preview_button.clicked.connect(self.preview)
        self.controller.finished.connect(self._on_finished)
        self._result_id: Hashable | None = None
        self.controller.layers_changed.connect(self._on_layers)
        self.controller.state_changed.connect(self.keep_on_screen)
        self._console = console_of(napari_viewer)
        self.dispatcher.add_form(self.show_settings)
        device_list().updated.connect(self._show_devices)
        self._show_devices()
        self._on_source()

    @Slot()
    def run(self) -> None:
        """Process the selected layer."""
        self._start(quick_look=False)

    @Slot()
    def preview(self) -> None:
        """Preview the visible part of the selected layer."""
        self._start(quick_look=True)

    @Slot()
    def try_it(self) -> None:
        """Open the sample of the task and preview its result."""
        layers = self.controller.viewer.open_sample("napari-cellinr", self.task.sample)
        if layers:
            self.source.choose(layers[-1].unique_id)
            self.preview()

    def use_settings(self, config: Config) -> None:
        """Show settings in the form, such as those of a result."""
        self.form.set_config(config)
        self._allow()

    def show_settings(self, task: Task, config: Config) -> bool:
        """Show settings in the form if they are of this task; return whether they are.

        Parameters
        ----------
        task
            The task of the settings.
        config
            The settings.
        """
        if task is not self.task:
            return False
        self.use_settings(config)
        return True

    @Slot(object)
    def _resume(self, job: Unfinished) -> None:
        with self.controller.errors_shown():
            self.dispatcher.resume(self.task, job)

    def open(self, paths: list[Path]) -> None:
        """Add the images of files as layers and select the last one that can be processed."""
        layers: list[Layer] = []
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            for group in [paths] if is_series(paths) else [[path] for path in paths]:
                layers += self.dispatcher.open(group, together=True)
        except OpeningCancelledError as error:
            self.controller.said.emit("info", str(error))
        except CellINRError as error:
            self.controller.say("error", str(error))
        finally:
            QApplication.restoreOverrideCursor()
        visible = [layer for layer in layers if layer.visible]  # not the background of a saved fit
        for layer in reversed(visible):
            if self.source.choose(layer.unique_id):
                self.controller.viewer.layers.selection.active = layer
                break

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Look for the devices once the dock is shown."""
        super().showEvent(event)
        QTimer.singleShot(500, device_list().load)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept files that can be read."""
        if _paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open the dropped files."""
        event.acceptProposedAction()
        self.open(_paths(event))

    def _lay_out(self) -> None:
        settings = QWidget()
        settings.setMinimumWidth(200)
        inner = QVBoxLayout(settings)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.setSpacing(10)
        inner.addWidget(self.offer)
        inner.addWidget(self.welcome)
        inner.addWidget(self.source)
        inner.addWidget(self.region)
        inner.addWidget(self.form)
        inner.addWidget(self.start_choice)
        inner.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(8)
        area = scroll_area(settings)
        area.setMinimumHeight(SETTINGS_HEIGHT)
        layout.addWidget(area, 1)
        layout.addWidget(self.parts)
        layout.addWidget(self.panel)
        self.panel.add_below(self.fit_actions)
        if self.below is not None:
            self.below.hide()
            self.panel.add_below(self.below)
        self.setMinimumWidth(MINIMUM_WIDTH)
        tab_as_seen(self)

    def _prefer(self) -> None:
        """Select the device of the preferences, if the method can use it."""
        config_type = self.task.config_type
        device = preferences().device
        if device in config_type.choices("device"):
            self.form.field("device").set_value(device)

    def _start(self, *, quick_look: bool) -> None:
        layer = self.source.layer()
        if layer is None:
            return
        with self.controller.errors_shown():
            config = self.form.config()
            region = self.region.ranges() if self.task.regions else None
            if quick_look:
                self.dispatcher.quick_look(self.task, layer, self.task.quick(config), region)
                return
            parts = self._parts_of(layer, config)
            if parts is None:
                return
            if region is not None:
                ends = {axis: (part.start, part.stop) for axis, part in region.items()}
                layer = self.dispatcher.region(layer, ends)
            start = self.start_choice.start()
            self.dispatcher.fit(self.task, layer, config, start=start, parts=parts)

    def _parts_of(self, layer: ImageLayer, config: Config) -> str | None:
        """Return where a run in parts is written, empty for the whole; None if cancelled."""
        self.parts.consider(layer, self._part(self.controller.image_of(layer)), config)
        if self.parts.fault:
            raise ConfigError(self.parts.fault)
        if not self.parts.applies:
            return ""
        place = self.parts.place()
        return None if place is None else str(place)

    @Slot()
    def _on_source(self) -> None:
        self.welcome.explain(why_no_image(self.controller.viewer))
        self.welcome.setVisible(self.source.layer_id is None)
        self.source.setVisible(self.source.layer_id is not None)
        self.region.setVisible(self.task.regions and self.source.layer_id is not None)
        self.region.show_image(self.source.layer(), self.source.image())
        self._show_part()
        self.fit_actions.refresh()
        self.panel.show_source(self.source.layer_id)
        self._allow()

    @Slot()
    def _on_region(self) -> None:
        self._show_part()
        self._allow()

    def _show_part(self) -> None:
        """Show the settings what a run would process: they state its size."""
        image = self.source.image()
        if self.form.section is not None:
            self.form.section.show_image(None if image is None else self._part(image))

    @Slot()
    def _allow(self) -> None:
        """Enable Run and Preview if layer and settings are valid, and show errors and advice."""
        image = self.source.image()
        try:
            config = self.form.config()
        except ConfigError:
            self.panel.allow(False)
            self.parts.hide()
            return
        faults: Mapping[str, str]
        if image is None:
            faults, advice, estimate = {}, "", None
            self.parts.hide()
        else:
            faults = self.task.check(config, image)
            part = self._part(image)
            self.parts.consider(self.source.layer(), part, config)
            in_parts = self.parts.applies
            estimate = None if in_parts else cost(self.task.method, part, config)
            memory = "" if in_parts else memory_warning(self.task.method, part, config)
            advice = " ".join(filter(None, [self.task.advise(config, image), memory]))
        self.form.explain(faults)
        self.source.explain(faults)
        self.panel.allow(image is not None and not faults)
        self.panel.advise(advice)
        self.panel.estimate(estimate)

    def _part(self, image: Image) -> Image:
        """Return the part of an image that a run would process."""
        try:
            region = self.region.ranges() if self.task.regions else None
        except AxesError:  # said when it is used: the user may still be drawing
            region = None
        return image if region is None else image.crop(**region)

    @Slot(object)
    def _on_finished(self, result: Result) -> None:
        # A preview is a fit of a part: its times and positions are not those of the image.
        if self.below is not None and result.task is self.task and not result.quick:
            self.below.show_result(result.fitted, result.layers[0], result.source)
            self.below.show()
            self._result_id = result.layers[0].unique_id

    @Slot()
    def _on_layers(self) -> None:
        """Hide the tools of a result that was removed."""
        if self.below is None or self._result_id is None:
            return
        if find(self.controller.viewer, self._result_id) is None:
            self._result_id = None
            self.below.setVisible(self.below.has_another())

    @Slot()
    def _show_devices(self) -> None:
        field = self.form.field("device")
        if isinstance(field, ChoiceField):
            field.offer(device_list().several)
            field.disable(device_list().reasons)
        self._allow()


def _paths(event: QDropEvent) -> list[Path]:
    """Return the dropped files that can be read: images, folders of them, and saved fits."""
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix == FITTED_SUFFIX or can_open(path)]
