"""The one way for every action of a viewer: docks, console and macros all go through it.

An action that has to wait for a running job queues up, and so do those that are asked for after
it: a script can go on as if it had been done already.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from qtpy.QtCore import QEventLoop, QObject, QTimer, Signal, Slot

from napari_cellinr.errors import AxesError, CellINRError
from napari_cellinr.ui.compare import compare_work, scores_work
from napari_cellinr.ui.controller import controller_of
from napari_cellinr.ui.fits import Result, fit_work, quick_work
from napari_cellinr.ui.layers import find

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import napari
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer

    from napari_cellinr.config import Config
    from napari_cellinr.ui.compare import Comparison, Score
    from napari_cellinr.ui.controller import Controller, Work
    from napari_cellinr.ui.tasks import Task

__all__ = ["Dispatcher", "Order", "dispatcher_of"]

_dispatchers: WeakValueDictionary[int, Dispatcher] = WeakValueDictionary()


def dispatcher_of(viewer: napari.Viewer) -> Dispatcher:
    """Return the dispatcher of a viewer, which lives as long as the viewer does."""
    key = id(getattr(viewer, "__wrapped__", viewer))
    dispatcher = _dispatchers.get(key)
    if dispatcher is None:
        dispatcher = _dispatchers[key] = Dispatcher(controller_of(viewer))
        # Methods are held weakly by an event, other functions are held: docks come and go, what
        # was recorded must stay.
        viewer.layers.events.inserted.connect(lambda event, held=dispatcher: None)
    return dispatcher


@dataclass(frozen=True)
class Order:
    """An action that was asked for.

    Parameters
    ----------
    title
        What it is called, such as “denoising of embryo”.
    carry_out
        Does it at once and returns nothing, or returns the work for the controller. Called when
        it is its turn: only then layers have to be there.
    """

    title: str
    carry_out: Callable[[], Work | None]


class Dispatcher(QObject):
    """The actions of one viewer, one after the other.

    Signals
    -------
    queue_changed
        An action queues up, or it is its turn.
    """

    queue_changed = Signal()

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.results: dict[Hashable, Result] = {}
        self._queue: deque[Order] = deque()
        controller.state_changed.connect(self._on_state)
        controller.finished.connect(self._on_finished)
        controller.layers_changed.connect(self._forget)

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer that is acted on."""
        return self.controller.viewer

    @property
    def queue(self) -> tuple[str, ...]:
        """The titles of the actions that wait for their turn."""
        return tuple(order.title for order in self._queue)

    @property
    def is_busy(self) -> bool:
        """Whether an action runs or waits."""
        return bool(self._queue) or self.controller.state != "idle"

    def submit(self, order: Order) -> None:
        """Carry out an action, now or when it is its turn.

        Raises
        ------
        CellINRError
            If it is its turn now and it cannot be carried out.
        """
        if not self.is_busy:
            self._carry_out(order)
            return
        self._queue.append(order)
        self.controller.said.emit("info", f"The {order.title} waits for its turn.")
        self.queue_changed.emit()

    def fit(self, task: Task, layer: ImageLayer | str, config: Config, axes: str = "") -> None:
        """Do a task with a layer or the layer of a name; the result appears beside it.

        Raises
        ------
        AxesError
            If there is no such layer, or its axes are not known.
        """

        def carry_out() -> Work:
            found = self.find(layer)
            if axes:
                self.controller.confirmed_axes[found.unique_id] = axes.upper()
            return fit_work(self.controller, task, found, config)

        self.submit(Order(f"{task.noun} of {_name(layer)}", carry_out))

    def quick_look(self, task: Task, layer: ImageLayer, config: Config) -> None:
        """Do a task with what the canvas shows of a layer; never recorded, never queued.

        Raises
        ------
        AxesError, FitError
            If its axes are not known, or a job is running.
        """
        self.controller.begin(quick_work(self.controller, task, layer, config))

    def compare(
        self,
        layer: ImageLayer | str,
        against: ImageLayer | str | None = None,
        done: Callable[[Comparison], None] | None = None,
    ) -> None:
        """Add the difference of a result and another layer, or its conventional answer.

        Raises
        ------
        AxesError
            If there is no such layer, or the two cannot be compared.
        """

        def carry_out() -> Work:
            found = self.find(layer)
            other = self.find(against) if against is not None else None
            made = self.results.get(found.unique_id)
            return compare_work(self.controller, found, other, made, finish)

        def finish(comparison: Comparison) -> None:
            if done is not None:
                done(comparison)

        self.submit(Order(f"comparison of {_name(layer)}", carry_out))

    def measure(
        self, layers: Sequence[ImageLayer], truth: ImageLayer, done: Callable[[list[Score]], None]
    ) -> None:
        """Measure how near layers are to the truth; never recorded."""
        self.submit(
            Order(
                f"measurement against {truth.name}",
                lambda: scores_work(self.controller, layers, truth, done),
            )
        )

    def find(self, layer: Layer | str) -> ImageLayer:
        """Return the layer of a name, or the very same layer.

        Raises
        ------
        AxesError
            If it is not in the viewer.
        """
        if isinstance(layer, str):
            found = next((one for one in self.viewer.layers if one.name == layer), None)
        else:
            found = find(self.viewer, layer.unique_id)
        if found is None:
            names = ", ".join(repr(str(one.name)) for one in self.viewer.layers) or "none"
            raise AxesError(f"layer {layer!r} was given; there are {names}.")
        return found

    @Slot()
    def clear_queue(self) -> None:
        """Drop the actions that wait."""
        self._queue.clear()
        self.queue_changed.emit()

    def wait(self) -> None:
        """Return when no action runs or waits; the viewer stays usable meanwhile."""
        loop = QEventLoop()
        timer = QTimer()
        timer.timeout.connect(lambda: self.is_busy or loop.quit())
        timer.start(50)
        loop.exec()

    def _carry_out(self, order: Order) -> None:
        work = order.carry_out()
        if work is not None:
            self.controller.begin(work)

    @Slot()
    def _on_state(self) -> None:
        if self.controller.state == "idle" and self._queue:
            QTimer.singleShot(0, self._next)

    @Slot()
    def _next(self) -> None:
        while self._queue and self.controller.state == "idle":
            order = self._queue.popleft()
            try:
                self._carry_out(order)
            except CellINRError as error:
                self.controller.say("error", f"The {order.title} could not begin: {error}")
        self.queue_changed.emit()

    @Slot(object)
    def _on_finished(self, result: Result) -> None:
        if not result.quick:
            self.results.update({layer.unique_id: result for layer in result.layers})

    @Slot()
    def _forget(self) -> None:
        """Let results go with their layers."""
        there = {layer.unique_id for layer in self.viewer.layers}
        self.results = {key: result for key, result in self.results.items() if key in there}


def _name(layer: Layer | str) -> str:
    return layer if isinstance(layer, str) else str(layer.name)
