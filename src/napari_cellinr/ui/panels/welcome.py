"""The text and the button Try it that a dock shows while there is no image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QPushButton, QVBoxLayout

from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from napari_cellinr.ui.task import Task

__all__ = ["Welcome"]


class Welcome(QFrame):
    """A short text and the button “Try it”.

    Signals
    -------
    requested
        The button was clicked: open the sample of the task and preview its result.
    """

    requested = Signal()

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.setObjectName("cellinr_welcome")
        self.setStyleSheet(
            "QFrame#cellinr_welcome { border: 1px dashed #808080; border-radius: 6px; }"
        )
        self._text = task.empty_text
        self.label = wrapping_label(task.empty_text)
        self.button = QPushButton("Try it")
        self.button.setToolTip("Open a simulated image and preview the result.")
        self.button.clicked.connect(self.requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(8)
        layout.addWidget(self.label)
        layout.addWidget(self.button)

    def explain(self, why: str) -> None:
        """Show why no layer can be processed, before the text; an empty reason removes it."""
        self.label.setText(f"{why} {self._text}".lstrip())
