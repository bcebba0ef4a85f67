"""The job of one viewer, shared by its docks and the console: one job runs at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from weakref import WeakValueDictionary

from napari.utils.notifications import show_error, show_info, show_warning
from qtpy.QtCore import QCoreApplication, QObject, Signal, Slot

from napari_cellinr.errors import CellINRError, FitError
from napari_cellinr.ui.layers.convert import find, to_image
from napari_cellinr.ui.preferences import preferences
from napari_cellinr.ui.session.job.activity import ActivityBar
from napari_cellinr.ui.session.job.worker import Ending, Run
from napari_cellinr.ui.session.placements import set_axes
from napari_cellinr.ui.widgets.labels import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterator, Mapping

    import napari
    from napari.layers import Image as ImageLayer

    from napari_cellinr.fitting.problem import Job, Message, PreviewRequest, Progress
    from napari_cellinr.image import Image
    from napari_cellinr.ui.layers.live import LiveLayer
    from napari_cellinr.ui.parts.layer import PartsLayer

__all__ = ["Controller", "State", "Work", "background_job", "controller_of"]


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


@dataclass(frozen=True)
class Work:
    """A job for the controller.

    Parameters
    ----------
    title
        Name for users, such as “denoising of embryo”.
    make_job
        Called in the worker thread, so that slow imports do not block the viewer.
    done
        Called in the main thread with the result of the job.
    source_id
        The layer that is worked on; if it is removed, the job is cancelled.
    live
        The layer that shows previews while the job runs.
    quick
        Whether the job is too short for previews and notifications.
    task
        Name of the task of a fit; empty for other work.
    dropped
        Called if the user has cancelled the job, to delete its checkpoint; not if its layer was
        removed or the viewer closed.
    kept
        Returns what is said if the user has cancelled a job that may leave something; an empty
        text if nothing was changed.
    """

    title: str
    make_job: Callable[[], Job]
    done: Callable[[Any], None]
    source_id: Hashable | None = None
    live: LiveLayer | PartsLayer | None = None
    quick: bool = False
    dropped: Callable[[], None] | None = None
    task: str = ""
    kept: Callable[[], str] | None = None


def background_job(stage: str, work: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that makes a job of work that has no steps.

    Parameters
    ----------
    stage
        Caption of the progress, such as `rendering`.
    work
        Called in a thread of its own; what it returns is the result of the job. A stop discards
        it.
    """

    def job() -> Generator[Progress, Message, Any]:
        from napari_cellinr.fitting.background import in_background
        from napari_cellinr.fitting.monitor import Monitor

        return in_background(stage, work, Monitor())

    return job


