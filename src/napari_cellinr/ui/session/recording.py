"""Records the actions of a viewer, and files and names that napari itself changes."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, WeakSet

from qtpy.QtCore import QObject, QTimer, Signal, Slot

from napari_cellinr.macro import FITS, Recorder, Step, fit_step
from napari_cellinr.ui.compare.before_after import BeforeAfter
from napari_cellinr.ui.history.runs import RunHistory
from napari_cellinr.ui.layers.convert import has_layer, named
from napari_cellinr.ui.layers.provenance import IMAGE_OF_FIT, origin_of
from napari_cellinr.ui.session.actions import Request, name_of, opened_steps, source_of
from napari_cellinr.ui.session.calibrations import Calibrations
from napari_cellinr.ui.session.offers import Offers
from napari_cellinr.ui.session.queue import Queue
from napari_cellinr.ui.session.work.motion import hide_older_motion, note_motion
from napari_cellinr.ui.session.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.ui.layers.provenance import Origin, Result
    from napari_cellinr.ui.session.controller import Controller, Work
    from napari_cellinr.ui.task import Task

__all__ = ["Recording", "Requests", "note_saved"]

_recordings: WeakSet[Recording] = WeakSet()


def note_saved(path: str, data: Any, name: str) -> None:
    """Record in every viewer with this layer that napari itself has saved it.

    napari passes the data of layers to its writers, not the layers.

    Parameters
    ----------
    path
        The file.
    data
        Data of the layer.
    name
        Its name.
    """
    for recording in tuple(_recordings):
        recording.note_saved(path, data, name)


class Recording(QObject):
    """The recorder of one viewer, which also notices what napari itself opens and renames.

    Parameters
    ----------
    viewer
        The viewer.
    on_change
        Called whenever the macro has changed.
    """

    def __init__(self, viewer: napari.Viewer, on_change: Callable[[], None]) -> None:
        super().__init__()
        self.recorder = Recorder(on_change)
        self._viewer = viewer
        self._names: dict[Hashable, str] = {}
        self._opened: list[Layer] = []
        _recordings.add(self)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self.follow_names()

    def record(self, step: Step, request: Request | None = None) -> None:
        """Add a step, after the files that were opened before it.

        Parameters
        ----------
        step
            The step.
        request
            Its request, which says whether it is recorded.
        """
        self._record_opened()
        if request is None or request.recorded:
            self.recorder.record(step)

    def record_failure(self, request: Request | None, reason: str) -> None:
        """Add the step of a request as one that failed.

        Parameters
        ----------
        request
            The request.
        reason
            Why it failed.
        """
        if request is not None and request.attempt is not None:
            self.record(replace(request.attempt, status="failed", note=reason), request)

    def note_saved(self, path: str, data: Any, name: str) -> None:
        """Record that a layer was saved, if this viewer has a layer with these data and name.

        Parameters
        ----------
        path, data, name
            As for the function `note_saved`.
        """
        for layer in self._viewer.layers:
            # napari may pass proxies of layers, and of multiscale data.
            held = getattr(layer.data, "__wrapped__", layer.data)
            if layer.name == name and held is getattr(data, "__wrapped__", data):
                self.record(Step("save", (source_of(layer),), {"path": path}))

    def follow_names(self) -> None:
        """Tell the recorder about layers that were renamed."""
        layers = {layer.unique_id: layer for layer in self._viewer.layers}
        for key, layer in layers.items():
            name = str(layer.name)
            old = self._names.get(key, name)
            if old != name and not old.endswith("(running)"):
                self.recorder.renamed(old, name, known_by_name=IMAGE_OF_FIT in layer.metadata)
        self._names = {key: str(layer.name) for key, layer in layers.items()}

    def _on_inserted(self, event: Any) -> None:
        """Record files that napari has opened with the reader of this plugin."""
        source = getattr(event.value, "source", None)
        if source is None or source.path is None or source.reader_plugin != "napari-cellinr":
            return
        if not self._opened:
            QTimer.singleShot(0, self._record_opened)
        self._opened.append(event.value)

    @Slot()
    def _record_opened(self) -> None:
        opened, self._opened = self._opened, []
        for step in opened_steps(opened):
            self.recorder.record(step)


class Requests(QObject):
    """Carries out the requests for actions of one viewer, and records them as steps.

    Signals
    -------
    recorded
        The macro has changed.
    """

    recorded = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.queue = Queue(controller)
        self.results: dict[Hashable, Result] = {}
        self.written = Written(controller.viewer)
        self._recording = Recording(controller.viewer, self.recorded.emit)
        self.recorder = self._recording.recorder
        self.calibrations = Calibrations(controller, self.recorder)
        self._records = True
        self._references: list[object] = []
        controller.finished.connect(self._on_finished)
        controller.failed.connect(self._on_failed)
        controller.layers_changed.connect(self._on_layers)
        self.before_after = BeforeAfter(self)
        self.history = RunHistory(controller)
        self.offers = Offers(self)
        self._forms: list[WeakMethod[Callable[[Task, Config], bool]]] = []

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer."""
        return self.controller.viewer

    @property
    def is_busy(self) -> bool:
        """Whether an action runs or waits."""
        return self.queue.is_busy

    @contextmanager
    def unrecorded(self) -> Iterator[None]:
        """Do not record the actions that are requested within the context."""
        self._records = False
        try:
            yield
        finally:
            self._records = True

    def add_form(self, show: Callable[[Task, Config], bool]) -> None:
        """Note a method that shows settings in a form, and returns whether it is of their task."""
        self._forms.append(WeakMethod(show))

    def show_settings(self, task: Task, config: Config) -> None:
        """Show settings in the dock of their task, which is opened if it is not there.

        Parameters
        ----------
        task
            The task.
        config
            The settings.
        """
        shown = False
        for held in self._forms:
            show = held()
            with suppress(RuntimeError):  # a Qt dock that is deleted
                shown = (show is not None and show(task, config)) or shown
        if not shown:
            self.viewer.window.add_plugin_dock_widget("napari-cellinr", task.title)
            self.show_settings(task, config)

    def keep(self, thing: object) -> None:
        """Keep a reference to an object for as long as the viewer exists."""
        self._references.append(thing)

    def _find(self, layer: Layer | str) -> ImageLayer:
        if isinstance(layer, str) and not has_layer(self.viewer, layer):
            self.offers.show_named(layer)
        return named(self.viewer, layer)

    def _opened(self, layers: list[Layer]) -> list[Layer]:
        if self._records:
            for step in opened_steps(layers):
                self.recorder.record(step)
        return layers

    def _submit(
        self,
        what: str,
        layer: Layer | str,
        carry_out: Callable[[], Work | None],
        attempt: Step | None = None,
    ) -> None:
        title = f"{what} of {name_of(layer)}"
        self.queue.submit(Request(title, carry_out, self._records, attempt, layer))

    @Slot(object)
    def _on_finished(self, result: Result) -> None:
        if result.quick:
            return
        result = self.offers.with_names(result)
        self.results.update({layer.unique_id: result for layer in result.layers})
        note_motion(result)
        hide_older_motion(self.viewer, result)
        if result.task.name not in FITS:
            return
        self._record(
            fit_step(
                result.task.name,
                source_of(result.source),
                result.config,
                result.fitted,
                (*(str(one.name) for one in (*result.layers, *result.offers)),),
                self.controller.confirmed_axes.get(result.source.unique_id, ""),
                (*result.roles, *result.offered_roles),
                result.initial,
            )
        )

    @Slot(str)
    def _on_failed(self, reason: str) -> None:
        if reason:
            self._recording.record_failure(self.queue.request, reason)

    def _record(self, step: Step) -> None:
        self._recording.record(step, self.queue.request)

    def _origin(self, layer: ImageLayer) -> Origin:
        return origin_of(self.controller, layer, self.results)

    @Slot()
    def _on_layers(self) -> None:
        """Forget the results of removed layers, and follow names."""
        self._recording.follow_names()
        there = {layer.unique_id for layer in self.viewer.layers}
        self.results = {key: result for key, result in self.results.items() if key in there}
        self.queue.drop_what_lost_its_layer(there)
