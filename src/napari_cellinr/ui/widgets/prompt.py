"""A text, or a prompt with a line to enter the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QThread, Signal, Slot
from qtpy.QtWidgets import (
    QApplication,
    QGridLayout,
    QLineEdit,
    QMainWindow,
    QPushButton,
    QWidget,
)

from napari_cellinr.ui.widgets.labels import COLOURS, sentence, wrapping_label

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

__all__ = ["PromptLine", "can_ask", "parent_window"]


def can_ask() -> bool:
    """Return whether a dialog can be shown: there is a Qt application, and this is its thread."""
    application = QApplication.instance()
    return application is not None and QThread.currentThread() == application.thread()


def parent_window() -> QWidget | None:
    """Return the window that a dialog belongs to, whose theme it takes; None without a window."""
    active = QApplication.activeWindow()
    windows = [one for one in QApplication.topLevelWidgets() if isinstance(one, QMainWindow)]
    return active or next((one for one in windows if one.isVisible()), None)


class PromptLine(QWidget):
    """A text, with a button to correct it, or a prompt with a line to enter the answer.

    Signals
    -------
    entered
        The answer, when the user confirms it.
    edited
        The present text, while the user types.
    left
        The user has left the value as it was.

    Parameters
    ----------
    button
        Label of the button that confirms the answer.
    tip
        Tooltip of the line.
    """

    entered = Signal(str)
    edited = Signal(str)
    left = Signal()

    def __init__(self, button: str, tip: str) -> None:
        super().__init__()
        self.label = wrapping_label()
        self.edit = QLineEdit()
        self.edit.setToolTip(tip)
        self.button = QPushButton(button)
        self.edit_button = QPushButton("Edit")
        self.edit_button.setToolTip("Correct this value. Esc leaves it as it is.")
        self._answer: str | None = None
        self._editing = False
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(self.edit, 0, 0)
        grid.addWidget(self.button, 0, 1)
        grid.addWidget(self.label, 1, 0)
        grid.addWidget(self.edit_button, 1, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(0, 1)
        self.edit_button.clicked.connect(self.correct)
        self.button.clicked.connect(self._on_entered)
        self.edit.returnPressed.connect(self._on_entered)
        self.edit.textEdited.connect(self.edited)

    def say(self, text: str, answer: str | None = None) -> None:
        """Show a text without a prompt, unless the user is correcting it.

        Parameters
        ----------
        text
            The text.
        answer
            What the line holds when the user corrects the text; None if it cannot be corrected.
        """
        self._answer = answer
        if self._editing and answer is not None:
            return
        self._editing = False
        self._show("info", text)
        self.edit_button.setVisible(answer is not None)
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
        self._editing = False
        self.edit_button.hide()
        if self.edit.isHidden() or not self.edit.isModified():
            self.edit.setText(guess)
        self._show("info", text)
        self.button.setEnabled(True)
        self.edit.show()
        self.button.show()

    @Slot()
    def correct(self) -> None:
        """Show the line with the present value, to be corrected."""
        self._editing = True
        self.edit.setText(self._answer or "")
        self.edit_button.hide()
        self.button.setEnabled(True)
        self.edit.show()
        self.button.show()
        self.edit.setFocus()
        self.edit.selectAll()

    def forget(self) -> None:
        """Let the next guess replace what the user has typed, and end a correction."""
        self.edit.setModified(False)
        self._editing = False

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Leave the value as it is on Esc."""
        if event.key() == Qt.Key.Key_Escape and self._editing:
            self.forget()
            self.left.emit()
        else:
            super().keyPressEvent(event)

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

    def approve(self, text: str) -> None:
        """Show that the answer is allowed."""
        self._show("info", text)
        self.button.setEnabled(True)

    def _show(self, kind: str, text: str) -> None:
        self.label.setStyleSheet(COLOURS[kind])
        self.label.setText(text)

    @Slot()
    def _on_entered(self) -> None:
        self.entered.emit(self.edit.text())
