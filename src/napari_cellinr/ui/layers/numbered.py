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
    from collections.abc import Mapping, Sequence
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
    grids, reason = _grids(paths)
    offered = _offered(len(paths), grids)
    gaps = next(iter(grids.values())).gaps if grids else ()
    box.setInformativeText(" ".join(sentence(f"{gap}.") for gap in gaps) if grids else reason)
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


def _grids(paths: Sequence[Path]) -> tuple[dict[str, Grid], str]:
    """Return how files are stacked by each answer with which they can be opened.

    Returns
    -------
    grids : dict
        The files along the axis, by answer.
    reason : str
        Why they cannot be stacked at all; empty if they can.
    """
    grids, reasons = {}, []
    for answer, axis in _ANSWERS.items():
        try:
            if axis:
                grids[answer] = grid_of(in_order(paths), axis)
        except FileError as error:
            reasons.append(sentence(str(error)))
    return grids, "" if grids else reasons[0]


def _offered(n_files: int, grids: Mapping[str, Grid]) -> dict[str, str]:
    """Return what files would become, in numbers, by answer; what their names mean is first.

    Names that count several things, such as `t1_z2`, fill all of their axes with either answer.
    """
    found = {answer: _becomes(grid) for answer, grid in grids.items()}
    if found.get("time") == found.get("z"):
        found.pop("z", None)
    if any(grid.axis_in_names == "Z" for grid in grids.values()):
        found = dict(reversed(found.items()))
    return {**found, "separate": f"{n_files} separate images"}


def _becomes(grid: Grid) -> str:
    """Return what files become in numbers, such as `4 time points × 3 z planes`."""
    sizes = zip(grid.shape, grid.axes, strict=True)
    return " × ".join(f"{size} {THINGS[axis]}" for size, axis in sizes)


def _preference() -> str:
    try:
        return str(settings.get_plugin_settings("napari-cellinr").files.numbered_files)
    except Exception as error:  # whatever the settings of another program raise
        logger.info("no preferences: %s", error)
        return "ask"
