"""Offers to resume a job that was interrupted by a crash or a closed window."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal, Slot
from qtpy.QtWidgets import QFrame, QGridLayout, QPushButton

from napari_cellinr.ui.widgets.labels import wrapping_label

if TYPE_CHECKING:
    from napari_cellinr.runs.resume import Unfinished
    from napari_cellinr.ui.task import Task

__all__ = ["ResumeOffer"]


class ResumeOffer(QFrame):
    """An interrupted job with the buttons Resume and Discard; hidden if there is none.

    Signals
    -------
    accepted
        The `Unfinished` job to resume.
    """

    accepted = Signal(object)

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task
        self._job: Unfinished | None = None
        self.setObjectName("cellinr_resume")
        self.setStyleSheet(
            "QFrame#cellinr_resume { border: 1px solid #e0a030; border-radius: 6px; }"
        )
        self.label = wrapping_label()
        self.resume_button = QPushButton("Resume")
        self.resume_button.setToolTip("Continue from the last checkpoint; the result is the same.")
        self.discard_button = QPushButton("Discard")
        self.discard_button.setToolTip("Delete the checkpoint of this job.")
        self.resume_button.clicked.connect(self._on_resume)
        self.discard_button.clicked.connect(self._on_discard)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 8, 8, 8)
        grid.setSpacing(4)
        grid.addWidget(self.label, 0, 0, 1, 2)
        grid.addWidget(self.resume_button, 1, 0)
        grid.addWidget(self.discard_button, 1, 1)
        self.hide()

    @Slot()
    def look(self) -> None:
        """Show the newest interrupted job of the task, if there is one."""
        from napari_cellinr.runs.resume import unfinished

        jobs = [job for job in unfinished() if job.action == self._task.name]
        self._job = jobs[0] if jobs else None
        self.setVisible(self._job is not None)
        if self._job is not None:
            when = time.strftime("%d %b, %H:%M", time.localtime(self._job.when))
            name = self._job.source["name"]
            self.label.setText(f"The {self._task.noun} of {name} was interrupted ({when}).")

    @Slot()
    def look_again(self) -> None:
        """Hide an offer that was accepted in another dock meanwhile."""
        if not self.isHidden():
            self.look()

    @Slot()
    def _on_resume(self) -> None:
        self.hide()
        self.accepted.emit(self._job)

    @Slot()
    def _on_discard(self) -> None:
        from napari_cellinr.runs.resume import discard

        if self._job is not None:
            discard(self._job.path)
        self.look()
