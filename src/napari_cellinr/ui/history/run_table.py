"""A table of the runs: use their settings again, or delete their layers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, Slot
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.text import n_of
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.widgets.buttons import push_button
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from napari_cellinr.ui.history.runs import RunRecord
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["RunTable"]

COLUMNS = ("Result", "Settings", "Held-out", "PSNR/dB", "SSIM", "Time", "Steps", "Ended")

WIDTHS = (84, 100)
"""Widths of the first columns in pixels; the user can change them."""


class RunTable(QWidget):
    """The runs of a viewer, the newest at the bottom.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.setTabKeyNavigation(False)  # Tab leaves the table
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        # Names of layers begin with what they are and end with their source: both stay visible.
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.installEventFilter(self)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column, width in enumerate(WIDTHS):  # long texts; the tooltip has all of them
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, width)
        self.settings_button = push_button(
            "Use these settings", "Copy the settings of the run into the form of its dock.",
            self.use_settings,
        )  # fmt: skip
        self.delete_button = push_button(
            "Delete layers",
            "Remove all layers of the run from the viewer; its settings stay in this table.",
            self.delete_layers,
        )
        self.message = wrapping_label()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.settings_button)
        row.addWidget(self.delete_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        layout.addWidget(self.message)
        self.table.itemSelectionChanged.connect(self._allow)
        dispatcher.history.changed.connect(self.refresh)
        dispatcher.controller.layers_changed.connect(self.refresh)
        self.refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Give the names the room that a wider dock has.

        Parameters
        ----------
        watched
            The table.
        event
            Any event; only a change of size has an effect.
        """
        if event.type() == QEvent.Type.Resize:
            header = self.table.horizontalHeader()
            spare = self.table.width() - header.length() - 2 * self.table.frameWidth()
            width = header.sectionSize(0)
            header.resizeSection(0, max(width + spare, min(width, WIDTHS[0])))
        return bool(super().eventFilter(watched, event))

    @Slot()
    def refresh(self) -> None:
        """Show the runs; the selected one stays selected."""
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            row = self.table.currentRow()
            runs = self._dispatcher.history.runs
            self.table.setRowCount(len(runs))
            for place, run in enumerate(runs):
                for column, text in enumerate(_texts(run)):
                    item = QTableWidgetItem(text)
                    item.setToolTip(_tip(run))
                    self.table.setItem(place, column, item)
            if runs and row < 0:
                self.table.selectRow(len(runs) - 1)
            self._allow()

    @Slot()
    def use_settings(self) -> None:
        """Show the settings of the selected run in the form of its dock."""
        run = self._selected()
        if run is not None:
            self._dispatcher.show_settings(run.task, run.config)
            self.message.setText(f"The dock {run.task.title} shows the settings of “{run.name}”.")

    @Slot()
    def delete_layers(self) -> None:
        """Remove the layers of the selected run from the viewer."""
        run = self._selected()
        if run is not None:
            count = self._dispatcher.history.delete_layers(self._dispatcher.viewer, run)
            self.message.setText(f"{n_of(count, 'layer')} of “{run.name}” deleted.")

    def _selected(self) -> RunRecord | None:
        row, runs = self.table.currentRow(), self._dispatcher.history.runs
        return runs[row] if 0 <= row < len(runs) else None

    @Slot()
    def _allow(self) -> None:
        run, viewer = self._selected(), self._dispatcher.viewer
        self.settings_button.setEnabled(run is not None)
        there = run is not None and any(find(viewer, one) is not None for one in run.layer_ids)
        self.delete_button.setEnabled(there)


def _texts(run: RunRecord) -> tuple[str, ...]:
    scores = [run.scores.get("PSNR"), run.scores.get("SSIM")]
    seconds = run.report.get("seconds")
    return (
        run.name,
        run.settings,
        "" if run.held_out is None else f"{run.held_out:.3f}",
        *("" if score is None else f"{score:.4g}" for score in scores),
        "" if seconds is None else f"{seconds:.3g} s",
        str(run.report.get("steps", "")),
        run.clock,
    )


def _tip(run: RunRecord) -> str:
    return (
        f"“{run.name}”: {run.task.title} of “{run.source}”: {run.settings}. Held-out: error on "
        "data that the fit has not seen, in standard deviations of the noise. PSNR and SSIM appear "
        "after Measure in the dock Compare."
    )
