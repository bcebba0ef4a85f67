"""The actions of a viewer one after the other: what has to wait for a running job queues up."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, QObject, QTimer, Signal, Slot

from napari_cellinr.errors import CellINRError
from napari_cellinr.ui.session.actions import name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from napari_cellinr.ui.session.actions import Order
    from napari_cellinr.ui.session.controller import Controller

__all__ = ["Queue"]


class Queue(QObject):
    """The orders of one viewer: one is carried out, the others wait.

    Signals
    -------
    changed
        An order queues up, or it is its turn.
    """

    changed = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.order: Order | None = None
        self._controller = controller
        self._waiting: deque[Order] = deque()
        self._begins = False
        controller.state_changed.connect(self._on_state)

    @property
    def titles(self) -> tuple[str, ...]:
        """What the orders that wait for their turn are called."""
        return tuple(order.title for order in self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether an order is carried out or waits."""
        return bool(self._waiting) or self._begins or self._controller.state != "idle"

    def submit(self, order: Order) -> None:
        """Carry out an order, now or when it is its turn.

        Raises
        ------
        CellINRError
            If it is its turn now and it cannot be carried out.
        """
        if not self.is_busy:
            self._carry_out(order)
            return
        self._waiting.append(order)
        self._controller.said.emit("info", f"The {order.title} waits for its turn.")
        self.changed.emit()

    @Slot()
    def clear(self) -> None:
        """Drop the orders that wait."""
        self._waiting.clear()
        self.changed.emit()

    def drop_what_lost_its_layer(self, there: Collection[Hashable]) -> None:
        """Drop the orders whose very layer has left the viewer, and say so in one sentence.

        A layer that was asked for by its name may still come.

        Parameters
        ----------
        there
            The `unique_id` of every layer of the viewer.
        """
        lost = [order for order in self._waiting if not _may_be_done(order, there)]
        if not lost:
            return
        for order in lost:
            self._waiting.remove(order)
        names = " and ".join(dict.fromkeys(f"“{name_of(order.layer)}”" for order in lost))
        work = self._controller.work
        ends = work is not None and work.source_id is not None and work.source_id not in there
        cancelled = "its run is cancelled, and " if ends else ""
        # No notification: a viewer that is closed removes its layers too.
        text = f"Layer {names} was removed: {cancelled}what waited for it is dropped."
        self._controller.said.emit("warning", text)
        self.changed.emit()

    def wait(self) -> None:
        """Return when no order is carried out or waits; the viewer stays usable meanwhile."""
        loop = QEventLoop()
        timer = QTimer()
        timer.timeout.connect(lambda: self.is_busy or loop.quit())
        timer.start(50)
        loop.exec()

    def _carry_out(self, order: Order) -> None:
        self.order = order
        self._begins = True  # a bar of napari handles events before the state is another one
        try:
            work = order.carry_out()
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
            order = self._waiting.popleft()
            try:
                self._carry_out(order)
            except CellINRError as error:
                self._controller.say("error", f"The {order.title} could not begin: {error}")
        self.changed.emit()


def _may_be_done(order: Order, there: Collection[Hashable]) -> bool:
    """Return whether the layer of an order is there, or may come."""
    return isinstance(order.layer, str) or order.layer.unique_id in there
