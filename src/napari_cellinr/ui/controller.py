"""The job of one viewer: docks and console are views of it, so that there is one at a time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from weakref import WeakValueDictionary

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QCoreApplication, QObject, Signal, Slot

from napari_cellinr.errors import FitError
from napari_cellinr.ui.activity import ActivityBar
from napari_cellinr.ui.layers import find, to_image
from napari_cellinr.ui.live import LiveLayer
from napari_cellinr.ui.results import add_shown
from napari_cellinr.ui.worker import Ending, Run

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.config import Config
    from napari_cellinr.fit import Fitted, Job, PreviewRequest, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.ui.tasks import Task

__all__ = ["Controller", "State", "controller_of"]

logger = logging.getLogger(__name__)

State: TypeAlias = Literal["idle", "running", "paused", "stopping"]

_NOTIFY: Final = {"info": show_info, "warning": show_warning, "error": show_error}

_controllers: WeakValueDictionary[int, Controller] = WeakValueDictionary()


def controller_of(viewer: napari.Viewer) -> Controller:
    """Return the controller of a viewer, whether the viewer itself or a proxy is given.

    Docks and console hold it; it lives as long as one of them does.
    """
    # A plugin gets the viewer or a proxy of it depending on how its dock was opened.
    key = id(getattr(viewer, "__wrapped__", viewer))
    controller = _controllers.get(key)
    if controller is None:
        controller = _controllers[key] = Controller(viewer)
    return controller


class Controller(QObject):
    """The one job of a viewer, from layer to layer.

    If the source layer is removed while the job runs, the job is cancelled and its result
    dropped: the user has put the data away. If the viewer is closed, the job ends likewise.

    Signals
    -------
    state_changed
        One of `idle`, `running`, `paused`, `stopping`.
    progressed
        `Progress` of the running job.
    said
        What the user should know: kind (`info`, `warning`, `error`) and text.
    layers_changed
        A layer was added, removed, moved or renamed.
    finished
        `Fitted`, the result layer, once it is in the viewer, and the source layer.
    """

    state_changed = Signal(str)
    progressed = Signal(object)
    said = Signal(str, str)
    layers_changed = Signal()
    finished = Signal(object, object, object)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.state: State = "idle"
        self.history: list[Progress] = []
        self.confirmed_axes: dict[Hashable, str] = {}
        self._run: Run | None = None
        self._task: Task | None = None
        self._live: LiveLayer | None = None
        self._quick_looks: dict[tuple[Hashable, str], LiveLayer] = {}
        self._source_id: Hashable | None = None
        self._bar: ActivityBar | None = None
        self._is_quick_look = False
        self._cancelled = False
        self._last_request: PreviewRequest | None = None
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(self._on_layers)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._on_quit)

    def image_of(self, layer: ImageLayer) -> Image:
        """Return the layer as an Image, its axes as the user has confirmed them.

        Raises
        ------
        AxesError
            If the axes are ambiguous and were not confirmed.
        """
        return to_image(layer, self.confirmed_axes.get(layer.unique_id, ""))

    def start(self, task: Task, layer: ImageLayer, config: Config) -> None:
        """Do the task with the layer; the result appears beside it.

        Raises
        ------
        AxesError
            If the layer cannot be worked on as it is.
        FitError
            If a job is running in this viewer already.
        """
        given = self.image_of(layer)
        live = self._new_live(task, layer, given, config, task.suffix)
        self._begin(task, layer, given, config, live, f"{task.noun} of {layer.name}")

    def quick_look(self, task: Task, layer: ImageLayer, config: Config) -> None:
        """Do the task with what the canvas shows of the layer.

        A later quick look replaces this one.

        Raises
        ------
        AxesError, FitError
            As for `start`.
        """
        given = self.image_of(layer)
        part = given.crop(**task.part(self.viewer, layer, given))
        key = (layer.unique_id, f"{task.name} {task.own_contrast(config)}")
        live = self._quick_looks.get(key) or self._new_live(task, layer, given, config, "preview")
        self._begin(task, layer, part, config, live, f"preview of {layer.name}", quick_look=True)
        self._quick_looks[key] = live

    @Slot()
    def toggle_pause(self) -> None:
        """Pause a running job, or let a paused one go on."""
        if self._run is None or self.state not in {"running", "paused"}:
            return
        if self.state == "running":
            self._run.pause()
            self._set_state("paused")
        else:
            self._run.resume()
            self._set_state("running")

    @Slot()
    def stop(self) -> None:
        """End the job and keep what it has."""
        if self._run is not None:
            self._run.stop()
            self._set_state("stopping")

    @Slot()
    def cancel(self) -> None:
        """End the job and drop what it has."""
        if self._run is not None:
            self._cancelled = True
            self._run.cancel()
            self._set_state("stopping")

    def say(self, kind: str, text: str) -> None:
        """Tell the user, in every dock and as one notification."""
        self.said.emit(kind, text)
        _NOTIFY[kind](text)

    def _new_live(
        self, task: Task, layer: ImageLayer, given: Image, config: Config, suffix: str
    ) -> LiveLayer:
        return LiveLayer(
            self.viewer,
            layer.unique_id,
            given,
            f"{layer.name} {suffix}",
            from_data=task.own_contrast(config),
        )

    def _begin(
        self,
        task: Task,
        layer: ImageLayer,
        image: Image,
        config: Config,
        live: LiveLayer,
        title: str,
        *,
        quick_look: bool = False,
    ) -> None:
        if self._run is not None:
            raise FitError("a job is running in this viewer; stop it or wait for its end.")
        self._task, self._live, self._source_id = task, live, layer.unique_id
        self._is_quick_look, self._cancelled = quick_look, False
        self._last_request = None
        self.history = []
        self._bar = ActivityBar()
        self._run = Run(_job(task, image, config), title)
        self._run.progressed.connect(self._on_progress)
        self._run.previewed.connect(self._on_preview)
        self._run.ended.connect(self._on_end)
        self._run.start()
        self._set_state("running")
        self.said.emit("info", f"{title[0].upper()}{title[1:]} …")

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit(state)

    @Slot(object)
    def _on_progress(self, progress: Progress) -> None:
        if self._run is None:
            return
        if not self.history or progress.step != self.history[-1].step:
            self.history.append(progress)
        self.progressed.emit(progress)
        self._ask_for_preview()
        if self._bar is not None and self.state != "paused":
            self._bar.show(progress)  # last: it runs the event loop

    def _ask_for_preview(self) -> None:
        if self._run is None or self._live is None or self._is_quick_look:
            return
        if self.state == "stopping" or not self._run.wants_preview():
            return
        request = self._live.request()
        if request is None or (self.state == "paused" and request == self._last_request):
            return
        self._last_request = request
        self._run.request_preview(request)

    @Slot(object, object)
    def _on_preview(self, image: Image, index: Mapping[str, int]) -> None:
        if self._live is not None and self._run is not None and not self._cancelled:
            self._live.show(image, index)

    @Slot(object)
    def _on_end(self, ending: Ending) -> None:
        live, self._live, self._run = self._live, None, None
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if ending.fitted is not None and live is not None:
            self._show_result(live, ending.fitted)
        else:
            self._show_failure(live, ending)
        self._set_state("idle")

    def _show_result(self, live: LiveLayer, fitted: Fitted) -> None:
        assert self._task is not None
        source = find(self.viewer, self._source_id)
        first, *others = self._task.layers(fitted)
        layer = live.finish(_with_provenance(first.image, fitted), first.settings)
        if source is None or layer is None:
            self.say("warning", "The source layer is gone, so the result was dropped.")
            return
        if not self._is_quick_look:
            for shown in others:
                name = shown.name or shown.image.name
                add_shown(self.viewer, source, self.image_of(source), shown, name)
        warnings = [str(warning) for warning in fitted.report.get("warnings", ())]
        kind = "warning" if warnings else "info"
        sentences = [_summary(fitted, layer.name), *warnings]
        text = " ".join(f"{one[0].upper()}{one[1:].rstrip('.')}." for one in sentences if one)
        if self._is_quick_look:
            self.said.emit(kind, text)
        else:
            self.say(kind, text)
        self.finished.emit(fitted, layer, source)

    def _show_failure(self, live: LiveLayer | None, ending: Ending) -> None:
        # Without an error or our own cancel the viewer is closing: its layers are let alone.
        if live is not None and not self._is_quick_look and (ending.error or self._cancelled):
            live.remove()
        if ending.error is not None:
            self.say("error", str(ending.error))
        elif self._cancelled and find(self.viewer, self._source_id) is not None:
            self.said.emit("info", "Cancelled; nothing was changed.")

    def _on_layers(self, event: Any = None) -> None:
        gone = self._run is not None and find(self.viewer, self._source_id) is None
        if gone and not self._cancelled:
            self.cancel()
            # No notification: a viewer that is closed removes its layers too.
            self.said.emit("warning", "The source layer was removed, so its run is cancelled.")
        self.layers_changed.emit()

    @Slot()
    def _on_quit(self) -> None:
        if self._run is not None:
            self._run.abandon()
            self._run.wait()


def _job(task: Task, image: Image, config: Config) -> Any:
    """Return a function that makes the job, for the worker thread: it imports torch."""
    started = time.monotonic()

    def make() -> Job:
        from napari_cellinr import api

        job: Job = getattr(api, task.job)(image, config, started=started)
        return job

    return make


def _with_provenance(image: Image, fitted: Fitted) -> Image:
    """Return the result with the report of the fit among its metadata."""
    return image.like(image.data, meta={**image.meta, "napari-cellinr": dict(fitted.report)})


def _summary(fitted: Fitted, name: str) -> str:
    """Return one sentence about a finished fit."""
    ends = {
        "converged": "converged",
        "steps": "all steps done",
        "time": "ended by its time limit",
        "user": "stopped by you",
    }
    report = fitted.report
    seconds = report.get("seconds")
    took = "" if seconds is None else f" after {seconds:.0f} s"
    return f"Layer “{name}” is ready: {ends[fitted.stopped]}{took}"
