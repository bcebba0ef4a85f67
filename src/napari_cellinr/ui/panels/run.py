"""The buttons of a job and its progress."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QTimer, Slot
from qtpy.QtWidgets import (
    QGridLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.session.job.devices import device_list
from napari_cellinr.ui.session.job.pace import Pace, duration
from napari_cellinr.ui.widgets.buttons import guide_button, push_button
from napari_cellinr.ui.widgets.labels import COLOURS, wrapping_label
from napari_cellinr.ui.widgets.scrolled import Scrolled
from napari_cellinr.ui.widgets.tab_order import tab_as_seen

if TYPE_CHECKING:
    from collections.abc import Hashable

    from napari_cellinr.fitting.problem import Progress
    from napari_cellinr.methods import Cost
    from napari_cellinr.ui.session.dispatcher import Dispatcher
    from napari_cellinr.ui.task import Task
    from napari_cellinr.ui.widgets.plots import LossPlot

__all__ = ["RunPanel"]

BAR: Final = 1000
"""Length of the progress bar, for the whole job."""

BETWEEN_CURVES: Final = 0.2
"""Seconds between two drawings of the whole loss curve, which grows with every step."""


class RunPanel(QWidget):
    """Preview, Run, Pause, Stop and Cancel; progress bar, numbers, loss plot and status line."""

    def __init__(self, dispatcher: Dispatcher, task: Task) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self._controller = controller = dispatcher.controller
        self._plot: LossPlot | None = None
        self.curve: QCollapsible | None = None
        self._task = task
        self._pace = Pace()
        self._estimate: float | None = None
        self._may_run = False
        self._last: Progress | None = None
        self._begun = time.monotonic()
        self._drawn = 0.0
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._show_time)
        self._make_buttons(task)
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.advice = wrapping_label(kind="warning")
        self.advice.hide()
        self.cost = wrapping_label()
        self.cost.hide()
        self.numbers = wrapping_label()
        self.queue = wrapping_label()
        self.status = wrapping_label()
        self._lay_out()
        self._about: Hashable | None = None
        self._layers_when_said: set[Hashable] | None = None
        controller.layers_changed.connect(self._on_layers)
        controller.state_changed.connect(self.show_state)
        controller.progressed.connect(self.show_progress)
        controller.said.connect(self.say)
        controller.outdated.connect(self.status.remove)
        dispatcher.queue.changed.connect(self.show_queue)
        self.show_state()
        self.show_queue()

    def allow(self, may_run: bool) -> None:
        """Enable or disable Run and Preview."""
        self._may_run = may_run
        self.show_state()

    @Slot()
    def show_state(self) -> None:
        """Enable the buttons that apply in the present state of the job."""
        state = self._controller.state
        idle = state == "idle"
        self.preview_button.setEnabled(idle and self._may_run)
        self.run_button.setEnabled(self._may_run)
        self.run_button.setText("Run" if idle else "Queue")
        self.pause_button.setEnabled(state in {"running", "paused"})
        self.pause_button.setText("Resume" if state == "paused" else "Pause")
        self.stop_button.setEnabled(state in {"running", "paused"})
        self.cancel_button.setEnabled(not idle)
        self.bar.setVisible(not idle)
        self.numbers.setVisible(not idle)
        if idle:
            self._clock.stop()
            self.bar.setRange(0, BAR)
            self.bar.setValue(BAR)
            if self.curve is not None:
                self._loss_plot().show_history(self._controller.history)
                self.curve.collapse(animate=False)
            if self._is_foreign():
                self.forget()
        if state == "stopping":
            self.bar.setFormat("stopping …")
        if state == "running" and not self._clock.isActive():
            self._pace, self._last, self._begun = Pace(self._expected()), None, time.monotonic()
            self._clock.start()
            self.bar.setRange(0, 0)
            self.bar.setFormat("")
            self._show_time()
            self._about = self._controller.work.source_id if self._controller.work else None
            self._loss_plot().show_history([])
            if self.curve is not None:
                self.curve.show()
                self.curve.expand(animate=False)

    def forget(self) -> None:
        """Remove message and loss curve of an earlier job."""
        self._about = None
        self.status.setText("")
        if self.curve is not None:
            self.curve.hide()

    def show_source(self, layer_id: Hashable | None) -> None:
        """Remove what was said of another layer than the selected one."""
        if self._controller.state == "idle" and self._about not in {None, layer_id}:
            self.forget()

    @Slot()
    def _on_layers(self) -> None:
        """Remove what was said of a layer that is gone, or of an action before the last one."""
        if self._controller.state != "idle":
            return
        if self._about is not None and find(self._controller.viewer, self._about) is None:
            self.forget()
        if self._layers_when_said is not None and self._layers() - self._layers_when_said:
            self._layers_when_said = None
            self.status.setText("")

    def _layers(self) -> set[Hashable]:
        return {layer.unique_id for layer in self._controller.viewer.layers}

    def _is_foreign(self) -> bool:
        """Return whether the last job was the fit of another dock."""
        latest = self._controller.latest
        return latest is not None and latest.task not in {"", self._task.name}

    @Slot()
    def show_queue(self) -> None:
        """Show the queued jobs."""
        waiting = self._dispatcher.queue.titles
        self.queue.setText(f"Queue: {', '.join(waiting)}")
        for widget in (self.queue, self.clear_button):
            widget.setVisible(bool(waiting))

    @Slot(object)
    def show_progress(self, progress: Progress) -> None:
        """Show the progress of the job."""
        part = round(BAR * self._pace.part(progress))
        self.bar.setRange(0, BAR if part else 0)
        self.bar.setValue(part)
        if self._controller.state != "stopping":
            self.bar.setFormat(f"{progress.stage} %p %" if part else progress.stage)
        self._last = progress
        if progress.steps:
            self._show_facts(self._pace.facts(progress))
        else:
            self._show_time()
        if progress.losses and time.monotonic() - self._drawn >= BETWEEN_CURVES:
            self._drawn = time.monotonic()
            self._loss_plot().show_history(self._controller.history)

    @Slot(str, str)
    def say(self, kind: str, text: str) -> None:
        """Show a text in the status line.

        Parameters
        ----------
        kind
            `info`, `warning` or `error`.
        text
            The text.
        """
        self.status.setStyleSheet(COLOURS[kind])
        self.status.setText(text)
        # Between jobs it is about an action, such as a file that could not be opened: it is
        # outdated once the next one has added a layer.
        self._layers_when_said = self._layers() if self._controller.state == "idle" else None

    def advise(self, text: str) -> None:
        """Show advice on the settings above the buttons; an empty text hides it."""
        self.advice.setText(text)
        self.advice.setVisible(bool(text))

    def _expected(self) -> float | None:
        """Return the time in seconds that the job which starts now may take, if it is known."""
        work = self._controller.work
        is_own = work is not None and work.task == self._task.name and not work.quick
        return self._estimate if is_own and not device_list().has_gpu else None

    def estimate(self, estimate: Cost | None) -> None:
        """Show the memory and time that a run needs; None hides it."""
        self._estimate = None if estimate is None else estimate.seconds
        self.cost.setVisible(estimate is not None)
        if estimate is None:
            return
        memory = f"{estimate.memory / 1e9:.2g} GB of memory"
        needs = f"{memory} and {duration(estimate.seconds)} without a GPU"
        needs = re.sub(r"(?<=\d) ", "\u00a0", needs)  # keeps 11 s on one line
        self.cost.setText(f"Needs about {needs}. {estimate.note}".rstrip())

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Follow a change of theme."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.StyleChange, QEvent.Type.PaletteChange} and self._plot:
            self._plot.set_colour(self._text_colour())

    @Slot()
    def _show_time(self) -> None:
        """Show the elapsed time of a stage without steps, which may report rarely."""
        if self._last is None or not self._last.steps:
            stage = "starting" if self._last is None else self._last.stage
            self._show_facts([stage, f"{duration(time.monotonic() - self._begun)} elapsed"])

    def _show_facts(self, facts: list[str]) -> None:
        """Show numbers separated by dots; the line may break only there."""
        self.numbers.setText(" · ".join(fact.replace(" ", "\u00a0") for fact in facts))

    def _make_buttons(self, task: Task) -> None:
        self.preview_button = push_button("Preview", task.preview_tip)
        self.run_button = push_button("Run", task.run_tip)
        self.pause_button = push_button("Pause", "Pause after this step; previews still work.")
        self.stop_button = push_button("Stop", "Stop after this step and keep the result so far.")
        self.cancel_button = push_button("Cancel", "Stop after this step and discard the result.")
        self.guide_button = guide_button("docks")
        tip = "Remove queued jobs; the running job continues."
        self.clear_button = push_button("Clear queue", tip, self._dispatcher.queue.clear)
        self.pause_button.clicked.connect(self._controller.toggle_pause)
        self.stop_button.clicked.connect(self._controller.stop)
        self.cancel_button.clicked.connect(self._controller.cancel)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.preview_button, 0, 0, 1, 3)
        grid.addWidget(self.run_button, 0, 3, 1, 3)
        grid.addWidget(self.guide_button, 0, 6)
        for column, button in enumerate((self.pause_button, self.stop_button, self.cancel_button)):
            button.setMinimumWidth(50)
            grid.addWidget(button, 1, 2 * column, 1, 2 if column < 2 else 3)
        for column in range(6):
            grid.setColumnStretch(column, 1)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self._layout.addWidget(self.advice)
        self._layout.addWidget(self.cost)
        self._layout.addLayout(grid)
        for widget in (self.bar, self.numbers, self.queue, self.clear_button):
            self._layout.addWidget(widget)
        messages = QWidget()
        self._messages = QVBoxLayout(messages)
        self._messages.setContentsMargins(0, 0, 0, 0)
        self._messages.setSpacing(6)
        self._messages.addWidget(self.status)
        self._layout.addWidget(Scrolled(messages))

    def add_below(self, widget: QWidget) -> None:
        """Add tools for the result below its message; they scroll where there is no room."""
        self._messages.addWidget(widget)

    def _loss_plot(self) -> LossPlot:
        """Return the plot, created at the first run: importing pyqtgraph takes 0.3 s."""
        if self._plot is None:
            from napari_cellinr.ui.widgets.plots import LossPlot

            self._plot = LossPlot(self)
            self._plot.set_colour(self._text_colour())
            self.curve = QCollapsible("Loss curve", expandedIcon="▾", collapsedIcon="▸")
            self.curve.setDuration(0)
            for layout in (self.curve.layout(), self.curve.content().layout()):
                layout.setContentsMargins(0, 0, 0, 0)
            self.curve.addWidget(self._plot)
            self._messages.insertWidget(0, self.curve)
            tab_as_seen(self)
        return self._plot

    def _text_colour(self) -> str:
        """Return the text colour of the viewer's theme; style sheets do not set palettes."""
        return str(get_theme(self._controller.viewer.theme).text.as_hex())
