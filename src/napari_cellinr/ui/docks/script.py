"""The dock that shows the recorded steps as a script, to copy, save or replay."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer, Slot
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import CodeSyntaxHighlight

from napari_cellinr.macro import STYLES, script
from napari_cellinr.ui.history.run_table import RunTable
from napari_cellinr.ui.history.step_list import StepList
from napari_cellinr.ui.session.console import console_of
from napari_cellinr.ui.session.dispatcher import dispatcher_of
from napari_cellinr.ui.widgets.buttons import guide_button, push_button
from napari_cellinr.ui.widgets.chosen_file import chosen_file
from napari_cellinr.ui.widgets.labels import wrapping_label
from napari_cellinr.ui.widgets.tabs import MINIMUM_WIDTH, TabbedDock

if TYPE_CHECKING:
    import napari
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

__all__ = ["ScriptDock"]

logger = logging.getLogger(__name__)

PATIENCE = 50
"""Longest wait for the first prompt of a new console, in tenths of a second."""


class ScriptDock(TabbedDock):
    """Shows the steps recorded in this viewer as a script in one of three formats."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.dispatcher = dispatcher_of(napari_viewer)
        self.console = console_of(napari_viewer)
        self.style_box = QComboBox()
        for style, title in STYLES.items():
            self.style_box.addItem(title, style)
        self.style_box.setMinimumContentsLength(6)
        self.style_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._script = ""
        self._pending: tuple[Any, str] = (None, "")
        self._tries = 0
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(100)
        self._later.timeout.connect(self._write)
        self.record_box = QCheckBox("Record")
        self.record_box.setChecked(self.dispatcher.recorder.is_on)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAcceptDrops(False)  # the dock takes them
        self.setAcceptDrops(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setPlaceholderText(
            "No steps recorded yet. Open and denoise an image: the steps appear here as a script."
        )
        self.message = wrapping_label()
        self.message.hide()
        self.highlight = CodeSyntaxHighlight(self.text.document(), "python", self._theme())
        self._make_buttons()
        self._lay_out()
        self.style_box.activated.connect(self.refresh)
        self.record_box.toggled.connect(self._on_record)
        self.dispatcher.recorded.connect(self.refresh)
        self.dispatcher.viewer.events.theme.connect(self._on_theme)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the script of the present steps."""
        macro = self.dispatcher.recorder.macro
        style = self.style_box.currentData()
        self.highlight.setLanguage("bash" if style == "cli" else "python")
        self._script = script(macro, style) if macro.steps else ""
        self.text.setPlainText(self._script)
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())
        for button in self._buttons:
            button.setEnabled(bool(macro.steps))
        self.record_box.setChecked(self.dispatcher.recorder.is_on)
        self._say("")  # what was said is about another script

    @Slot()
    def copy(self) -> None:
        """Copy the displayed script to the clipboard."""
        QApplication.clipboard().setText(self._script)  # the widget replaces rare line breaks
        self._say("The script is in the clipboard.")

    def _say(self, text: str) -> None:
        """Show a message below the script; an empty one hides it."""
        self.message.setText(text)
        self.message.setVisible(bool(text))

    @Slot()
    def insert(self) -> None:
        """Insert the script into napari's console, to edit and run it."""
        console = _console(self.dispatcher.viewer)
        if console is None:
            text = "The napari console is not available; copy the script instead."
            self.dispatcher.controller.say("info", text)
            return
        self._pending = console, script(self.dispatcher.recorder.macro)
        self._tries = PATIENCE
        self._write()

    @Slot()
    def _write(self) -> None:
        """Write at the prompt; a new console shows its first prompt after a while."""
        console, text = self._pending
        self._tries -= 1
        if getattr(console, "_prompt", "") or self._tries <= 0:
            console.input_buffer = text
        else:
            self._later.start()

    @Slot()
    def save(self) -> None:
        """Ask for a file, and save the displayed script in it."""
        suffix = ".sh" if self.style_box.currentData() == "cli" else ".py"
        kinds = {f"Script (*{suffix})": suffix, "Recipe (*.json)": ".json"}
        kinds["Notebook (*.ipynb)"] = ".ipynb"
        name, kind = QFileDialog.getSaveFileName(
            self, "Save script", f"macro{suffix}", ";;".join(kinds)
        )
        if name:
            first = kinds.get(kind, suffix)
            with self.dispatcher.controller.errors_shown():
                self.save_as(str(chosen_file(name, (first, *kinds.values()))))

    def save_as(self, name: str) -> None:
        """Save the displayed script; `.json` is a recipe, `.ipynb` a notebook.

        An existing file is replaced: the dialog has asked.
        """
        with self.dispatcher.controller.errors_shown():
            self._say("")
            style = self.style_box.currentData()
            self.console.save_macro(Path(name), style=style, overwrite=True)
            self._say(f"{Path(name).name} is written.")
            self.message.setToolTip(name)

    @Slot()
    def replay(self) -> None:
        """Repeat all steps in this viewer."""
        with self.dispatcher.controller.errors_shown():
            self.console.replay()

    @Slot()
    def open(self) -> None:
        """Ask for a macro, show its steps, and run them if the user agrees."""
        filters = "Macro or recipe (*.py *.json)"
        name, _ = QFileDialog.getOpenFileName(self, "Open macro", "", filters)
        if name:
            self.open_macro(name)

    def open_macro(self, name: str) -> None:
        """Read a macro, show its steps and files, and run it if the user agrees."""
        with self.dispatcher.controller.errors_shown():
            self.console.replay(Path(name))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Accept macros and recipes."""
        if _macros_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Show the steps of a dropped macro, and run them if the user agrees.

        The macro is parsed: it is never executed as Python code.
        """
        event.acceptProposedAction()
        for name in _macros_in(event)[:1]:
            self.open_macro(name)

    @Slot(bool)
    def _on_record(self, is_on: bool) -> None:
        if is_on != self.dispatcher.recorder.is_on:
            (self.console.start if is_on else self.console.stop)()

    def _on_theme(self) -> None:
        self.highlight.setTheme(self._theme())
        self.highlight.rehighlight()

    def _theme(self) -> str:
        return str(get_theme(self.dispatcher.viewer.theme).syntax_style)

    def _make_buttons(self) -> None:
        self.copy_button = push_button("Copy", "Copy the script to the clipboard.", self.copy)
        self.insert_button = push_button(
            "Insert", "Insert the script into napari's console, to edit and run it.", self.insert
        )
        has_console = _window_of(self.dispatcher.viewer) is not None
        self.insert_button.setVisible(find_spec("napari_console") is not None and has_console)
        self.save_button = push_button(
            "Save …",
            "Save as a script, a recipe (.json) or a notebook (.ipynb).",
            self.save,
        )
        self.replay_button = push_button("Replay", "Repeat all steps in this viewer.", self.replay)
        self.open_button = push_button(
            "Open …", "Open a macro or recipe; its steps are shown before they are run.", self.open
        )
        self.clear_button = push_button("Clear", "Delete the recorded steps.", self.console.clear)
        self._buttons = (
            self.copy_button, self.insert_button, self.save_button, self.replay_button,
            self.clear_button,
        )  # fmt: skip

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.style_box, 1)
        top.addWidget(self.record_box)
        top.addWidget(guide_button("scripts"))
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for number, button in enumerate((*self._buttons, self.open_button)):
            button.setMinimumWidth(36)
            buttons.addWidget(button, *divmod(number, 3))
        page = QWidget()
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 4, 0, 0)
        inner.addLayout(top)
        inner.addWidget(self.text, 1)
        inner.addLayout(buttons)
        inner.addWidget(self.message)
        self.steps, self.runs = StepList(self.dispatcher), RunTable(self.dispatcher)
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        for widget, title in ((page, "Script"), (self.steps, "Steps"), (self.runs, "Runs")):
            self.pages.addTab(widget, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.pages)
        self.setMinimumWidth(MINIMUM_WIDTH)


def _macros_in(event: QDropEvent) -> list[str]:
    """Return the macros and recipes among the dropped files."""
    names = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return [name for name in names if Path(name).suffix.lower() in {".py", ".json"}]


def _window_of(viewer: napari.Viewer) -> Any:
    """Return the object that holds the console: private in napari, may vanish in later versions."""
    window = getattr(getattr(viewer, "__wrapped__", viewer), "window", None)
    return getattr(getattr(window, "__wrapped__", window), "_qt_viewer", None)


def _console(viewer: napari.Viewer) -> Any:
    """Show napari's console and return it; None if it is not available.

    Errors of later versions of napari are ignored: the script can still be copied.
    """
    holder = _window_of(viewer)
    try:
        console = holder.console
        holder.dockConsole.setVisible(True)
    except Exception as error:
        logger.info("no console: %s", error)
        return None
    return console if hasattr(console, "input_buffer") else None
