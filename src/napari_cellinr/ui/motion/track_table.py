"""A window with the table of tracks: distance, displacement and speed of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.macro.naming import file_name
from napari_cellinr.ui.layers.convert import find
from napari_cellinr.ui.widgets.buttons import push_button
from napari_cellinr.ui.widgets.chosen_file import chosen_file
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Layer

    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["TrackTable", "summary_of"]

WIDEST: Final = 900
"""Largest width of the window at first, in pixels."""


def summary_of(layer: Any) -> tuple[tuple[str, ...], list[tuple[float, ...]]]:
    """Return the columns and one row per track.

    Parameters
    ----------
    layer
        A Tracks layer of a reconstruction, whose features are speed, time and distance.

    Returns
    -------
    columns
        Names of the columns with their units.
    rows
        Track, first and last time, length of the path, displacement since the first frame, mean and
        largest speed.
    """
    names = list(layer.properties)
    speed, time, distance, displacement = (
        next(name for name in names if name.startswith(start))
        for start in ("speed", "time", "distance", "displacement")
    )
    seconds = time[len("time ") :]
    columns: tuple[str, ...] = (
        "track", f"from {seconds}", f"to {seconds}", distance, displacement,
        f"mean {speed}", f"largest {speed}",
    )  # fmt: skip
    rows: list[tuple[float, ...]] = []
    data = np.asarray(layer.data, float)
    values = {
        name: np.asarray(layer.properties[name], float)
        for name in (speed, time, distance, displacement)
    }
    for track in np.unique(data[:, 0]):
        own = data[:, 0] == track
        times, speeds = values[time][own], values[speed][own]
        paths, apart = values[distance][own], values[displacement][own]
        rows.append(
            (
                float(track), float(times[0]), float(times[-1]), float(paths[-1] - paths[0]),
                float(apart[-1]), float(speeds.mean()),
                float(speeds.max()),
            )
        )  # fmt: skip
    return columns, rows


class TrackTable(QDialog):
    """A window of its own, which leaves the viewer usable.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.
    layer
        The Tracks layer.
    parent
        Parent of the window.
    """

    def __init__(self, dispatcher: Dispatcher, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dispatcher, self._layer_id = dispatcher, layer.unique_id
        self.setWindowTitle(f"Tracks of “{layer.name}”")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        columns, rows = summary_of(layer)
        self.table = QTableWidget(len(rows), len(columns))
        self.table.setHorizontalHeaderLabels(list(columns))
        self.table.verticalHeader().hide()
        self.table.setTabKeyNavigation(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        for place, row in enumerate(rows):
            for column, value in enumerate(row):
                item = QTableWidgetItem()
                item.setData(Qt.ItemDataRole.DisplayRole, float(f"{value:.4g}"))
                self.table.setItem(place, column, item)
        self.table.setSortingEnabled(True)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.save_button = push_button(
            "Save as CSV …", "Save the position, speed and distance of every track at every time.",
            self.save,
        )  # fmt: skip
        hint = wrapping_label(
            "Distance is the length of the path. Noise lengthens a path but not a displacement."
        )
        layout = QVBoxLayout(self)
        layout.addWidget(self.table)
        layout.addWidget(hint)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.save_button)
        layout.addLayout(row)
        whole = header.length() + self.table.verticalScrollBar().sizeHint().width() + 40
        self.resize(min(WIDEST, whole), 320)

    @Slot()
    def save(self) -> None:
        """Ask for a file, and save the tracks in it."""
        layer = find(self._dispatcher.viewer, self._layer_id)
        if layer is None:
            self._dispatcher.controller.say("error", "the layer of these tracks was removed.")
            return
        usual = f"{file_name(str(layer.name))}.csv"
        name, _ = QFileDialog.getSaveFileName(self, "Save tracks", usual, "Table (*.csv)")
        if name:
            with self._dispatcher.controller.errors_shown():
                self.save_as(chosen_file(name, (".csv",)))

    def save_as(self, path: Path) -> None:
        """Save the tracks in a file; the dialog has asked before replacing it."""
        layer = find(self._dispatcher.viewer, self._layer_id)
        if layer is None:
            return
        with self._dispatcher.controller.errors_shown():
            self._dispatcher.save(layer, path, overwrite=True)
