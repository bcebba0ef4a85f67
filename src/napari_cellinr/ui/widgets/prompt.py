"""A text, or a prompt with a line to enter the answer."""

from __future__ import annotations

from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import QGridLayout, QLineEdit, QPushButton, QWidget

from napari_cellinr.ui.widgets.labels import COLOURS, sentence, wrapping_label

__all__ = ["PromptLine"]


class PromptLine(QWidget):
    """A text, or a prompt with a line to enter the answer.

    Signals
    -------
    entered
        The answer, when the user confirms it.
    edited
        The present text, while the user types.

    Parameters
    ----------
    button
        Label of the button that confirms the answer.
    tip
        Tooltip of the line.
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
        """Show a text without a prompt."""
        self._show("info", text)
        self.edit.setModified(False)
        self.edit.hide()
        self.button.hide()

    def ask(self, guess: str, text: str) -> None:
        """Prompt for an answer; text that the user has typed stays.

        Parameters
        ----------
        guess
            Answer to confirm or complete.
        text
            Explanation below the line.
        """
        if self.edit.isHidden() or not self.edit.isModified():
            self.edit.setText(guess)
        self._show("info", text)
        self.button.setEnabled(True)
        self.edit.show()
        self.button.show()

    def forget(self) -> None:
        """Let the next guess replace what the user has typed."""
        self.edit.setModified(False)

    def fail(self, text: str, *, wait: bool = False) -> None:
        """Show the error of the answer.

        Parameters
        ----------
        text
            The error.
        wait
            Whether to disable the button until the text is edited.
        """
        self._show("error", sentence(text))
        self.button.setEnabled(not wait)

    def _show(self, kind: str, text: str) -> None:
        self.label.setStyleSheet(COLOURS[kind])
        self.label.setText(text)

    @Slot()
    def _on_entered(self) -> None:
        self.entered.emit(self.edit.text())
