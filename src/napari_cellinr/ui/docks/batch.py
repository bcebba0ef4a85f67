"""The dock that applies the steps of a macro to many files, with a table of their states."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QLineEdit,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_cellinr.errors import CellINRError
from napari_cellinr.io.names import place_of
from napari_cellinr.macro import Macro, load_macro
from napari_cellinr.macro.actions import action_of
from napari_cellinr.text import n_of
from napari_cellinr.ui.layers.opening import files_of
from napari_cellinr.ui.panels.macro_steps import confirm
from napari_cellinr.ui.session.actions import Request
from napari_cellinr.ui.session.controller import Work
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.widgets.buttons import guide_button, push_button
from napari_cellinr.ui.widgets.labels import COLOURS, sentence, wrapping_label
from napari_cellinr.ui.widgets.scrolled import Scrolled
from napari_cellinr.ui.widgets.tabs import MINIMUM_WIDTH, TabbedDock
from napari_cellinr.ui.widgets.workers import WorkersPanel

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_cellinr.macro.batch.run import Row

__all__ = ["BatchDock"]

RESULTS: Final = "results"
"""Folder of the results beside the first file."""

MOST_REASONS: Final = 3
"""Failed images whose reasons are shown below the table."""


class BatchDock(TabbedDock):
    """Applies one recipe to many files, in the background.

    Files are added by the button or by drag and drop; the recipe is a saved macro, or the steps
    that were recorded in this viewer.
    """

    rows_changed = Signal(object)
    told = Signal(str)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.dispatcher = dispatcher_of(napari_viewer)
        self.controller = self.dispatcher.controller
        self.paths: list[Path] = []
        self._confirmed: Macro | None = None  # the last recipe from a file that the user confirmed
        self._make_widgets()
        self._lay_out()
        self.setAcceptDrops(True)
        self.rows_changed.connect(self.show_rows)
        self.told.connect(self._show_workers)
        self.controller.said.connect(self._say)
        self.controller.outdated.connect(self.status.remove)
        self.controller.state_changed.connect(self.refresh)
        self.dispatcher.recorded.connect(self.refresh)
        self.recipe_edit.textChanged.connect(self.refresh)
        self.refresh()

    def add_files(self, paths: list[Path]) -> None:
        """Add files to the table, each once; a folder adds the files in it."""
        try:
            files = files_of(paths)
        except CellINRError as error:
            self.controller.say("error", str(error))
            return
        self.paths = list(dict.fromkeys([*self.paths, *files]))
        self._fill()
        self.refresh()

    @property
    def options(self) -> dict[str, Any]:
        """The options of `iter_batch`: which images, whether again, how many in parallel."""
        return {
            "every_series": self.series_box.isChecked(),
            "every_time": self.time_box.isChecked(),
            "again": self.again_box.isChecked(),
            "workers": self.workers_box.value(),
            "scheduler": self.workers_panel.scheduler,
        }

    def recipe(self) -> Macro:
        """Return the steps of the recipe file, or the recorded ones if no file is given.

        Raises
        ------
        CellINRError
            If the file contains no macro.
        """
        text = self.recipe_edit.text().strip()
        return load_macro(text) if text else self.dispatcher.recorder.macro

    def output(self) -> Path:
        """Return the folder of the results; `results` beside the first file if none is given.

        A relative path counts from the folder of the first file, not from the one in which napari
        was started.
        """
        place = place_of(self.output_edit.text().strip() or RESULTS)
        return (self.paths[0].absolute().parent if self.paths else Path.cwd()) / place

    def _recipe_fault(self) -> str:
        """Return why the recipe cannot be run; an empty text if it can."""
        try:
            macro = self.recipe()
        except CellINRError as error:
            return sentence(str(error))
        if any(not action_of(step).opens for step in macro.repeatable):
            return ""
        return "No steps recorded yet: denoise an image in this viewer, or choose a macro."

    @Slot()
    def run(self) -> None:
        """Run or queue the batch; the steps of a recipe file are to be confirmed first."""
        with self.controller.errors_shown():
            macro = self.recipe()
            output = self.output()
            name = self.recipe_edit.text().strip()
            if name and macro != self._confirmed:
                if not confirm(Path(name).name, macro, (), output):
                    return
                self._confirmed = macro
            work = partial(self._work, macro, list(self.paths), output, self.options)
            request = Request("batch", work, False)
            self.workers_panel.show_link("")
            self.dispatcher.queue.submit(request)

    @Slot(object)
    def show_rows(self, rows: tuple[Row, ...]) -> None:
        """Show state, time and error of every image."""
        if self.table.rowCount() != len(rows):
            self.table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            seconds = f"{row.seconds:.0f} s" if row.seconds else ""
            for column, text in enumerate((row.title, row.state, seconds, _reason(row))):
                item = QTableWidgetItem(text)
                item.setToolTip(row.source if column == 0 else row.error or text)
                self.table.setItem(place, column, item)
        failed = [f"{row.title}: {_reason(row)}" for row in rows if row.error]
        more = f"\n… and {len(failed) - MOST_REASONS} more" if len(failed) > MOST_REASONS else ""
        self.failures.setText("\n".join(failed[:MOST_REASONS]) + more)
        for widget in (self.failures, self._reasons):
            widget.setVisible(bool(failed))

    @Slot()
    def refresh(self) -> None:
        """Enable the buttons that apply."""
        idle = self.controller.state == "idle"
        fault = self._recipe_fault()
        self.recipe_fault.setText(fault)
        self.recipe_fault.setVisible(bool(fault))
        lacks = self.workers_panel.lacks_address
        self.run_button.setEnabled(bool(self.paths) and not fault and not lacks)
        self.place.setText(f"Results go to {self.output()}" if self.paths else "")
        self.place.setVisible(bool(self.paths))
        self.run_button.setText("Run" if idle else "Queue")
        self.stop_button.setEnabled(not idle)
        self.clear_button.setEnabled(bool(self.paths) and idle)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Add dropped images and those in dropped folders; a dropped macro becomes the recipe."""
        event.acceptProposedAction()
        urls = event.mimeData().urls()
        paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
        macros = [path for path in paths if path.suffix in {".py", ".json"}]
        if macros:
            self.recipe_edit.setText(str(macros[-1]))
        self.add_files([path for path in paths if path not in macros])

    def _work(self, macro: Macro, paths: list[Path], output: Path, options: dict[str, Any]) -> Work:
        def make() -> Any:
            from napari_cellinr.macro.batch.run import iter_batch

            # A signal carries the rows from the thread of the job to this one.
            return iter_batch(
                macro, paths, output, tell=self.rows_changed.emit, say=self.told.emit, **options
            )

        return Work(f"batch of {n_of(len(paths), 'file')}", make, self._show_end, quick=True)

    def _show_end(self, rows: tuple[Row, ...]) -> None:
        self.show_rows(rows)
        counts = {state: sum(row.state == state for row in rows) for state in _ENDS}
        text = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        self.controller.say("warning" if counts["failed"] else "info", f"Batch: {text}.")

    @Slot()
    def _ask_for_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Add files")
        self.add_files([Path(name) for name in names])

    @Slot()
    def _ask_for_recipe(self) -> None:
        filters = "Macro or recipe (*.py *.json)"
        name, _ = QFileDialog.getOpenFileName(self, "Recipe", "", filters)
        if name:
            self.recipe_edit.setText(name)

    @Slot()
    def _ask_for_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder for the results")
        if name:
            self.output_edit.setText(name)

    @Slot()
    def _clear(self) -> None:
        self.paths.clear()
        self._fill()
        self.refresh()

    @Slot(str)
    def _show_workers(self, text: str) -> None:
        from napari_cellinr.macro.batch.run import LINK

        if text.startswith(LINK):
            self.workers_panel.show_link(text.removeprefix(LINK).strip())
        else:
            self.controller.say("warning", text)

    @Slot(str, str)
    def _say(self, kind: str, text: str) -> None:
        self.status.setStyleSheet(COLOURS[kind])
        self.status.setText(text)

    def _fill(self) -> None:
        self.table.setRowCount(0)
        self.table.setRowCount(len(self.paths))
        for row, path in enumerate(self.paths):
            item = QTableWidgetItem(path.name)
            item.setToolTip(str(path))
            self.table.setItem(row, 0, item)
            self.table.setItem(row, 1, QTableWidgetItem("waiting"))

    def _make_widgets(self) -> None:
        self.hint = wrapping_label(
            "Drop images or folders here, and a macro as recipe. Without a recipe, the steps "
            "recorded in this viewer are applied to every file."
        )
        self.recipe_edit, self.output_edit = QLineEdit(), QLineEdit()
        self.recipe_edit.setPlaceholderText("recorded steps")
        self.recipe_fault = wrapping_label(kind="warning")
        self.output_edit.setPlaceholderText("results, beside the first file")
        self.output_edit.setToolTip(
            "Folder of the results and of summary.csv; a relative path counts from the folder of "
            "the first file."
        )
        self.output_edit.textChanged.connect(self.refresh)
        self.place = wrapping_label()
        self.failures = wrapping_label(kind="error")
        self.failures.hide()
        self.recipe_button = push_button("Recipe …", "Choose a macro (.py) or recipe (.json).")
        self.output_button = push_button(
            "Results …", "Choose the folder for the results and summary.csv."
        )
        self.add_button = push_button("Add files …", "Choose images to process.")
        self.clear_button = push_button("Clear", "Remove all files from the table.")
        self.run_button = push_button("Run", "Apply the steps to every image in the table.")
        self.stop_button = push_button("Stop", "Stop the batch.")
        self.recipe_button.clicked.connect(self._ask_for_recipe)
        self.output_button.clicked.connect(self._ask_for_folder)
        self.add_button.clicked.connect(self._ask_for_files)
        self.clear_button.clicked.connect(self._clear)
        self.run_button.clicked.connect(self.run)
        self.stop_button.clicked.connect(self.controller.stop)
        self.series_box = QCheckBox("Every position")
        self.series_box.setToolTip(
            "Process every image (position) of each file; otherwise only the first."
        )
        self.time_box = QCheckBox("Every time point")
        self.time_box.setToolTip(
            "Process every time point separately; otherwise the time series as a whole."
        )
        self.again_box = QCheckBox("Redo")
        self.again_box.setToolTip(
            "Process images again whose results exist; otherwise they are skipped."
        )
        self.workers_box = QSpinBox()
        self.workers_box.setRange(1, max(1, os.cpu_count() or 1))
        self.workers_box.setSuffix(" in parallel")
        self.workers_box.setAccessibleName("Images in parallel")
        self.workers_box.setToolTip(
            "Number of images processed in parallel, each in its own process. One fit uses several "
            "cores: parallel fits are faster for small images only, and need more memory."
        )
        self.workers_panel = WorkersPanel()
        self.workers_panel.changed.connect(self.refresh)
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["Image", "State", "Time", "Error"])
        self.table.verticalHeader().hide()
        self.table.setMinimumHeight(44)
        self.table.setTabKeyNavigation(False)  # Tab leaves the table
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self.status = wrapping_label()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.recipe_edit, 0, 0)
        grid.addWidget(self.recipe_button, 0, 1)
        grid.addWidget(self.recipe_fault, 1, 0, 1, 2)
        grid.addWidget(self.output_edit, 2, 0)
        grid.addWidget(self.output_button, 2, 1)
        grid.addWidget(self.place, 3, 0, 1, 2)
        grid.addWidget(self.add_button, 4, 0)
        grid.addWidget(self.clear_button, 4, 1)
        parts = QGridLayout()
        parts.setSpacing(6)
        parts.addWidget(self.series_box, 0, 0)
        parts.addWidget(self.workers_box, 0, 1)
        parts.addWidget(self.time_box, 1, 0)
        parts.addWidget(self.again_box, 1, 1)
        parts.setColumnStretch(0, 1)
        buttons = QGridLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.run_button, 0, 0)
        buttons.addWidget(self.stop_button, 0, 1)
        buttons.addWidget(guide_button("scripts"), 0, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.hint)
        layout.addLayout(grid)
        layout.addLayout(parts)
        layout.addWidget(self.workers_panel)
        layout.addWidget(self.table, 1)
        reasons = QWidget()
        QVBoxLayout(reasons).addWidget(self.failures)
        reasons.layout().setContentsMargins(0, 0, 0, 0)
        self._reasons = Scrolled(reasons)
        self._reasons.hide()  # its spacing, too
        layout.addWidget(self._reasons)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        self.setMinimumWidth(MINIMUM_WIDTH)


def _reason(row: Row) -> str:
    """Return why an image failed, without the folders of its path, which would fill the column."""
    path = Path(row.source)
    return row.error.replace(str(path), path.name).replace(f"{path.name} ", "", 1)


_ENDS = ("done", "skipped", "failed", "stopped")
