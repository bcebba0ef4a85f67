"""A fact, or a question with one line to answer it."""

from __future__ import annotations

from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import QGridLayout, QLineEdit, QPushButton, QWidget

from napari_cellinr.ui.widgets.labels import COLOURS, sentence, wrapping_label

__all__ = ["AskedLine"]


class AskedLine(QWidget):
    """A fact, or a question with one line to answer it.

    Signals
    -------
    entered
        The answer, when it is given.
    edited
        What the user has typed so far.

    Parameters
    ----------
    button
        What the button says that gives the answer.
    tip
        How to answer.
    """

    entered = Signal(str)
    edited = Signal(str)

    def __init__(self, button: str, tip: str) -> None:
        super().__init__()
        self.label = wrapping_label()
        self.edit = QLineEdit()
        self.edit.setToolTip(tip)
        self.button = QPushButton(button)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.edit, 0, 0)
        grid.addWidget(self.button, 0, 1)
        grid.addWidget(self.label, 1, 0, 1, 2)
        grid.setColumnStretch(0, 1)
        self.button.clicked.connect(self._on_entered)
        self.edit.returnPressed.connect(self._on_entered)
        self.edit.textEdited.connect(self.edited)

    def say(self, text: str) -> None:
        """Show a fact."""
        self._show("info", text)
        self.edit.setModified(False)
        self.edit.hide()
        self.button.hide()

    def ask(self, guess: str, text: str) -> None:
        """Show a guess to be confirmed, and what it is about; what the user types stays."""
        if self.edit.isHidden() or not self.edit.isModified():
            self.edit.setText(guess)
        self._show("info", text)
        self.button.setEnabled(True)
        self.edit.show()
        self.button.show()

    def forget(self) -> None:
        """Drop what the user has typed: it was about something else, or is answered."""
        self.edit.setModified(False)

    def fail(self, text: str, *, wait: bool = False) -> None:
        """Show what is wrong with the answer; with `wait`, it cannot be given as it is."""
        self._show("error", sentence(text))
        self.button.setEnabled(not wait)

    def _show(self, kind: str, text: str) -> None:
        self.label.setStyleSheet(COLOURS[kind])
        self.label.setText(text)

    @Slot()
    def _on_entered(self) -> None:
        self.entered.emit(self.edit.text())
