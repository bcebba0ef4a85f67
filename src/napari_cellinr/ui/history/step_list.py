"""The steps of the script as a list: disable or delete one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_cellinr.macro.actions import ACTIONS, to_console
from napari_cellinr.ui.widgets.buttons import push_button
from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_cellinr.macro import Step
    from napari_cellinr.ui.session.dispatcher import Dispatcher

__all__ = ["StepList"]


class StepList(QWidget):
    """The recorded steps; those that are not checked are skipped.

    Parameters
    ----------
    dispatcher
        The actions of the viewer.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._recorder = dispatcher.recorder
        self.list = QListWidget()
        self.list.setAccessibleName("Steps of the script")
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.delete_button = push_button(
            "Delete step", "Delete the selected step, and the steps that use its results.",
            self.delete,
        )  # fmt: skip
        self.message = wrapping_label("Steps that are not checked are skipped.")
        row = QHBoxLayout()
        row.addWidget(self.delete_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        layout.addWidget(self.message)
        self.list.currentRowChanged.connect(self._on_row)
        self.list.itemChanged.connect(self._on_checked)
        dispatcher.recorded.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """List the steps."""
        with suppress(RuntimeError):  # the Qt dock is deleted, its Python object is not
            row = self.list.currentRow()
            self.list.blockSignals(True)
            self.list.clear()
            for step in self._recorder.macro.steps:
                item = QListWidgetItem(_title(step))
                item.setToolTip(to_console(step).text)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                checked = Qt.CheckState.Unchecked if step.disabled else Qt.CheckState.Checked
                item.setCheckState(checked)
                if step.status == "failed" or ACTIONS[step.action].opens:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)
                self.list.addItem(item)
            self.list.setCurrentRow(min(row, self.list.count() - 1))
            self.list.blockSignals(False)
            self._on_row(self.list.currentRow())

    @Slot(int)
    def _on_row(self, row: int) -> None:
        self.delete_button.setEnabled(row >= 0)

    @Slot()
    def delete(self) -> None:
        """Delete the selected step."""
        place = self.list.currentRow()
        if place >= 0:
            self.message.setText(f"Deleted: {_titles(self._recorder.remove(place))}.")

    @Slot(QListWidgetItem)
    def _on_checked(self, item: QListWidgetItem) -> None:
        disabled = item.checkState() != Qt.CheckState.Checked
        changed = self._recorder.disable(self.list.row(item), disabled=disabled)
        verb = "Skipped" if disabled else "Enabled"
        if changed:
            self.message.setText(f"{verb}: {_titles(changed)}.")


def _title(step: Step) -> str:
    names = ", ".join(source.layer or source.path for source in step.sources)
    ended = f" ({step.status})" if step.status != "done" else ""
    return f"{step.action.replace('_', ' ')} · {names}{ended}"


def _titles(steps: Sequence[Step]) -> str:
    return "; ".join(map(_title, steps))
