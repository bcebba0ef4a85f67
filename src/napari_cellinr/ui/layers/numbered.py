"""Asks whether numbered files are time points, z planes or separate images."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from napari import settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QMessageBox

from napari_cellinr.errors import FileError
from napari_cellinr.ui.widgets.prompt import can_ask, parent_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["OpeningCancelledError", "ask", "choice"]

logger = logging.getLogger(__name__)

_ANSWERS: Final = {"time": "time points", "z": "z planes", "separate": "separate images"}
"""What files become, by the value of the preference `numbered_files`."""

_remembered: Final[dict[Path, str]] = {}
"""Answers by folder; they last until napari is closed."""


class OpeningCancelledError(FileError):
    """The user has cancelled the question, so that no file is opened."""


def choice(paths: Sequence[Path]) -> str:
    """Return `time`, `z` or `separate`: the preference, or the answer of the user.

    Parameters
    ----------
    paths
        Numbered files.

    Raises
    ------
    OpeningCancelledError
        If the user has cancelled.
    FileError
        If there is no window to ask in.
    """
    preferred = _preference()
    if preferred in _ANSWERS:
        return preferred
    folder = paths[0].absolute().parent
    if folder in _remembered:
        return _remembered[folder]
    answer, is_kept = ask(paths)
    if is_kept:
        _remembered[folder] = answer
    return answer


def ask(paths: Sequence[Path]) -> tuple[str, bool]:
    """Ask what numbered files are.

    Returns
    -------
    answer : str
        `time`, `z` or `separate`.
    is_kept : bool
        Whether the answer holds for the other files of the folder, too.

    Raises
    ------
    OpeningCancelledError
        If the user has cancelled.
    FileError
        If there is no window to ask in.
    """
    if not can_ask():
        raise FileError(
            f"{len(paths)} numbered files were given, time points or z planes; choose one: "
            f'napari_cellinr.read(folder, stack_axis="T"), or "Z".'
        )
    box = QMessageBox(parent_window())
    box.setWindowTitle("Numbered files")
    box.setTextFormat(Qt.TextFormat.PlainText)  # names are not HTML
    box.setText(f"What are these {len(paths)} files?\n{paths[0].name} … {paths[-1].name}")
    kept = QCheckBox(f"Remember for the folder “{paths[0].absolute().parent.name}”")
    kept.setToolTip("Until napari is closed. For all folders: Preferences, CellINR restoration.")
    box.setCheckBox(kept)
    buttons = {
        box.addButton(f"{len(paths)} {text}", QMessageBox.ButtonRole.AcceptRole): answer
        for answer, text in _ANSWERS.items()
    }
    box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    answer = buttons.get(box.clickedButton(), "")
    is_kept = kept.isChecked()
    box.deleteLater()
    if not answer:
        raise OpeningCancelledError(f"Cancelled: none of the {len(paths)} files was opened.")
    return answer, is_kept


def _preference() -> str:
    try:
        return str(settings.get_plugin_settings("napari-cellinr").files.numbered_files)
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return "ask"
