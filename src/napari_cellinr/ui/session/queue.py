"""Queues the actions of a viewer: those that have to wait for a running job."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, QObject, QTimer, Signal, Slot

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.session.actions import name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from napari_cellinr.ui.session.actions import Request
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["Queue"]


class Queue(QObject):
    """The requests of one viewer: one is carried out, the others wait.

    Signals
    -------
    changed
        A request was added, removed, or is being carried out.
    """

    changed = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.request: Request | None = None
        self._controller = controller
        self._waiting: deque[Request] = deque()
        self._begins = False
        controller.state_changed.connect(self._on_state)

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles of the requests that wait."""
        return tuple(request.title for request in self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether a request is carried out or waits."""
        return bool(self._waiting) or self._begins or self._controller.state != "idle"

    def submit(self, request: Request) -> None:
        """Carry out a request, now or after those before it.

        Raises
        ------
        CellINRError
            If it is carried out now, and fails.
        """
        if not self.is_busy:
            self._carry_out(request)
            return
        self._waiting.append(request)
        self._controller.said.emit("info", f"The {request.title} waits for its turn.")
        self.changed.emit()

    @Slot()
    def clear(self) -> None:
        """Remove the requests that wait."""
        self._waiting.clear()
        self.changed.emit()

    def drop_what_lost_its_layer(self, there: Collection[Hashable]) -> None:
        """Remove the requests whose layer was removed from the viewer, and tell the user.

        A request with the name of a layer stays, because the layer may still be added.

        Parameters
        ----------
        there
            The `unique_id` of every layer of the viewer.
        """
        lost = [request for request in self._waiting if not _may_be_done(request, there)]
        if not lost:
            return
        for request in lost:
            self._waiting.remove(request)
        names = " and ".join(dict.fromkeys(f"“{name_of(request.layer)}”" for request in lost))
        work = self._controller.work
        ends = work is not None and work.source_id is not None and work.source_id not in there
        cancelled = "its run is cancelled, and " if ends else ""
        # No notification, because a viewer that is closed also removes its layers.
        text = f"Layer {names} was removed: {cancelled}what waited for it is dropped."
        self._controller.said.emit("warning", text)
        self.changed.emit()

    def wait(self) -> None:
        """Return when no request is carried out or waits; the viewer stays responsive."""
        loop = QEventLoop()
        timer = QTimer()
        timer.timeout.connect(lambda: self.is_busy or loop.quit())
        timer.start(50)
        loop.exec()

    def _carry_out(self, request: Request) -> None:
        self.request = request
        self._begins = True  # a progress bar of napari handles events before the state changes
        try:
            work = request.carry_out()
            if work is not None:
                self._controller.begin(work)
        finally:
            self._begins = False
            self._on_state()

    @Slot()
    def _on_state(self) -> None:
        if self._controller.state == "idle" and self._waiting:
            QTimer.singleShot(0, self._next)

    @Slot()
    def _next(self) -> None:
        while self._waiting and not self._begins and self._controller.state == "idle":
            request = self._waiting.popleft()
            try:
                self._carry_out(request)
            except CellINRError as error:
                self._controller.say("error", f"The {request.title} could not begin: {error}")
        self.changed.emit()


def _may_be_done(request: Request, there: Collection[Hashable]) -> bool:
    """Return whether the layer of a request exists, or may still be added."""
    return isinstance(request.layer, str) or request.layer.unique_id in there
