"""Asks whether numbered files are time points, z planes or separate images."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from napari import settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QMessageBox

from napari_cellinr.errors import FileError
from napari_cellinr.io.series.counters import THINGS, grid_of
from napari_cellinr.io.series.sequences import in_order
from napari_cellinr.ui.widgets.labels import sentence
from napari_cellinr.ui.widgets.prompt import can_ask, parent_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_cellinr.io.series.counters import Grid

__all__ = ["OpeningCancelledError", "ask", "choice"]

logger = logging.getLogger(__name__)

_ANSWERS: Final = {"time": "T", "z": "Z", "separate": ""}
"""Axis that files become, by the value of the preference `numbered_files`."""

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
    offered = _offered(paths)
    box.setInformativeText(_gaps(paths))
    kept = QCheckBox(f"Remember for the folder “{paths[0].absolute().parent.name}”")
    kept.setToolTip("Until napari is closed. For all folders: Preferences, CellINR restoration.")
    box.setCheckBox(kept)
    buttons = {
        box.addButton(text, QMessageBox.ButtonRole.AcceptRole): answer
        for answer, text in offered.items()
    }
    box.setDefaultButton(next(iter(buttons)))
    box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    answer = buttons.get(box.clickedButton(), "")
    is_kept = kept.isChecked()
    box.deleteLater()
    if not answer:
        raise OpeningCancelledError(f"Cancelled: none of the {len(paths)} files was opened.")
    return answer, is_kept


def _offered(paths: Sequence[Path]) -> dict[str, str]:
    """Return what files would become, in numbers, by answer; what their names mean is first.

    Names that count several things, such as `t1_z2`, fill all of their axes with either answer.
    """
    grids = {answer: _grid(paths, axis) for answer, axis in _ANSWERS.items() if axis}
    if any(grids.values()):  # otherwise opening them says what is wrong
        grids = {answer: grid for answer, grid in grids.items() if grid is not None}
    found = {answer: _becomes(len(paths), grid, answer) for answer, grid in grids.items()}
    if found.get("time") == found.get("z"):
        del found["z"]
    if any(grid is not None and grid.meant == "Z" for grid in grids.values()):
        found = dict(reversed(found.items()))
    return {**found, "separate": f"{len(paths)} separate images"}


def _becomes(n_files: int, grid: Grid | None, answer: str) -> str:
    """Return what files become in numbers, such as `4 time points × 3 z planes`."""
    if grid is None or len(grid.axes) == 1:
        return f"{n_files} {THINGS[_ANSWERS[answer]]}"
    sizes = zip(grid.shape, grid.axes, strict=True)
    return " × ".join(f"{size} {THINGS[axis]}" for size, axis in sizes)


def _gaps(paths: Sequence[Path]) -> str:
    """Return the first sentence of each warning about numbers and dates that are not even."""
    grid = _grid(paths, "T")
    texts = () if grid is None else grid.warnings
    uneven = [text for text in texts if "usually means" not in text]
    return " ".join(sentence(f"{text.partition('. ')[0]}.") for text in uneven)


def _grid(paths: Sequence[Path], axis: str) -> Grid | None:
    """Return how files are stacked; None if their names cannot be understood."""
    try:
        return grid_of(in_order(paths), axis)
    except FileError:  # said when they are opened
        return None


def _preference() -> str:
    try:
        return str(settings.get_plugin_settings("napari-cellinr").files.numbered_files)
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return "ask"
