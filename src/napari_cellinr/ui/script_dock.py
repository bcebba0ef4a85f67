"""The dock with what was done as a script: live, to be copied, saved and done again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import Slot
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import CodeSyntaxHighlight

from napari_cellinr.errors import CellINRError
from napari_cellinr.macro import STYLES, script
from napari_cellinr.ui.console import console_of
from napari_cellinr.ui.dispatch import dispatcher_of
from napari_cellinr.ui.tabs import MINIMUM_WIDTH, TabbedDock, guide_button

if TYPE_CHECKING:
    import napari

__all__ = ["ScriptDock"]


class ScriptDock(TabbedDock):
    """What was done in this viewer, as a script in one of three languages."""

    def __init__(self, napari_viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dispatcher = dispatcher_of(napari_viewer)
        self.console = console_of(napari_viewer)
        self.style_box = QComboBox()
        for style, title in STYLES.items():
            self.style_box.addItem(title, style)
        self.style_box.setMinimumContentsLength(6)
        self.style_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.record_box = QCheckBox("Record")
        self.record_box.setChecked(self.dispatcher.recorder.is_on)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setPlaceholderText(
            "Nothing was done yet. Open an image, denoise it: the script writes itself here."
        )
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
        """Show the script as it is now."""
        macro = self.dispatcher.recorder.macro
        style = self.style_box.currentData()
        self.highlight.setLanguage("bash" if style == "cli" else "python")
        self.text.setPlainText(script(macro, style) if macro.steps else "")
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())
        for button in (self.copy_button, self.save_button, self.replay_button, self.clear_button):
            button.setEnabled(bool(macro.steps))
        self.record_box.setChecked(self.dispatcher.recorder.is_on)

    @Slot()
    def copy(self) -> None:
        """Put the script that is shown into the clipboard."""
        QApplication.clipboard().setText(self.text.toPlainText())

    @Slot()
    def save(self) -> None:
        """Ask for a file, and save the script that is shown in it."""
        suffix = ".sh" if self.style_box.currentData() == "cli" else ".py"
        filters = f"Script (*{suffix});;Recipe (*.json)"
        name, _ = QFileDialog.getSaveFileName(self, "Save script", f"macro{suffix}", filters)
        if name:
            self.save_as(name)

    def save_as(self, name: str) -> None:
        """Save the script that is shown; a recipe if the name ends with `.json`."""
        try:
            self.console.save_macro(Path(name), style=self.style_box.currentData())
        except CellINRError as error:
            self.dispatcher.controller.say("error", str(error))

    @Slot()
    def replay(self) -> None:
        """Do every step again."""
        try:
            self.console.replay()
        except CellINRError as error:
            self.dispatcher.controller.say("error", str(error))

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
        self.copy_button = _button("Copy", "Copy the script.", self.copy)
        self.save_button = _button(
            "Save …", "Save the script; a file for napari can be dropped onto a viewer.", self.save
        )
        self.replay_button = _button("Replay", "Do every step again, in this viewer.", self.replay)
        self.clear_button = _button("Clear", "Forget what was recorded.", self.console.clear)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.style_box, 1)
        top.addWidget(self.record_box)
        top.addWidget(guide_button("scripts"))
        buttons = QGridLayout()
        buttons.setSpacing(4)
        for place, button in enumerate(
            (self.copy_button, self.save_button, self.replay_button, self.clear_button)
        ):
            buttons.addWidget(button, 0, place)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.text, 1)
        layout.addLayout(buttons)
        self.setMinimumWidth(MINIMUM_WIDTH)


def _button(text: str, tip: str, slot: object) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(40)
    button.clicked.connect(slot)
    return button
