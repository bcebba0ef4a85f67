"""One viewer for many tests, put back to its first state after each of them.

Making and closing a viewer, and the collections of garbage in between, take longer than most
tests. Nothing that a test leaves can be seen by the next one: the state of the viewer is compared
with the first one, and where they differ, or an object of the plugin is still in memory, the test
fails and the viewer is replaced.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from contextlib import ExitStack
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from weakref import ref

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_cellinr.ui.session import controller, dispatcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari

LAYERS = "layers"
"""The field of a viewer that is emptied instead of being set."""

SECONDS_TO_GO = 2.0
"""How long a thread of a test may take to end, and what it refers to to go."""

FROM_MOUSE = {"mouse_over_canvas", "status"}
"""Fields that follow the mouse of the screen, not the test."""


class SharedViewer:
    """A viewer that is made when it is first wanted, and again after it was closed."""

    def __init__(self) -> None:
        self._viewer: napari.Viewer | None = None
        self._first: State | None = None
        self._held = ExitStack()

    def viewer(self) -> napari.Viewer:
        """Return the viewer in its first state."""
        if self._viewer is None:
            self._make()
        assert self._viewer is not None
        return self._viewer

    def put_back(self) -> None:
        """Put the viewer back to its first state."""
        assert self._viewer is not None
        assert self._first is not None
        try:
            _end_jobs(self._viewer)
            self._first.put_back(self._viewer)
        except BaseException:
            self.close(failed=True)
            raise

    def differences(self) -> list[str]:
        """Return in what the viewer is not in its first state, in words.

        It is closed then, so that the next test gets a new one. A dock or a job of it that is
        still in memory is a difference, too.
        """
        assert self._viewer is not None
        assert self._first is not None
        end = time.monotonic() + SECONDS_TO_GO
        while True:
            _collect()
            found = [*self._first.differences(self._viewer), *_kept(self._viewer)]
            if not found:
                gc.freeze()  # what was imported meanwhile, such as torch
                return []
            if time.monotonic() > end:
                self.close(failed=True)
                return found
            time.sleep(0.05)

    def close(self, *, failed: bool = False) -> None:
        """Close the viewer, if there is one.

        Parameters
        ----------
        failed
            Whether its test has failed: the traceback may refer to parts of the viewer, which
            napari would take for a leak.
        """
        from napari._qt.qt_viewer import QtViewer

        if self._viewer is None:
            return
        viewer, self._viewer, self._first = self._viewer, None, None
        with patch.object(viewer.window._qt_window, "_save_current_window_settings"):
            viewer.close()
        del viewer
        gc.unfreeze()
        _collect()
        self._held.close()
        if failed:
            QtViewer._instances.clear()
        else:
            gc.freeze()  # napari collects garbage at each change of the layers of a new viewer

    def _make(self) -> None:
        """Make a viewer as napari's fixture does: with its own application, and no console."""
        from app_model import Application
        from napari import Viewer
        from napari._app_model._app import NapariApplication, _napari_names
        from napari._qt._qapp_model.qactions import init_qactions
        from napari.plugins import _initialize_plugins
        from napari.settings import get_settings

        name = "shared_viewer"
        get_settings().reset()
        application = NapariApplication(name)
        application.injection_store.namespace = _napari_names
        self._held.callback(init_qactions.cache_clear)
        self._held.callback(_initialize_plugins.cache_clear)
        self._held.callback(Application.destroy, name)
        for place, there in (
            ("napari._app_model._app.NapariApplication.get_app_model", lambda *_: application),
            ("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None),
            ("napari._qt.qt_viewer.QtViewer._get_console", _no_console),
        ):
            self._held.enter_context(patch(place, there))
        init_qactions.cache_clear()
        _initialize_plugins.cache_clear()
        self._viewer = Viewer(show=False, show_welcome_screen=False)
        # It looks for the mouse over a hidden menu bar, in Python, at every event of every widget.
        QApplication.instance().removeEventFilter(self._viewer.window._qt_window)
        QApplication.processEvents()
        self._first = State(self._viewer)
        # What there is now stays as long as the viewer: each collection would visit it in vain.
        _collect()
        gc.freeze()


class State:
    """What a test can change in a viewer without layers.

    Parameters
    ----------
    viewer
        A new viewer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._values = {path: deepcopy(value) for path, _, _, value in _fields(viewer)}
        self._private = {place: dict(values) for place, values in _private(viewer).items()}
        self._listeners = {path: _listeners(one) for path, one in _emitters(viewer)}
        self._keys = dict(viewer.keymap)
        window = viewer.window._qt_window
        self._layout, self._size = window.saveState(), window.size()
        self._widgets = _widgets(viewer)

    def put_back(self, viewer: napari.Viewer) -> None:
        """Empty the viewer, and set all values to what they were."""
        from napari.settings import get_settings
        from napari.utils.notifications import notification_manager

        window = viewer.window._qt_window
        for _, emitter in _emitters(viewer):
            for callback in emitter.callbacks:
                if not _described(callback).startswith("napari."):
                    emitter.disconnect(callback)
        for dock in list(viewer.window._wrapped_dock_widgets.values()):
            inner = dock.widget()
            viewer.window.remove_dock_widget(dock, menu=viewer.window.window_menu)
            if inner is not None:  # otherwise the test has deleted it
                inner.close()
                inner.deleteLater()
        viewer.layers.clear()
        get_settings().reset()
        viewer.keymap.clear()
        viewer.keymap.update(self._keys)
        for path, model, name, value in _fields(viewer):
            if not _equal(value, self._values[path]):
                setattr(model, name, deepcopy(self._values[path]))
        for place, values in self._private.items():
            _holders(viewer)[place].update(values)
        viewer.window._qt_viewer.console_backlog.clear()
        viewer.window._task_status_manager._tasks.clear()
        notification_manager.records.clear()
        for name in ("last_exc", "last_value", "last_traceback"):  # they refer to docks
            vars(sys).pop(name, None)
        if window.saveState() != self._layout:
            window.restoreState(self._layout)
        window.resize(self._size)
        viewer.window._unnamed_dockwidget_count = 1

    def differences(self, viewer: napari.Viewer) -> Iterator[str]:
        """Yield what is not as it was, in words."""
        window = viewer.window._qt_window
        now = {path: value for path, _, _, value in _fields(viewer)}
        for path in sorted(now.keys() | self._values.keys()):
            if not _equal(now.get(path), self._values.get(path)):
                yield f"{path} is {now.get(path)!r} instead of {self._values.get(path)!r}"
        for path, emitter in _emitters(viewer):
            if more := _listeners(emitter) - self._listeners.get(path, Counter()):
                yield f"{path} is listened to by {', '.join(more)}"
        for place, values in _private(viewer).items():
            if values != self._private[place]:
                yield f"{place}: {values} instead of {self._private[place]}"
        if dict(viewer.keymap) != self._keys:
            yield f"keys {sorted(map(str, viewer.keymap))}"
        if window.isVisible():
            yield "the window is shown"
        if window.size() != self._size:
            yield f"the window has the size {window.size()} instead of {self._size}"
        if window.saveState() != self._layout:
            yield "the layout of the window"
        if more := _widgets(viewer) - self._widgets:
            yield f"widgets {', '.join(more)}"


def _no_console(*_: object) -> QWidget:
    """Return a widget in the place of napari's console, whose start takes seconds."""
    widget = QWidget()
    widget._update_theme = lambda *_, **__: None
    return widget


def _collect() -> None:
    """Delete what Qt was requested to delete, and what nothing refers to any more."""
    QApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _end_jobs(viewer: napari.Viewer) -> None:
    """Remove the layers of a running job, which cancels it, and wait for its end."""
    held = controller._controllers.get(id(viewer))
    if held is None or held.state == "idle":
        return
    held.cancel()
    end = time.monotonic() + 20
    while held.state != "idle" and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def _kept(viewer: napari.Viewer) -> Iterator[str]:
    """Yield what this plugin still keeps of a viewer that has no docks any more."""
    for held in (controller._controllers, dispatcher._dispatchers):
        if (one := held.get(id(viewer))) is not None:
            yield f"a {type(one).__name__} is still there"


def _models(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield a model and all models in it, each with its path."""
    yield path, model
    for name in getattr(type(model), "model_fields", {}):
        value = getattr(model, name)
        if hasattr(value, "events"):
            yield from _models(value, f"{path}.{name}")
    if hasattr(model, "selection"):
        yield f"{path}.selection", model.selection
    if type(model).__name__ == "EventedDictNamespace":
        for name, value in model.items():
            yield from _models(value, f"{path}.{name}")


def _fields(viewer: napari.Viewer) -> Iterator[tuple[str, Any, str, Any]]:
    """Yield path, model, name and value of all fields that are values."""
    for path, model in _models(viewer, "viewer"):
        for name in getattr(type(model), "model_fields", {}):
            value = getattr(model, name)
            if not hasattr(value, "events") and name not in FROM_MOUSE:
                yield f"{path}.{name}", model, name, value
    yield "viewer.layers", viewer, LAYERS, list(viewer.layers)


def _emitters(viewer: napari.Viewer) -> Iterator[tuple[str, Any]]:
    """Yield all emitters of events with their path."""
    for path, model in _models(viewer, "viewer"):
        for name, emitter in getattr(model.events, "emitters", {}).items():
            yield f"{path}.events.{name}", emitter


def _holders(viewer: napari.Viewer) -> dict[str, dict[str, Any]]:
    """Return the dictionaries of attributes that are not fields."""
    return {"viewer": vars(viewer), "private": viewer.__pydantic_private__ or {}}


def _private(viewer: napari.Viewer) -> dict[str, dict[str, Any]]:
    """Return the plain values among the attributes that are not fields."""
    plain = (bool, int, float, str, type(None))
    return {
        place: {name: value for name, value in held.items() if isinstance(value, plain)}
        for place, held in _holders(viewer).items()
    }


def _listeners(emitter: Any) -> Counter[str]:
    """Return what listens to an emitter, and how often."""
    return Counter(_described(callback) for callback in emitter.callbacks)


def _described(callback: Any) -> str:
    """Return module and name of a function, or of class and method; empty if it is gone."""
    if not isinstance(callback, tuple):
        return f"{callback.__module__}.{getattr(callback, '__qualname__', type(callback))}"
    owner, name = callback
    kind = type(owner() if isinstance(owner, ref) else owner)
    return f"{kind.__module__}.{kind.__qualname__}.{name}"


def _widgets(viewer: napari.Viewer) -> Counter[str]:
    """Return the kinds of widgets in the window, and how many there are."""
    found = viewer.window._qt_window.findChildren(QWidget)
    return Counter(f"{type(one).__name__} {one.objectName()}".strip() for one in found)


def _equal(one: Any, other: Any) -> bool:
    """Return whether two values are equal, arrays included."""
    same = one == other
    return bool(same.all()) if hasattr(same, "all") else bool(same)
