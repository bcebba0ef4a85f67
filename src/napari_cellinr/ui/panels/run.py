"""The buttons of a job and its progress."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent, QTimer, Slot
from qtpy.QtWidgets import (
    QGridLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.ui.session.devices import gpu_memory
from napari_cellinr.ui.widgets.labels import COLOURS, wrapping_label
from napari_cellinr.ui.widgets.scrolled import Scrolled

if TYPE_CHECKING:
    from napari_cellinr.fitting.problem import Progress
    from napari_cellinr.methods import Cost
    from napari_cellinr.ui.session.dispatcher import Dispatcher
    from napari_cellinr.ui.task import Task
    from napari_cellinr.ui.widgets.plots import LossPlot

__all__ = ["RunPanel", "duration"]

SHORTEST = 0.1
"""Shortest time over which a speed is computed, in seconds."""


class RunPanel(QWidget):
    """Preview, Run, Pause, Stop and Cancel; progress bar, numbers, loss plot and status line."""

    def __init__(self, dispatcher: Dispatcher, task: Task, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dispatcher = dispatcher
        self._controller = controller = dispatcher.controller
        self._plot: LossPlot | None = None
        self._speed = _Speed()
        self._may_run = False
        self._last: Progress | None = None
        self._begun = time.monotonic()
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
        controller.state_changed.connect(self.show_state)
        controller.progressed.connect(self.show_progress)
        controller.said.connect(self.say)
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
        if state == "stopping":
            self.bar.setFormat("stopping …")
        if state == "running" and not self._clock.isActive():
            self._speed, self._last, self._begun = _Speed(), None, time.monotonic()
            self._clock.start()
            self.bar.setRange(0, 0)
            self.bar.setFormat("")
            self._show_time()
            self._loss_plot().show_history([])

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
        self.bar.setRange(0, progress.steps)
        self.bar.setValue(progress.step)
        if self._controller.state != "stopping":
            self.bar.setFormat(f"{progress.stage} %p %" if progress.steps else progress.stage)
        self._last = progress
        if progress.steps:
            self._show_facts(self._speed.facts(progress))
        else:
            self._show_time()
        if progress.losses:
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

    def advise(self, text: str) -> None:
        """Show advice on the settings above the buttons; an empty text hides it."""
        self.advice.setText(text)
        self.advice.setVisible(bool(text))

    def estimate(self, estimate: Cost | None) -> None:
        """Show the memory and time that a run needs; None hides it."""
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
        self.preview_button = _button("Preview", task.preview_tip)
        self.run_button = _button("Run", task.run_tip)
        self.pause_button = _button("Pause", "Pause after this step; previews are still updated.")
        self.stop_button = _button("Stop", "Stop after this step and keep the result so far.")
        self.cancel_button = _button("Cancel", "Stop after this step and discard the result.")
        self.guide_button = _button("?", "Open the guide: what the method does, how to judge it.")
        self.guide_button.setFixedWidth(28)
        self.guide_button.setAccessibleName("Guide")
        self.clear_button = _button("Clear queue", "Remove queued jobs; the running job continues.")
        self.clear_button.clicked.connect(self._dispatcher.queue.clear)
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

    def _loss_plot(self) -> LossPlot:
        """Return the plot, created at the first run: importing pyqtgraph takes 0.3 s."""
        if self._plot is None:
            from napari_cellinr.ui.widgets.plots import LossPlot

            self._plot = LossPlot(self)
            self._plot.set_colour(self._text_colour())
            self._messages.insertWidget(0, self._plot)
        return self._plot

    def _text_colour(self) -> str:
        """Return the text colour of the viewer's theme; style sheets do not set palettes."""
        return str(get_theme(self._controller.viewer.theme).text.as_hex())


class _Speed:
    """Steps per second over the last few reports of a stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._points: deque[tuple[float, int]] = deque(maxlen=15)

    def facts(self, progress: Progress) -> list[str]:
        """Return the numbers of a stage with steps, each with its unit."""
        if progress.stage != self._stage and progress.stage != "paused":
            self._stage = progress.stage
            self._points.clear()
        self._points.append((progress.seconds, progress.step))
        facts = [f"step {progress.step} of {progress.steps}"]
        seconds, steps = (b - a for a, b in zip(self._points[0], self._points[-1], strict=True))
        if seconds > SHORTEST and steps > 0:
            speed = steps / seconds
            facts.append(f"{speed:.0f} steps/s" if speed >= 100 else f"{speed:.3g} steps/s")
        if progress.eta is not None:
            facts.append(f"{duration(progress.eta)} left")
        if memory := gpu_memory():
            facts.append(f"{memory / 1e9:.2g} GB on the GPU")
        if progress.held_out is not None:
            facts.append(f"held\u2011out error {progress.held_out:.4g} σ")
        return facts


def duration(seconds: float) -> str:
    """Return a duration as text, such as `2 min 05 s`."""
    if seconds < 60:
        return f"{max(0, round(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    )


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(50)
    return button
