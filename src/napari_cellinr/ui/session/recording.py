"""The record of a viewer: what was done goes into it, names and opened files are followed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from qtpy.QtCore import QObject, QTimer, Slot

from napari_cellinr.macro import Recorder, Step
from napari_cellinr.ui.session.actions import opened_steps, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import napari
    from napari.layers import Layer

    from napari_cellinr.ui.session.actions import Order

__all__ = ["Recording", "note_saved"]

_recordings: WeakSet[Recording] = WeakSet()


def note_saved(path: str, data: Any, name: str) -> None:
    """Record that napari itself has written the layer of a name, wherever there is a record.

    napari gives its writers the data of layers, not the layers.
    """
    for recording in tuple(_recordings):
        recording.note_saved(path, data, name)


class Recording(QObject):
    """The recorder of one viewer, which notices what napari itself does.

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

    def record(self, step: Step, order: Order | None = None) -> None:
        """Add a step, after the files that were opened before it.

        Parameters
        ----------
        step
            What was done.
        order
            How it was asked for; some are not recorded.
        """
        self._record_opened()
        if order is None or order.recorded:
            self.recorder.record(step)

    def record_failure(self, order: Order | None, reason: str) -> None:
        """Add the step that was asked for as one that has failed."""
        if order is not None and order.attempt is not None:
            self.record(replace(order.attempt, status="failed", note=reason), order)

    def note_saved(self, path: str, data: Any, name: str) -> None:
        """Record that a layer was written, if the very data of this name are in the viewer."""
        for layer in self._viewer.layers:
            # A plugin may be given proxies of layers, and of data of several scales.
            held = getattr(layer.data, "__wrapped__", layer.data)
            if layer.name == name and held is getattr(data, "__wrapped__", data):
                self.record(Step("save", (source_of(layer),), {"path": path}))

    def follow_names(self) -> None:
        """Note the names of the layers as they are now."""
        names = {layer.unique_id: str(layer.name) for layer in self._viewer.layers}
        for key, name in names.items():
            old = self._names.get(key, name)
            if old != name and not old.endswith("(running)"):
                self.recorder.renamed(old, name)
        self._names = names

    def _on_inserted(self, event: Any) -> None:
        """Note files that napari has opened with the reader of this plugin."""
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