class Controller(QObject):
    """The one job of a viewer, from start to end.

    If the source layer is removed while the job runs, the job is cancelled and its result
    discarded; likewise if the viewer is closed. The checkpoint is deleted only if the user cancels
    the job.

    Signals
    -------
    state_changed
        One of `idle`, `running`, `paused`, `stopping`.
    progressed
        `Progress` of the running job.
    said
        A message for the user: kind (`info`, `warning`, `error`) and text.
    outdated
        The text of a message that no longer holds, and is removed where it is still shown.
    layers_changed
        A layer was added, removed, moved or renamed.
    finished
        `fits.Result`, once it is in the viewer.
    failed
        Why a job has ended without a result; empty if it was cancelled.
    """

    state_changed = Signal(str)
    progressed = Signal(object)
    said = Signal(str, str)
    outdated = Signal(str)
    layers_changed = Signal()
    finished = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self.state: State = "idle"
        self.work: Work | None = None
        self.latest: Work | None = None  # the one that runs, or that ran last
        self.history: list[Progress] = []
        self.confirmed_axes: dict[Hashable, str] = {}
        self.quick_looks: dict[Hashable, LiveLayer] = {}
        self._run: Run | None = None
        self._bar: ActivityBar | None = None
        self._cancelled = self._drops = self._stopped = self._has_warned = False
        self._preview_seconds: float | None = None
        self._last_request: PreviewRequest | None = None
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(self._on_layers)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._on_quit)

    def image_of(self, layer: ImageLayer) -> Image:
        """Return the layer as an Image, with the axes that the user has confirmed.

        Raises
        ------
        AxesError
            If the axes are ambiguous and were not confirmed.
        """
        return to_image(layer, self.confirmed_axes.get(layer.unique_id, ""))

    def confirm_axes(self, layer: ImageLayer, axes: str) -> None:
        """Store the axes that the user has confirmed, in the layer as well.

        Results, other docks and the writers of napari read them from the layer.

        Parameters
        ----------
        layer
            An image layer of the viewer.
        axes
            One letter per dimension, such as `TZYX`.

        Raises
        ------
        AxesError
            If an image cannot have these axes, or their number differs from that of the dimensions.
        """
        set_axes(layer, axes)
        # Last: docks discard the confirmed axes whenever the axis labels change.
        self.confirmed_axes[layer.unique_id] = axes

    def hide_quick_looks(self, source_id: Hashable) -> None:
        """Hide the quick previews of a layer, which would cover the result of its fit."""
        for live in self.quick_looks.values():
            if live.source_id == source_id:
                live.hide()

    def begin(self, work: Work) -> None:
        """Start a job.

        Raises
        ------
        FitError
            If a job is running in this viewer already.
        """
        if self._run is not None:
            raise FitError("a job is running in this viewer; stop it, or wait until it ends.")
        self.work = self.latest = work
        self._last_request = None
        self._cancelled = self._drops = self._stopped = self._has_warned = False
        self.history = []
        page = preferences()
        self._preview_seconds = page.preview_seconds if page.live_preview else None
        self._bar = ActivityBar()
        self._run = Run(work.make_job, work.title)
        self._run.progressed.connect(self._on_progress)
        self._run.previewed.connect(self._on_preview)
        self._run.ended.connect(self._on_end)
        self._run.start()
        self._set_state("running")
        self.said.emit("info", f"{work.title[0].upper()}{work.title[1:]} …")

    @Slot()
    def toggle_pause(self) -> None:
        """Pause a running job, or resume a paused one."""
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
        """End the job and use its result so far."""
        if self._run is not None:
            self._stopped = True
            self._run.stop()
            self._set_state("stopping")

    @Slot()
    def cancel(self) -> None:
        """End the job; discard its result and its checkpoint."""
        if self._run is not None:
            self._drops = True
            self._give_up()

    def _give_up(self) -> None:
        """End the job without a result; its checkpoint stays, so that the job can be resumed."""
        if self._run is not None:
            self._cancelled = True
            self._run.cancel()
            self._set_state("stopping")

    def say(self, kind: str, text: str) -> None:
        """Show a message in every dock and as one notification.

        Parameters
        ----------
        kind
            `info`, `warning` or `error`; errors are shown even if notifications are switched off.
        text
            One sentence or more.
        """
        text = sentence(text)
        self.said.emit(kind, text)
        if kind == "error" or preferences().notifications:
            _NOTIFY[kind](text)

    @contextmanager
    def errors_shown(self) -> Iterator[None]:
        """Show errors of this package that occur within the context; it ends with the first."""
        try:
            yield
        except CellINRError as error:
            self.say("error", str(error))

    def _set_state(self, state: State) -> None:
        self.state = state
        self.state_changed.emit(state)

    @Slot(object)
    def _on_progress(self, progress: Progress) -> None:
        if self._run is None:
            return
        if not self.history or progress.step != self.history[-1].step:
            self.history.append(progress)
        if progress.warning and not self._has_warned:
            self._has_warned = True
            self.said.emit("warning", sentence(progress.warning))
        self.progressed.emit(progress)
        self._request_preview()
        if self._bar is not None and self.state != "paused":
            self._bar.show(progress)  # last: it runs the event loop

    def _request_preview(self) -> None:
        live = self.work.live if self.work is not None and not self.work.quick else None
        if self._preview_seconds is None:
            return
        if self._run is None or live is None:
            return
        if self.state == "stopping" or not self._run.preview_is_due(self._preview_seconds):
            return
        request = live.request()
        if request is None or (self.state == "paused" and request == self._last_request):
            return
        self._last_request = request
        self._run.request_preview(request)

    @Slot(object, object)
    def _on_preview(self, image: Image, index: Mapping[str, int]) -> None:
        live = self.work.live if self.work is not None else None
        if live is not None and self._run is not None and not self._cancelled:
            live.show(image, index)

    @Slot(object)
    def _on_end(self, ending: Ending) -> None:
        work, self.work, self._run = self.work, None, None
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        assert work is not None
        try:
            if ending.result is None:
                self._show_failure(work, ending)
            else:
                work.done(ending.result)
        except Exception as error:  # napari shows it, and the next job can start
            self.failed.emit(str(error))
            raise
        finally:
            self._set_state("idle")

    def _show_failure(self, work: Work, ending: Ending) -> None:
        # Otherwise the viewer may be closing: its layers are not touched.
        if work.live is not None and not work.quick and (ending.error or self._cancelled):
            work.live.remove()
        if self._drops and work.dropped is not None:
            work.dropped()
        is_there = work.source_id is None or find(self.viewer, work.source_id) is not None
        if ending.error is not None:
            self.say("error", str(ending.error))
        elif self._cancelled and is_there:
            kept = "" if work.kept is None else work.kept()
            self.said.emit("info", kept or "Cancelled; nothing was changed.")
        elif self._stopped and is_there:  # work without steps has no result before its end
            self.said.emit("info", "Stopped; nothing was changed.")
        self.failed.emit(str(ending.error or ""))

    def _on_layers(self, event: Any = None) -> None:
        source_id = None if self.work is None else self.work.source_id
        gone = source_id is not None and find(self.viewer, source_id) is None
        if gone and not self._cancelled:
            # Closing a viewer removes its layers, too: no notification, and the checkpoint stays.
            self._give_up()
            self.said.emit("warning", "The source layer was removed, so its job was cancelled.")
        self.layers_changed.emit()

    @Slot()
    def _on_quit(self) -> None:
        if self._run is not None:
            self._run.abandon()
            self._run.wait()
